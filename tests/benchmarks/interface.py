"""The interface against plain Textual, in the same run: `python tests/benchmarks/interface.py [EVENTS] [LANES]`.

First frame: `crosslane open` on a bundled trace against an application that shows one line of text, each in processes
of its own, turn by turn; once until the trace's name is written, and once until what its lanes say is. The second is
held against the budget: nobody opens a trace for its name. The finding, the source and the footer come after it. Page: one of a run with EVENTS events (default 1,000,000) in LANES lanes (default 200) against
one of a view on the Line API whose lines are plain strips, both 160x45 and composed by the same screen; "new" has no
strip kept from before, "again" comes back to the same page. Then what opening such a run takes, and bytes an event.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from crosslane.replay.run import Event, Run
from crosslane.tui import samples
from crosslane.tui.emphasis import PLAIN
from crosslane.tui.grid import lay_out
from crosslane.tui.widgets.lanes import LanesView
from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

WIDTH, HEIGHT = 160, 45
STARTS, PAGES = 9, 60
MOST_OF_FRAME, MOST_OF_PAGE, MOST_BYTES = 1.3, 1.5, 1_000

# A terminal of which nothing is seen: it ends the process when a frame with what there is to show has been written.
DRIVER = """
import os
from textual.drivers.headless_driver import HeadlessDriver

class OneFrame(HeadlessDriver):
    is_headless = False
    written = ""

    def write(self, data):
        self.written += data
        if os.environ["BENCH_SHOWN"] in self.written:
            os._exit(77)
"""
PLAIN_TEXTUAL = """
from textual.app import App
from textual.widgets import Static

class Plain(App):
    def compose(self):
        yield Static("one line")

Plain().run()
"""
OPEN = """
import sys
from crosslane.tui.cli import main

sys.argv = ["crosslane", "open", *sys.argv[1:]]
main()
"""


def first_frame(script: str, shown: str, folder: Path, *arguments: str) -> float:
    """Milliseconds from the start of a process to the frame in which `shown` stands."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "TEXTUAL_DRIVER": "one_frame:OneFrame",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH")))),
        "COLUMNS": str(WIDTH),
        "LINES": str(HEIGHT),
        "BENCH_SHOWN": shown,
        "CROSSLANE_STATE_DIR": str(folder),
        "CROSSLANE_CONFIG_DIR": str(folder),
    }
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], env=environment, capture_output=True, timeout=60, check=False
    )
    taken = (time.perf_counter() - began) * 1e3
    if done.returncode != 77:
        raise SystemExit(f"no frame with {shown!r}: {done.stderr.decode(errors='replace')[-2_000:]}")
    return taken


def first_frames() -> None:
    from textual import constants

    assert not constants.DRIVER, "TEXTUAL_DRIVER is set already"
    asked = (str(samples.folder() / samples.DEMO_TRACE), samples.DEMO_HANDLER, "--cwd", str(samples.folder()))
    frames: dict[str, list[float]] = {"one line": [], samples.DEMO_TRACE: [], "My name is Bob Okafor": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "one_frame.py").write_text(DRIVER)
        for turn in range(STARTS + 1):
            for shown, taken in frames.items():
                took = first_frame(PLAIN_TEXTUAL if shown == "one line" else OPEN, shown, folder, *asked)
                if turn:  # the first of each also writes bytecode and warms the disk's cache
                    taken.append(took)
    plain, named, lanes = frames.values()
    print(f"first frame, median of {STARTS}: plain Textual {statistics.median(plain):.0f} ms", end="")
    print(f", with the trace's name {statistics.median(named):.0f} ms", end="")
    print(f" (ratio {statistics.median(map(float.__truediv__, named, plain)):.2f})", end="")
    print(f", with its lanes {statistics.median(lanes):.0f} ms", end="")
    report(statistics.median(map(float.__truediv__, lanes, plain)), MOST_OF_FRAME)


def report(ratio: float, most: float) -> None:
    print(f", ratio {ratio:.2f} (at most {most}{'' if ratio <= most else ': MISSED'})")


class Bare(ScrollView):
    """As little as a view on the Line API can do: its lines are plain strips of one style, made when they are shown."""

    def __init__(self, lines: int) -> None:
        super().__init__()
        self.virtual_size = Size(1, lines)

    def render_line(self, y: int) -> Strip:
        number = self.scroll_offset.y + y
        text = f"{number:>7}  what stands in line {number}".ljust(self.size.width)
        return Strip([Segment(text, Style())], self.size.width)


class One(App[None]):
    """Shows one view, on all of the screen."""

    ENABLE_COMMAND_PALETTE = False
    CSS = "LanesView > .lanes--cursor { background: $foreground 8%; }"

    def __init__(self, view: ScrollView) -> None:
        super().__init__()
        self.view = view

    def compose(self) -> ComposeResult:
        yield self.view


def page(app: One, line: int) -> float:
    """Milliseconds that a page takes, from scrolling there until its strips are composed."""
    began = time.perf_counter()
    app.view.scroll_to(y=line, animate=False, immediate=True, force=True)
    app.view._styles_cache.clear()
    app.screen._compositor.render_strips()
    return (time.perf_counter() - began) * 1e3


def events(count: int, lanes: int) -> tuple[Event, ...]:
    kinds = ("request", "await", "write", "await", "read", "output", "chunk", "response")
    return tuple(
        Event(
            n,
            n,
            f"user{n % lanes}",
            f"session{n % lanes}",
            f"r{n // 8}",
            kinds[n % 8],
            f"what was said as number {n} by one of those who said something",
            f"app.py:{n % 90 + 1}",
            "reply = await client.complete(messages)",
            "app.context" if kinds[n % 8] in ("write", "read") else None,
            200 if kinds[n % 8] == "response" else None,
        )
        for n in range(1, count + 1)
    )


async def pages(run: Run) -> None:
    began = time.perf_counter()
    grid = lay_out(run, None)
    laid_out = time.perf_counter() - began
    lanes = LanesView()
    ours, bare = One(lanes), One(Bare(len(run.events) + 1))
    async with bare.run_test(size=(WIDTH, HEIGHT)), ours.run_test(size=(WIDTH, HEIGHT)) as pilot:
        began = time.perf_counter()
        lanes.show(grid, PLAIN, 0)
        await pilot.pause()
        shown = time.perf_counter() - began
        print(f"opening {len(run.events):,} events: laid out in {laid_out:.2f} s, ", end="")
        print(f"shown {shown:.2f} s later (which includes that the pilot waits until all is quiet)")
        length, last = HEIGHT - 1, len(run.events) - HEIGHT
        for where, first in (("start", 0), ("middle", last // 2), ("end", max(0, last - PAGES * length))):
            lines = [min(last, first + number * length) for number in range(PAGES)]
            for what in ("new", "again"):
                taken = [(page(bare, line), page(ours, line)) for line in lines for _ in range(1 + (what == "again"))]
                taken = taken[1::2] if what == "again" else taken
                plain, own = (statistics.median(times) for times in zip(*taken, strict=True))
                print(f"page at the {where}, {what}: bare {plain:.2f} ms, lanes {own:.2f} ms", end="")
                report(own / plain, MOST_OF_PAGE)


def memory(count: int, lanes: int) -> None:
    """Of the events of a tenth of the run and of what the interface keeps beside them."""
    tracemalloc.start()
    made = events(count, lanes)
    alone = tracemalloc.get_traced_memory()[0]
    grid = lay_out(Run(tuple(f"user{n}" for n in range(lanes)), (), made, ()), None)
    kept = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    each = kept / len(grid.events)
    print(f"bytes an event: {each:.0f}, of which {(kept - alone) / count:.1f} are the interface's", end="")
    print(f" (at most {MOST_BYTES}{'' if each <= MOST_BYTES else ': MISSED'})")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lanes = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load} before")
    first_frames()
    asyncio.run(pages(Run(tuple(f"user{n}" for n in range(lanes)), (), events(count, lanes), ())))
    memory(max(1, count // 10), lanes)
    print(f"load after: {', '.join(f'{value:.1f}' for value in os.getloadavg())}")


if __name__ == "__main__":
    main()
