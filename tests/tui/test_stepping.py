"""Stepping into another interleaving, the tree of what was tried, and two of them side by side, by keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay.report import Critical, Result
from crosslane.replay.run import Decision, Outcome
from crosslane.replay.schedule.schedule import Schedule
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.comparison import ComparisonScreen
from crosslane.tui.screens.interleavings import InterleavingsScreen, NameDialog
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.screens.stepping import ChoiceDialog
from crosslane.tui.widgets.lanes import LanesView
from textual.pilot import Pilot

from .stand_ins import StandIn, result, run_of, screen_text, session, settle

SIZES = [(80, 24), (160, 45)]
BOTH = ("alice", "bob")


def with_choices(of: Result) -> Result:
    """The result with a schedule: alice twice, bob twice; at the third step alice could have gone on."""
    steps = tuple(Decision(lane, BOTH, None if n in (0, 3) else "agent.py:6") for n, lane in enumerate(
        ("alice", "alice", "alice", "bob", "bob", "bob", "bob", "alice")))  # fmt: skip
    run = replace(of.run, decisions=steps)
    findings = tuple(replace(finding, run=run) for finding in of.findings)
    if findings:
        passes = Critical(3, "alice", "agent.py:6", "bob", ("alice",) * 4 + ("bob",) * 4)
        findings = (replace(findings[0], crossing=replace(findings[0].crossing, critical=passes)), *findings[1:])
    return replace(of, run=run, findings=findings)


def branch(verdict: str = "clean") -> Result:
    """What comes of alice going on."""
    steps = tuple(Decision(lane, BOTH) for lane in ("alice",) * 4 + ("bob",) * 4)
    made = result(verdict)
    outcomes = tuple(
        Outcome(f"r{n}", lane, f"s{n}", None, (), f"You said: I am {lane}") for n, lane in enumerate(BOTH, 1)
    )
    run = replace(run_of(), decisions=steps, outcomes=outcomes)
    return replace(made, run=run, findings=tuple(replace(finding, run=run) for finding in made.findings))


@asynccontextmanager
async def opened(
    folder: Path, size: tuple[int, int] = (160, 45)
) -> AsyncIterator[tuple[CrosslaneApp, Pilot[None], StandIn]]:
    runner = StandIn(with_choices(result()))
    app = CrosslaneApp(session(folder, runner))
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        runner.answer = branch()
        yield app, pilot, runner


def main_screen(app: CrosslaneApp) -> MainScreen:
    screen = app.screen_stack[1]
    assert isinstance(screen, MainScreen)
    return screen


async def press(app: CrosslaneApp, pilot: Pilot[None], *keys: str) -> str:
    for key in keys:
        await pilot.press(key)
        await settle(app, pilot)
    return "\n".join(screen_text(app))


@pytest.mark.parametrize("size", SIZES)
async def test_another_lane_at_a_step_is_run_and_shown_and_the_old_run_is_kept(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path, size) as (app, pilot, runner):
        text = await press(app, pilot, "home", "right", "right", "right", "c")
        assert isinstance(app.screen, ChoiceDialog)
        assert "choice 4: who goes on" in text
        assert "bob did; instead of it" in text
        assert "alice" in text
        assert "passes, one switch from finding 1" in text, "what is known of it already"
        text = await press(app, pilot, "enter")
        job = runner.jobs[-1]
        assert (job.action, job.schedule) == ("replay", Schedule(("alice",) * 4))
        assert job.then == Schedule(("bob",) * 4)
        assert "● passes, one switch from finding 1" in text
        top = text.partition("\n")[0]
        assert "● this run is clean" in top, "what is on the screen"
        assert ("search: ✗ 1 crossing in 42 executions" in top) == (size == SIZES[1]), "and what is not, as such"
        assert main_screen(app).known.result is not None
        top = (await press(app, pilot, "n")).partition("\n")[0]
        assert "✗ 1 crossing" in top
        assert "this run" not in top
        assert main_screen(app).finding is not None, "the search's findings are still there"
        text = await press(app, pilot, "u", "u")
        assert "✗ finding 1" in text
        shown = main_screen(app).known.shown
        assert shown is not None
        assert [d.lane for d in shown.decisions] == ["alice"] * 3 + ["bob"] * 4 + ["alice"]


async def test_a_branch_is_seen_before_it_is_judged_and_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot, runner):
        runner.gate = asyncio.Event()
        for key in ("home", "right", "right", "right", "c", "enter"):
            await pilot.press(key)
            await pilot.pause()
        text = "\n".join(screen_text(app))
        assert "lanes  ○ choice 4: alice in place of bob" in text
        assert "looking for crossings" in text.partition("\n")[0]
        assert "clean" not in text.partition("\n")[0]
        before = main_screen(app).known.shown
        assert before is not None
        assert before.origin == "finding 1", "what is not judged is none of those that were tried"
        runner.gate.set()
        await settle(app, pilot)
        assert "● this run is clean" in screen_text(app)[0]


async def test_escape_chooses_nobody_and_a_step_without_a_choice_says_where_there_are_some(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot, runner):
        await press(app, pilot, "home", "c", "escape")
        assert len(runner.jobs) == 1
        shown = main_screen(app).known.shown
        assert shown is not None
        shown.decisions = (*shown.decisions[:2], replace(shown.decisions[2], enabled=("alice",)), *shown.decisions[3:])
        await press(app, pilot, "home", "right", "right", "c")
        assert not isinstance(app.screen, ChoiceDialog)
        said = [notification.message for notification in app._notifications]
        assert said == ["only alice could run here; another could at choice 2 and choice 4"]


@pytest.mark.parametrize(("verdict", "glyph"), [("clean", "●"), ("inconclusive", "◐"), ("contaminated", "✗")])
async def test_the_outcome_of_a_branch_is_said_from_its_result(tmp_path: Path, verdict: str, glyph: str) -> None:
    async with opened(tmp_path, (80, 24)) as (app, pilot, runner):
        made = branch(verdict)
        runner.answer = replace(made, run=replace(made.run, decisions=made.run.decisions[:2] + made.run.decisions[4:]))
        text = await press(app, pilot, "home", "right", "right", "c", "enter")
        assert f"lanes  {glyph} choice 3: bob in place of alice" in text
        assert f"{glyph} this run " in text.partition("\n")[0]
        shown = main_screen(app).known.shown
        assert shown is not None
        assert (shown.finding is not None) == (verdict == "contaminated")
        if shown.finding is None:
            assert main_screen(app).query_one(LanesView).cursor == 2, "where it parts from the run before"


async def test_the_tree_has_the_finding_and_its_passing_neighbour_from_the_start(tmp_path: Path) -> None:
    async with opened(tmp_path, (160, 45)) as (app, pilot, _):
        text = await press(app, pilot, "t")
        assert isinstance(app.screen, InterleavingsScreen)
        assert "2 requests: alice r1, bob r2" in text
        assert "alice ×3   then choice 4: alice, bob could run" in text
        assert "1 ●  1 ✗" in text
        assert "✗ finding 1  ◀ in the lanes" in text
        assert "● passes, one switch from finding 1" in text


async def test_a_run_is_named_and_enter_shows_it_in_the_lanes(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot, runner):
        await press(app, pilot, "t", "r")
        assert isinstance(app.screen, NameDialog)
        text = await press(app, pilot, *"[b]bad", "enter")
        assert "✗ [b]bad  finding 1" in text
        runs = {tried.origin: tried for group in main_screen(app).known.tried.groups for tried in group.tried}
        app.screen.dismiss(runs["passes, one switch from finding 1"])
        await settle(app, pilot)
        assert runner.jobs[-1].schedule == Schedule(("alice",) * 4 + ("bob",) * 4), "it had not been executed yet"
        assert main_screen(app).known.shown is runs["passes, one switch from finding 1"]
        text = await press(app, pilot, "t")
        assert "✗ [b]bad  finding 1" in text
        assert "finding 1  ◀ in the lanes" in text


async def test_enter_on_a_choice_that_nobody_made_runs_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot, runner):
        text = await press(app, pilot, "t", "l")
        assert "other choices on the way, not tried" in text or "not tried; enter runs it" in text
        await press(app, pilot, "j", "enter")
        assert isinstance(app.screen, MainScreen)
        assert runner.jobs[-1].action == "replay"
        assert runner.jobs[-1].schedule is not None


async def test_two_runs_stand_beside_each_other_from_where_they_part(tmp_path: Path) -> None:
    async with opened(tmp_path, (80, 24)) as (app, pilot, _):
        assert "one run only" in str(await press(app, pilot, "d")) or not isinstance(app.screen, ComparisonScreen)
        await press(app, pilot, "home", "right", "right", "right", "c", "enter")
        text = await press(app, pilot, "d")
        assert isinstance(app.screen, ComparisonScreen)
        assert "they part at choice 4" in text
        assert "bob goes on ✗ finding 1" in text
        assert any("≠    4" in line and "bob" in line and "alice" in line for line in screen_text(app))
        assert "You said: I am Alice Ferrante" in text
        assert "You said: I am alice" in text
        await press(app, pilot, "escape")
        assert isinstance(app.screen, MainScreen)


async def test_two_marked_runs_are_compared_from_the_tree(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot, _):
        await press(app, pilot, "home", "right", "right", "right", "c", "enter", "t")
        text = await press(app, pilot, "space")
        assert "▣ ● passes" in text
        await press(app, pilot, "k", "k", "k", "space", "d")
        for _ in range(3):
            if isinstance(app.screen, ComparisonScreen):
                break
            await press(app, pilot, "j", "space", "d")
        assert isinstance(app.screen, ComparisonScreen)


async def test_what_can_be_done_to_a_request_is_a_choice_like_another_lane(tmp_path: Path) -> None:
    async with opened(tmp_path, (160, 45)) as (app, pilot, runner):
        shown = main_screen(app).known.shown
        assert shown is not None
        third = replace(shown.decisions[2], enabled=("alice",), faults=("cancel", "fail"))
        shown.decisions = (*shown.decisions[:2], third, *shown.decisions[3:])
        text = await press(app, pilot, "home", "right", "right", "c")
        assert "✂ alice: its client goes away here   not tried" in text
        assert "✂ alice: its upstream call fails here   not tried" in text
        await press(app, pilot, "down", "enter")
        job = runner.jobs[-1]
        assert job.schedule == Schedule(("alice",) * 3, ((2, "fail"),))
        assert job.then == Schedule(("bob",) * 4 + ("alice",))
        made = main_screen(app).known.tried.groups[-1].tried[-1]
        assert made.verdict == "clean"


async def test_before_anything_was_executed_nothing_can_be_chosen(tmp_path: Path) -> None:
    from crosslane.replay.errors import HandlerError

    app = CrosslaneApp(session(tmp_path, StandIn(HandlerError("no such file"))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await press(app, pilot, "c")
        assert any("as it was recorded" in notification.message for notification in app._notifications)
        assert "nothing was executed yet" in await press(app, pilot, "t")


async def test_a_replay_that_crosses_is_shown_and_stands_in_the_tree(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot, runner):
        answer = branch("contaminated")
        runner.answer = answer
        await press(app, pilot, "r", "down", "down", "enter")
        shown = main_screen(app).known.shown
        assert shown is not None
        assert shown.verdict == "crossing"
        assert shown.run is answer.run
        assert "✗ serial  ◀ in the lanes" in await press(app, pilot, "t")
