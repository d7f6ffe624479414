"""The interface, driven by its keys at both sizes: what a user sees is read from the screen."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from crosslane.replay.errors import HandlerError
from crosslane.replay.schedule.schedule import Schedule
from crosslane.replay.worker.client import WorkerOptions
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.dialogs import ExportDialog, HelpScreen, ReplayDialog
from crosslane.tui.screens.inspector import Inspector
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.session import OpenSession
from crosslane.tui.widgets.lanes import LanesView
from crosslane.tui.words import CROSSING, GLYPHS
from textual.pilot import Pilot
from textual.widgets import Input, TabbedContent
from textual.widgets._footer import FooterKey

from .stand_ins import StandIn, result, screen_text, session, settle, trace

SIZES = [(80, 24), (160, 45)]


@asynccontextmanager
async def opened(
    tmp_path: Path, runner: StandIn, size: tuple[int, int] = (160, 45), **options: object
) -> AsyncIterator[tuple[CrosslaneApp, Pilot[None]]]:
    app = CrosslaneApp(session(tmp_path, runner, **options))  # type: ignore[arg-type]
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.pause()
        yield app, pilot


def cursor(app: CrosslaneApp) -> int:
    return app.screen_stack[1].query_one(LanesView).cursor


@pytest.mark.parametrize("size", SIZES)
async def test_the_crossing_is_on_the_screen_without_a_key_pressed(tmp_path: Path, size: tuple[int, int]) -> None:
    async with opened(tmp_path, StandIn(result()), size) as (app, _):
        lines = screen_text(app)
        heading = next(line for line in lines if "alice  s1" in line)
        assert heading.index("alice") < heading.index("bob"), "the lanes of the finding come first"
        assert any("◆ write context ━" in line and "┓" in line for line in lines)
        assert any("┗━▶ read context" in line for line in lines)
        shown = next(line for line in lines if "✗" in line and "Alice Ferrante" in line)
        assert "▌" in shown, "the cursor stands on it"
        assert cursor(app) == 6
        assert "✗ 1 crossing" in lines[0]


async def test_the_panel_says_what_crossed_through_what_and_how_to_fix_it(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, _):
        text = "\n".join(screen_text(app))
        for said in ("bob was answered with alice's data", "agent.context", "module global, agent.py:1", "alice  agent.py:5",
                     "bob  agent.py:6", "interleaved, 1 switch", "scope agent.context to the", "finding 1 of 1"):  # fmt: skip
            assert said in text, said
        assert "▶▷   6" in text, "the line that read it, in the source"
        assert "◆   5" in text


async def test_at_eighty_columns_enter_opens_and_esc_closes_the_drawer(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result()), (80, 24)) as (app, pilot):
        assert not any("finding 1 of 1" in line for line in screen_text(app))
        await pilot.press("enter")
        await pilot.pause()
        assert any("finding 1 of 1" in line for line in screen_text(app))
        await pilot.press("escape")
        await pilot.pause()
        assert not any("finding 1 of 1" in line for line in screen_text(app))


async def test_the_cursor_steps_both_ways_and_within_a_lane_and_to_switches(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        moves = [
            ("home", 0), ("right", 1), ("l", 2), ("left", 1), ("h", 0), ("end", 7), ("g", 0), ("G", 7),
            ("up", 2), ("k", 1), ("down", 2), ("j", 7), ("left", 6), ("down", 6), ("home", 0),
            ("s", 3), ("s", 7), ("s", 7), ("S", 3), ("S", 3), ("n", 6), ("home", 0), ("N", 6),
            ("pagedown", 7), ("pageup", 0), ("left", 0),
        ]  # fmt: skip
        for key, row in moves:
            await pilot.press(key)
            await pilot.pause()
            assert cursor(app) == row, key


async def test_the_source_follows_the_cursor(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        await pilot.press("home", "right")
        await pilot.pause()
        assert any("source  agent.py:5" in line for line in screen_text(app))
        assert any("▶◆   5" in line and "context.append" in line for line in screen_text(app))
        await pilot.press("home")
        await pilot.pause()
        assert any("no source line belongs to this step" in line for line in screen_text(app))


async def test_next_crossing_walks_through_all_findings(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result(findings=3))) as (app, pilot):
        seen: list[str] = []
        for key in ("n", "n", "n", "N"):
            await pilot.press(key)
            await pilot.pause()
            seen.append(next(line for line in screen_text(app) if "─ finding " in line).partition("─ finding ")[2][:6])
        assert seen == ["2 of 3", "3 of 3", "1 of 3", "3 of 3"]


async def test_the_inspector_shows_request_responses_and_output(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Inspector)
        text = "\n".join(screen_text(app))
        for said in (
            "recorded",
            "recorded I am Bob Okafor",
            "alone",
            "this run",
            "marked: alice's, foreign to bob",
            "agent.context kept apart",
        ):
            assert said in text, said
        tabs = app.screen.query_one(TabbedContent)
        tabs.active = "request"
        await pilot.pause()
        assert "r2  session s2  user bob" in "\n".join(screen_text(app))
        tabs.active = "logs"
        await pilot.pause()
        assert "printed by bob" in "\n".join(screen_text(app))
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)


@pytest.mark.parametrize(
    ("row", "action", "order"),
    [(0, "check", "lockstep"), (1, "replay", "lockstep"), (2, "replay", "serial"), (3, "replay", "random")],
)
async def test_a_replay_is_asked_for_from_inside(tmp_path: Path, row: int, action: str, order: str) -> None:
    runner = StandIn(result())
    async with opened(tmp_path, runner) as (app, pilot):
        await pilot.press("r")
        await pilot.pause()
        assert isinstance(app.screen, ReplayDialog)
        app.screen.query_one("#seed", Input).value = "7"
        app.screen.query_one("#concurrency", Input).value = "3"
        await pilot.press(*["down"] * row, "enter")
        await pilot.pause()
        job = runner.jobs[-1]
        assert (job.action, job.order, job.concurrency) == (action, order, 3)
        assert job.seed == (7 if action == "replay" else 0)


async def test_the_schedule_of_the_finding_can_be_replayed_and_escape_asks_for_nothing(tmp_path: Path) -> None:
    runner = StandIn(result())
    async with opened(tmp_path, runner) as (_, pilot):
        await pilot.press("r", "escape")
        await pilot.pause()
        assert len(runner.jobs) == 1
        await pilot.press("r")
        await pilot.pause()
        await pilot.press("end", "enter")
        await pilot.pause()
        assert runner.jobs[-1].schedule == Schedule(("alice",))


async def test_the_repro_is_exported_from_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, ExportDialog)
        await pilot.press("enter")
        await pilot.pause()
        assert "REQUESTS" in (tmp_path / "repro_id0.py").read_text()
        assert any("run it with: python repro_id0.py" in str(n.message) for n in app._notifications)


async def test_an_export_that_cannot_be_written_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        await pilot.press("e")
        await pilot.pause()
        app.screen.query_one(Input).value = str(tmp_path / "no" / "such" / "folder.py")
        await pilot.press("enter")
        await pilot.pause()
        assert any("cannot be written" in str(n.message) for n in app._notifications)


async def test_the_finding_is_copied_as_text(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        await pilot.press("y")
        assert "bob was answered with alice's data" in app.clipboard
        assert "carrier  agent.context" in app.clipboard


async def test_every_sign_of_the_lanes_is_in_the_help(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result()), (80, 24)) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        await pilot.press("end")
        await pilot.pause()
        legend = "\n".join(screen_text(app))
        for sign in (*GLYPHS.values(), CROSSING, "⇤", "▸", "≠", "+ not", "−", "━▶", "‹"):
            assert sign in legend, sign


async def test_every_key_is_in_the_help(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        text = "\n".join(screen_text(app))
        await pilot.press("end")
        await pilot.pause()
        text += "\n".join(screen_text(app))
        for key in (
            "right l",
            "left h",
            "down j",
            "home g",
            "end G",
            "s ",
            "n ",
            "N ",
            "enter",
            "r ",
            "e ",
            "y ",
            "x ",
            "q ",
            "?",
        ):
            assert key in text, key
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, MainScreen)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("verdict", ["clean", "inconclusive"])
async def test_a_verdict_without_a_finding_is_as_plain(tmp_path: Path, verdict: str, size: tuple[int, int]) -> None:
    async with opened(tmp_path, StandIn(result(verdict)), size) as (app, _):
        text = " ".join(" ".join(screen_text(app)).replace("│", " ").split())
        for said in (
            verdict,
            "at most 2 switches",
            "thread started at agent.py:3",
            "lost its own turn 1",
            "body.count",
        ):
            assert said in text, said


async def test_a_key_stands_below_whole_or_not_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, pilot):
        counts: list[int] = []
        for width in (160, 111, 83, 60):
            await pilot.resize_terminal(width, 24)
            await settle(app, pilot)
            line, keys = screen_text(app)[-1], list(app.screen.query(FooterKey))
            assert all(f"{key.key_display} {key.description}" in line for key in keys)
            assert line.endswith("^p palette")
            counts.append(len(keys))
        assert counts == sorted(set(counts), reverse=True)


@pytest.mark.parametrize("size", SIZES)
async def test_an_error_stands_where_the_finding_would_with_the_remedy(tmp_path: Path, size: tuple[int, int]) -> None:
    error = HandlerError("no such file", "agnet.py", "did you mean agent.py?")
    async with opened(tmp_path, StandIn(error), size) as (app, _):
        text = "\n".join(screen_text(app))
        assert "agnet.py: no such file" in text
        assert "cannot replay" in text
        assert "I am Alice Ferrante" in text, "the recorded traffic stays in sight"


async def test_the_recorded_traffic_is_shown_while_the_search_runs_and_x_cancels_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    runner = StandIn(result(), gate)
    async with opened(tmp_path, runner) as (app, pilot):
        text = "\n".join(screen_text(app))
        assert "lanes, as recorded" in text
        assert "recorded I am Bob Okafor" in text
        assert "serial + 1 switch" in text
        await pilot.press("right", "right")
        assert cursor(app) == 2, "the interface goes on"
        await pilot.press("r")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert len(runner.jobs) == 1, "one job at a time"
        await pilot.press("x")
        await pilot.pause()
        await pilot.pause()
        assert runner.cancelled == 1
        assert any("✗ 1 crossing" in line for line in screen_text(app))
    assert runner.closed


async def test_the_palette_has_the_commands(tmp_path: Path) -> None:
    async with opened(tmp_path, StandIn(result())) as (app, _):
        titles = {command.title for command in app.get_system_commands(app.screen)}
        assert {"Replay", "Export the repro", "Inspect the step", "Copy the finding", "Stop the replay"} <= titles


async def test_content_of_a_trace_is_neither_markup_nor_escape(tmp_path: Path) -> None:
    evil = "[bold]x[/bold] \x1b[2J\x07 \ud800 \u202e 日本語 👩‍👩‍👧 Alice Ferrante " + "z" * 1_000_000
    async with opened(tmp_path, StandIn(result(alice=evil)), of=trace(evil)) as (app, pilot):
        for key in ("home", "enter", "escape", "end", "enter"):
            await pilot.press(key)
            await pilot.pause()
            text = "\n".join(screen_text(app))
            assert not set(text) & {"\x1b", "\x07", "\u202e", "\ud800"}
        assert "[bold]x[/bold]" in text
        await pilot.press("escape")
        widths = {sum(segment.cell_length for segment in strip) for strip in app.screen._compositor.render_strips()}
        assert widths == {160}, "wide characters keep the columns aligned"


async def test_the_demo_opens_from_the_start_screen(tmp_path: Path) -> None:
    runner = StandIn(result())
    app = CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=tmp_path), runner=lambda options: runner))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("d")
        await pilot.pause()
        await pilot.pause()
        assert runner.jobs[0].handler == "shared_list.py:handle_message"


async def test_the_real_demo_shows_the_crossing(tmp_path: Path) -> None:
    from crosslane.replay.trace.store import load
    from crosslane.tui import samples

    folder = samples.folder()
    app = CrosslaneApp(OpenSession(load(folder / samples.DEMO_TRACE), samples.DEMO_HANDLER, WorkerOptions(cwd=folder)))
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MainScreen)
        while not screen.settled:
            await pilot.pause(0.01)
        await pilot.pause()
        text = "\n".join(screen_text(app))
        assert "bob was answered with alice's data" in text
        assert "shared_list.current_context" in text


def test_the_pictures_of_the_readme_can_be_made_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "crosslane.tui.screenshot", str(tmp_path)], check=True, capture_output=True)
    for size in ("80x24", "160x45"):
        assert "Ferrante" in (tmp_path / f"demo-{size}.svg").read_text()


async def test_p_pauses_the_search_and_lets_it_go_on(tmp_path: Path) -> None:
    runner = StandIn(result(), asyncio.Event())
    async with opened(tmp_path, runner, (160, 45)) as (app, pilot):
        await pilot.press("P")
        await pilot.pause()
        assert "paused in serial + 1 switch" in screen_text(app)[0]
        assert any("P goes on · x stops" in line for line in screen_text(app))
        await pilot.press("P")
        await pilot.pause()
        assert "paused" not in screen_text(app)[0]
        assert runner.paused == [True, False]
        await pilot.press("P")
        await pilot.press("x")
        await pilot.pause()
        await pilot.pause()
        assert "✗ 1 crossing" in screen_text(app)[0], "what was found is shown after a stop as ever"
        await pilot.press("P")
        assert runner.paused == [True, False, True], "nothing runs any more"
