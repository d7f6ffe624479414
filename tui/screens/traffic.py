"""Recorded traffic without a handler: its lanes side by side, and what the audit finds in it.

The same screen shows a file and a recording that is under way; that one is read again whenever something has come, in a
thread, and its lanes grow. Very long recordings show their latest requests; the audit reads all of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual import work
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from ...replay.errors import CrosslaneError
from ..bindings import named
from ..commands.auditing import finding_lines
from ..emphasis import PLAIN
from ..grid import lay_out
from ..palette import ACCENT
from ..safe_text import safe
from ..session import recorded_run
from ..title import NARROW
from ..widgets.keys_line import KeysLine
from ..widgets.lanes import LanesView

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import App, ComposeResult
    from textual.events import Resize

    from ...replay.detect.audited import Audit
    from ...replay.record.recorder import Note, Recorder
    from ...replay.record.relay import Relay
    from ...replay.trace.model import Trace

_LATEST = 2_000
"""Requests that are laid out at most; older ones are in the file."""
_LOOK_EVERY_S = 0.5
_AUDIT_EVERY_S = 3.0


class TrafficScreen(Screen[None]):
    """Attributes:
    settled: nothing is being read. Screenshots and tests wait for it.
    """

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("o", "open", "Open on a handler"),
            Binding("escape", "back", "Back"),
            Binding("tab", "app.focus_next", "Next panel", show=False),
            Binding("question_mark", "app.help", "Help", key_display="?"),
            Binding("q", "quit", "Quit"),
        ]
    )

    def __init__(self, path: Path, boundary: str = "user") -> None:
        super().__init__()
        self.path = path
        self.settled = False
        self._boundary = boundary
        self._requests = 0

    def compose(self) -> ComposeResult:
        yield Static(id="title")
        with Horizontal(id="body"):
            yield LanesView()
            with Vertical(id="side"), VerticalScroll(id="finding"):
                yield Static(id="audit")
        yield KeysLine()

    def on_mount(self) -> None:
        self.query_one("#finding").border_title = "audit"
        self._title()
        self.query_one(LanesView).focus()
        self._begin()

    def _begin(self) -> None:
        self.query_one(LanesView).border_title = "lanes, as recorded"
        self.query_one("#audit", Static).update(Text("reading the trace", "dim"))
        self._look_once()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")
        self.set_class(event.size.width < NARROW, "-drawer")

    @work(exit_on_error=False)
    async def _look_once(self) -> None:
        try:
            await self.look()
            await self.audit()
        except Exception as error:  # whatever it is, a screen that goes on "reading" would be worse
            self._empty(_fault(error, self.path))
        self.settled = True

    async def look(self) -> None:
        """Read the lanes of what is recorded so far."""
        from ...replay.trace.store import load

        try:
            trace = await asyncio.to_thread(load, self.path)
            run = recorded_run(_latest(trace), self._boundary)
        except CrosslaneError as error:
            self._empty(error)
            return
        if not self.is_mounted:
            return
        self._requests = len(trace.exchanges)
        grid = lay_out(run, None)
        self.query_one(LanesView).show(grid, PLAIN, len(run.events) - 1)
        self._title()

    async def audit(self) -> None:
        """List what crossed in what is recorded so far."""
        from ...replay.detect.audit import audit

        try:
            result = await asyncio.to_thread(audit, self.path, self._boundary)
        except CrosslaneError as error:
            self._empty(error)
            return
        if self.is_mounted:
            self._show(result)

    def _show(self, result: Audit) -> None:
        panel = self.query_one("#finding")
        count = len(result.findings)
        panel.border_title = "audit" if not count else f"audit: {count} found"
        text = Text()
        for finding in result.findings[:200]:
            headline, detail = finding_lines(finding)
            text.append(f"✗ {headline}\n", f"bold {ACCENT}")
            text.append(f"  {detail}\n\n", "dim")
        if not count:
            text.append("● no value of one lane was seen in another's answers or prompts\n\n", "bold")
            text.append("This is what was recorded, not what could happen: o replays it on a handler.", "dim")
        self.query_one("#audit", Static).update(text)

    def _empty(self, error: CrosslaneError) -> None:
        if self.is_mounted:
            self.query_one("#audit", Static).update(Text(safe(str(error)), "bold"))

    @property
    def _app(self) -> App[None]:
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]

    def _title(self) -> None:
        self.query_one("#title", Static).update(
            Text(f" crosslane  {safe(self.path.name, 60)}   {_counted(self._requests)} recorded")
        )

    # ---- keys

    def _show_instead(self, screen: Screen[None]) -> None:
        self._app.switch_screen(screen)  # pyright: ignore[reportUnknownMemberType]

    async def action_open(self) -> None:
        from .start import StartScreen

        self._show_instead(StartScreen(str(self.path)))

    async def action_back(self) -> None:
        if len(self._app.screen_stack) > 2:
            self._app.pop_screen()
        else:
            await self.action_open()

    async def action_quit(self) -> None:
        self._app.exit()


class RecordingScreen(TrafficScreen):
    """Traffic while it is recorded: the proxy runs here, and ends in order with the screen."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("o", "open", "Stop and open"),
            Binding("escape", "back", "Stop"),
            Binding("ctrl+c", "back", "Stop", show=False, priority=True),
        ]
    )

    def __init__(self, to: str, port: int, output: Path, boundary: str = "user") -> None:
        super().__init__(output, boundary)
        self.to = to
        self.port = port
        self._dirty = False
        self._unaudited = False
        self._failed = ""
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._in_flight: set[str] = set()

    def _begin(self) -> None:
        self.query_one(LanesView).border_title = "lanes, as they come"
        self._serve()

    @work(exit_on_error=False)
    async def _serve(self) -> None:
        from ...replay.record.proxy import Proxy
        from ...replay.record.service import started
        from ...replay.record.settings import Settings

        recorder: Recorder | Relay | None = None
        try:
            settings = Settings(str(self.path), source="proxy", header={"to": self.to})
            recorder = started(settings, told=self._told)
            async with Proxy(self.to, recorder, port=self.port) as proxy:
                self.port = proxy.port
                self._title()
                self._empty(CrosslaneError(f"waiting for traffic: send clients to http://127.0.0.1:{self.port}"))
                self.settled = True
                await self._follow()
        except (CrosslaneError, OSError) as error:
            self._failed = str(error)
            self._empty(error if isinstance(error, CrosslaneError) else CrosslaneError(str(error)))
        except Exception as error:
            self._failed = str(_fault(error, self.path))
            self._empty(_fault(error, self.path))
        finally:
            self._end(recorder)

    def _end(self, recorder: Recorder | Relay | None) -> None:
        if recorder is not None:
            recorder.close()
            if not recorder.exchanges:
                self.path.unlink(missing_ok=True)
        self._stopped.set()
        self.settled = True

    async def _follow(self) -> None:
        """Read on whenever something has come, until the screen is to end."""
        loop = asyncio.get_running_loop()
        audited = 0.0
        while not self._stopping.is_set():
            if self._dirty:
                self._dirty, self._unaudited = False, True
                await self.look()
            if self._unaudited and loop.time() - audited >= _AUDIT_EVERY_S:
                self._unaudited = False
                await self.audit()
                audited = loop.time()
            with_timeout = asyncio.wait_for(self._stopping.wait(), _LOOK_EVERY_S)
            await asyncio.gather(with_timeout, return_exceptions=True)

    def _told(self, note: Note) -> None:
        self._dirty = True
        if note.what == "request":
            self._in_flight.add(note.request)
        elif note.what == "response":
            self._in_flight.discard(note.request)

    def _title(self) -> None:
        if self._failed:
            super()._title()
            return
        flying = f"   {len(self._in_flight)} in flight" if self._in_flight else ""
        line = f" ● recording http://127.0.0.1:{self.port} -> {safe(self.to, 60)}   {_counted(self._requests)}{flying}"
        self.query_one("#title", Static).update(Text(line))

    async def _stop(self) -> None:
        self._stopping.set()
        await self._stopped.wait()

    async def action_open(self) -> None:
        await self._stop()
        from .start import StartScreen

        self._show_instead(StartScreen(str(self.path) if self.path.exists() else ""))

    async def action_back(self) -> None:
        """The recording ends, and what it holds stays on the screen."""
        await self._stop()
        if self._failed or not self._requests:
            self._app.pop_screen()
        else:
            self._show_instead(TrafficScreen(self.path, self._boundary))

    async def action_quit(self) -> None:
        await self._stop()
        self._app.exit()


def _fault(error: Exception, path: Path) -> CrosslaneError:
    """An error that nobody foresaw, as a line."""
    told = " ".join(str(error).split())[:200]
    return CrosslaneError(f"cannot be read: {type(error).__name__} {told}", str(path), "please report this")


def _counted(requests: int) -> str:
    return "1 request" if requests == 1 else f"{requests:,} requests"


def _latest(trace: Trace) -> Trace:
    if len(trace.exchanges) <= _LATEST:
        return trace
    return replace(trace, exchanges=trace.exchanges[-_LATEST:])
