"""How the interface ends: keys that came too early do not end it, a failure and a signal end it in order."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.dialogs import ReplayDialog
from crosslane.tui.screens.start import StartScreen
from crosslane.tui.widgets.options import Options
from textual.command import CommandList

from ..conftest import SAMPLES
from .stand_ins import StandIn, result, session, settle
from .terminal import Terminal

RESTORED = ("\x1b[?1049l", "\x1b[?1000l", "\x1b[?25h")
"""The alternate screen and the mouse are off, the cursor is back."""


async def test_a_page_key_does_nothing_in_a_palette_that_has_no_room_for_its_list(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(40, 4)) as pilot:
        await settle(app, pilot)
        await pilot.press("colon")
        await settle(app, pilot)
        palette = app.screen
        assert palette.query_one(CommandList).option_count
        await pilot.press("pagedown", "pageup")
        await settle(app, pilot)
        assert app.screen is palette


async def test_a_page_key_does_nothing_in_a_list_that_has_no_size_yet() -> None:
    options = Options("one", "two")
    for press in (options.action_page_down, options.action_page_up):
        options.set_reactive(Options.highlighted, 0)
        press()
    assert options.highlighted == 0


async def test_every_list_of_options_has_the_guard(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())), StartScreen())
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app, pilot)
        assert app.screen.query_one("#begin", Options)
        app.push_screen(ReplayDialog(False, None))
        await settle(app, pilot)
        assert app.screen.query_one("#orders", Options)


async def test_the_palette_has_each_command_once_and_the_keys_by_our_page_alone(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(100, 30)) as pilot:
        await settle(app, pilot)
        titles = [command.title for command in app.get_system_commands(app.screen)]
        assert len(titles) == len(set(titles))
        assert [title for title in titles if "Keys" in title] == ["Keys of this panel"]


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_interface_as_q_does(tmp_path: Path, which: signal.Signals) -> None:
    for name in ("overlap.jsonl", "overlap.py"):
        shutil.copy(SAMPLES / name, tmp_path)
    with opened(tmp_path, "-m", "crosslane.tui", "open", "overlap.jsonl", "overlap.py:handle_message") as terminal:
        terminal.until("1 crossing")
        workers = children(terminal.pid)
        assert workers
        os.kill(terminal.pid, which)
        assert terminal.wait() == 128 + which
        assert all(terminal.raw.rindex(off) > terminal.raw.rindex("crossing") for off in RESTORED)
        assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_a_failure_of_the_interface_is_told_by_the_exit_code_and_leaves_the_terminal_in_order(tmp_path: Path) -> None:
    program = tmp_path / "fails.py"
    program.write_text(
        "import sys\n"
        "from crosslane.tui.screens.start import StartScreen\n"
        "def fail(self, way):\n"
        "    secret = 'Alice' + ' Ferrante'\n"
        "    raise KeyError(0)\n"
        "StartScreen.action_way = fail\n"
        "from crosslane.tui.cli import main\n"
        "sys.argv = ['crosslane', 'open']\n"
        "main()\n"
    )
    with opened(tmp_path, str(program)) as terminal:
        terminal.until("recent findings")
        terminal.send("o")
        assert terminal.wait() == 2
        after = terminal.raw[terminal.raw.rindex(RESTORED[0]) :]
        assert all(off in terminal.raw for off in RESTORED)
        assert "the interface failed" in after
        assert "KeyError" in after
        assert "Alice Ferrante" not in after


def opened(folder: Path, *arguments: str) -> Terminal:
    environment = {
        **os.environ,
        "CROSSLANE_STATE_DIR": str(folder / "state"),
        "CROSSLANE_CONFIG_DIR": str(folder / "config"),
    }
    return Terminal([sys.executable, *arguments], cwd=folder, env=environment, columns=120, rows=40)


def children(parent: int) -> list[int]:
    """The processes that a process has started, on Linux; none elsewhere."""
    found = [Path(stat).read_text() for stat in map(str, Path("/proc").glob("[0-9]*/stat"))]
    return [int(stat.split(" ", 1)[0]) for stat in found if int(stat.rpartition(") ")[2].split()[1]) == parent]
