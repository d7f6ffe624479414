"""The inspector of a row: every tab says what the run knows, marks what is foreign, and runs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay.report import Result
from crosslane.replay.run import Outcome, Run
from crosslane.replay.sight import Change, Frame, Sight
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.breakpoints import parse, rows
from crosslane.tui.inspection import changed
from crosslane.tui.owners import Owners
from crosslane.tui.screens.inspector import Inspector
from crosslane.tui.widgets.lanes import LanesView
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import TabbedContent

from .stand_ins import StandIn, result, run_of, screen_text, session, settle, trace

SIZES = [(80, 24), (160, 45)]
EVIL = "[bold]x[/bold]\x1b[2J\u202e"


def seen() -> Sight:
    texts = ("'alice'", "['I am Alice Ferrante']", "[]", "'bob'", EVIL)
    frames = (Frame("handle", "agent.py:5", (("user", 0), ("context", 1))), Frame("handle", "agent.py:6", (("user", 3), ("context", 1), ("evil", 4))))  # fmt: skip
    changes = (Change(2, "alice", "agent.context", "module global", 2, 1), Change(5, "bob", "agent.last", "module global", 0, 3))  # fmt: skip
    return Sight(
        texts, frames, ((0,), (1, 0)), (-1, 0, 0, -1, 1, 1, 1, 0), changes, "values late in the run were not kept"
    )


def looked_at() -> Result:
    """The stand-in's finding, with a sight, calls to an upstream and logs."""
    made = result()
    outcomes = tuple(
        replace(o, logs=(("agent", f"served {o.lane}, not Ferrante"),), upstream=(("complete", {"messages": ["I am Alice Ferrante"]}),))
        for o in made.run.outcomes
    )  # fmt: skip
    run = replace(made.run, sight=seen(), outcomes=outcomes)
    alone = {
        lane: Run((lane,), (), (), (Outcome(f"r{n}", lane, f"s{n}", None, (), f"You said: I am {who}"),))
        for n, (lane, who) in enumerate((("alice", "Alice Ferrante"), ("bob", "Bob Okafor")), 1)
    }
    return replace(made, run=run, findings=(replace(made.findings[0], run=run),), solo=alone)


async def test_every_tab_says_what_there_is_to_see_at_the_row(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(looked_at())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("i")
        await settle(app, pilot)
        assert isinstance(app.screen, Inspector)
        shown: dict[str, str] = {}
        for name in ("request", "response", "stack", "state", "upstream", "logs"):
            app.screen.query_one(TabbedContent).active = name
            await settle(app, pilot)
            shown[name] = "\n".join(screen_text(app))
        said = {
            "request": ["r2  session s2  user bob", "I am Bob Okafor"],
            "response": ["recorded", "alone"],
            "stack": ["▶ handle  agent.py:6", "▶    6      return await complete(context)", "user = 'bob'", "⟨202E⟩"],
            "state": ["◆ agent.last", "written by bob in this step", "before  'alice'", "agent.context"],
            "upstream": ["sent in this run: 1", "complete", "marked: alice's", "recorded: 0"],
            "logs": ["agent  served bob, not Ferrante", "printed by bob"],
        }
        # The row of the crossing is in step 7; what step 5 changed is no news there.
        said["state"] = ["agent.last", "written by bob in step 5", "written by alice in step 2; holds alice's data"]
        for name, texts in said.items():
            for text in texts:
                assert text in shown[name], (name, text)
        line = next(line for line in shown["response"].splitlines() if "recorded" in line and "alone" in line)
        assert "this run  ≠ alone" in line, "beside each other"
        assert "marked: alice's, foreign to bob" in shown["response"]
        await pilot.press("escape")
        await settle(app, pilot)
        assert not isinstance(app.screen, Inspector)


async def test_the_state_of_a_row_marks_what_its_step_changed(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(looked_at())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("home", "right", "i")
        await settle(app, pilot)
        app.screen.query_one(TabbedContent).active = "state"
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "◆ agent.context  module global" in text
        assert "before  []" in text
        assert "now     ['I am Alice Ferrante']" in text
        assert "written by alice in this step; holds alice's data" in text
        assert "agent.last" not in text, "that is written later"
        await pilot.press("left_square_bracket")
        await settle(app, pilot)
        assert app.screen.query_one(TabbedContent).active == "stack"


async def test_recorded_traffic_has_no_stack_and_says_how_to_get_one(tmp_path: Path) -> None:
    from crosslane.replay.errors import HandlerError

    app = CrosslaneApp(session(tmp_path, StandIn(HandlerError("no such file"))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("i")
        await settle(app, pilot)
        for name in ("stack", "state"):
            app.screen.query_one(TabbedContent).active = name
            await settle(app, pilot)
            assert "r replays it" in "\n".join(screen_text(app))


@given(st.text("ab \n", max_size=200), st.text("ab \n", max_size=200))
def test_what_is_marked_as_changed_is_all_that_has_to_go_to_leave_what_was_there(before: str, after: str) -> None:
    spans = changed(before, after)
    assert all(0 <= low < high <= len(after) for low, high in spans)
    kept = "".join(
        after[low:high]
        for low, high in zip([0, *(high for _, high in spans)], [*(low for low, _ in spans), len(after)], strict=True)
    )
    rest = iter(before)
    assert all(character in rest for character in kept), "what is not marked stands in the other, in its order"


def test_a_value_is_somebodys_only_if_no_other_lane_has_it() -> None:
    asked = {exchange.request.user or "": [exchange.request] for exchange in trace().exchanges}
    owners = Owners(asked, {})
    assert owners.of("Ferrante and Okafor, I am") == {"alice": {"ferrante"}, "bob": {"okafor"}}
    assert owners.foreign("bob", "Ferrante and Okafor") == {"alice": {"ferrante"}}
    assert owners.foreign("bob", "nothing of anybody's") == {}


def test_a_breakpoint_on_a_shared_variable_hits_the_step_that_wrote_it() -> None:
    run = replace(run_of(), sight=seen())
    assert rows([parse("last == bob")], run) == [4]
    assert rows([parse("agent.last ~ BOB")], run) == [4]
    assert rows([parse("context ~ ferrante")], run) == [1, 4]
    assert rows([parse("last == alice")], run) == []


async def test_a_row_of_the_view_alone_is_inspected_as_the_row_that_is_shown(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(observed_alone())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("v", "i")
        await settle(app, pilot)
        shown = await every_tab(app, pilot)
        assert "row 4  bob  response  alone" in shown["response"]
        assert "r2  session s2  user bob" in shown["request"]
        assert "who = 'bob, alone'" in shown["stack"]
        assert "agent.alone_only" in shown["state"]
        assert "agent.last" not in shown["state"], "that belongs to the run, not to bob alone"
        assert "sent alone: 0" in shown["upstream"]
        assert "bob alone" in shown["logs"]
        assert "served bob, not Ferrante" not in shown["logs"]


async def test_a_row_of_the_recorded_view_is_inspected_as_the_row_that_is_shown(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(looked_at())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("v", "v")
        await settle(app, pilot)
        row = app.screen.query_one(LanesView).cursor
        await pilot.press("i")
        await settle(app, pilot)
        shown = await every_tab(app, pilot)
        assert f"row {row + 1}  bob  response  recorded" in shown["response"]
        assert "r2  session s2  user bob" in shown["request"]
        assert "r replays it" in shown["stack"]
        assert "sent in this run" not in shown["upstream"]
        assert "served" not in shown["logs"]


@pytest.mark.parametrize("size", [(40, 30), (160, 45)])
async def test_what_was_recorded_stands_beside_a_finding_of_fewer_requests(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(looked_at())))
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        await pilot.press("i")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "recorded I am Bob Okafor" in text
        assert "(nothing)" not in text


async def every_tab(app: CrosslaneApp, pilot: Pilot[None]) -> dict[str, str]:
    assert isinstance(app.screen, Inspector)
    shown: dict[str, str] = {}
    for name in ("request", "response", "stack", "state", "upstream", "logs"):
        app.screen.query_one(TabbedContent).active = name
        await settle(app, pilot)
        shown[name] = "\n".join(screen_text(app))
    return shown


def observed_alone() -> Result:
    """The same, with solo runs that were observed: bob's rows come before alice's."""
    made = looked_at()
    alone: dict[str, Run] = {}
    for lane in ("alice", "bob"):
        own = tuple(event for event in made.run.events if event.lane == lane)
        own = tuple(replace(event, seq=n, step=n) for n, event in enumerate(own, 1))
        frames = (Frame("handle", "agent.py:6", (("who", 0),)),)
        changes = (Change(1, lane, "agent.alone_only", "module global", 0, 0),)
        sight = Sight((f"'{lane}, alone'",), frames, ((0,),), (0,) * len(own), changes, "")
        outcome = replace(made.solo[lane].outcomes[0], output=f"{lane} alone")
        alone[lane] = Run((lane,), (), own, (outcome,), sight=sight)
    return replace(made, solo=alone)
