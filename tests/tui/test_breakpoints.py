"""Breakpoints: what can be written, which rows they hit, and the keys that go from one to the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.run import Event, Run
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.breakpoints import NotABreakpoint, parse, rows, stops, toggled
from crosslane.tui.screens.breakpoints import BreakpointsScreen
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.widgets.lanes import LanesView
from crosslane.tui.widgets.source import SourcePanel
from hypothesis import given
from hypothesis import strategies as st
from textual.widgets import Input

from .stand_ins import StandIn, result, run_of, screen_text, session, settle

SIZES = [(80, 24), (160, 45)]


def hits(text: str, run: Run | None = None) -> list[int]:
    return rows([parse(text)], run or run_of())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("agent.py:6", [2, 4, 5, 6, 7]),
        ("gent.py:6", []),
        ("agent.py:66", []),
        ("await", [2]),
        ("await alice", [2]),
        ("await alice 1", [2]),
        ("await alice 2", []),
        ("await bob", []),
        ("request", [0, 3]),
        ("request r2", [3]),
        ("request bob 1", [3]),
        ("request bob 2", []),
        ("~ OKAFOR", [3]),
        ("context ~ ferrante", [1, 4]),
        ("agent.context == I am Alice Ferrante", [1, 4]),
        ('context == "I am Alice Ferrante"', [1, 4]),
        ("context != 3", [1, 4]),
        ("ontext == I am Alice Ferrante", []),
        ("kind == output", [5]),
        ("lane == bob", [3, 4, 5, 6]),
        ("text ~ printed", [5]),
        ("status == 200", []),
    ],
)
def test_a_breakpoint_hits_the_rows_that_it_says(text: str, expected: list[int]) -> None:
    assert hits(text) == expected


def test_values_are_compared_by_what_they_mean() -> None:
    run = Run(("a",), (), (Event(1, 1, "a", "s", "r", "write", '{"n": [1, 2]}', carrier="app.held", status=200),), ())
    assert hits('held == {"n":[1,2.0]}', run) == [0]
    assert hits("status == 200", run) == [0]
    assert hits("held == {'n': [1, 2]}", run) == []
    assert hits("held != 2", run) == [0]


@pytest.mark.parametrize("text", ["", "  ", "hello", "== 3", "await bob 0", "app.py:", ":3"])
def test_what_is_no_breakpoint_is_refused_with_what_would_be_one(text: str) -> None:
    with pytest.raises(NotABreakpoint, match=r"app\.py:14|context|first one"):
        parse(text)


@given(st.text(max_size=60))
def test_anything_that_is_typed_is_a_breakpoint_or_is_refused(text: str) -> None:
    try:
        found = parse(text)
    except NotABreakpoint:
        return
    assert all(0 <= row < 8 for row in rows([found], run_of()))


@given(st.sampled_from(["__import__('os').abort()", "[x for x in ()]", "1/0", "lambda: 0"]))
def test_no_value_is_ever_evaluated(code: str) -> None:
    assert hits(f"context == {code}") == []


async def test_a_breakpoint_is_set_continued_to_both_ways_and_removed(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        main = app.screen
        assert isinstance(main, MainScreen)
        lanes = main.query_one(LanesView)
        await pilot.press("f")
        assert any("b sets one" in notification.message for notification in app._notifications)
        await pilot.press("home", "right", "b")
        await settle(app, pilot)
        assert isinstance(app.screen, BreakpointsScreen)
        assert app.screen.query_one(Input).value == "agent.py:5"
        await pilot.press("enter")
        app.screen.query_one(Input).value = "nothing at all"
        await pilot.press("enter")
        await settle(app, pilot)
        text = "\n".join(screen_text(app))
        assert "agent.py:5   1 row" in text
        assert "nothing at all is no breakpoint" in text
        app.screen.query_one(Input).value = "~ [b]okafor"
        await pilot.press("enter")
        app.screen.query_one(Input).value = "await alice 1"
        await pilot.press("enter", "escape")
        await settle(app, pilot)
        assert "3 breakpoints" in "\n".join(screen_text(app))
        stops: list[int] = []
        for key in ("end", "F", "F", "F", "f", "f"):
            await pilot.press(key)
            await settle(app, pilot)
            stops.append(lanes.cursor)
        assert stops == [7, 2, 1, 1, 2, 2]
        await pilot.press("b", "up", "x", "escape")
        await settle(app, pilot)
        assert [known.text for known in main.panels.breakpoints] == ["~ [b]okafor", "await alice 1"]


def test_the_source_says_of_each_line_what_stops_there() -> None:
    set_ = [parse(text) for text in ("agent.py:5", "agent.py:3", "await alice 1", "~ okafor", "other.py:9")]
    found = stops(set_, run_of())
    assert found.rows == (1, 2, 3)
    assert found.lines("agent.py") == {5: "1 row", 3: "no row of this run", 6: "await alice 1"}
    assert found.lines("src/agent.py") == {5: "1 row", 3: "no row of this run"}
    assert found.lines("gent.py") == {}


def test_a_line_is_toggled_by_its_whole_name_and_other_breakpoints_stay() -> None:
    others = (parse("await bob"), parse("agent.py:6"))
    on = toggled(others, "agent.py", 5)
    assert [known.text for known in on] == ["await bob", "agent.py:6", "agent.py:5"]
    assert toggled(on, "agent.py", 5) == others
    assert toggled((), "a ~ b.py", 3)[0].kind == "line"


@pytest.mark.parametrize("size", SIZES)
async def test_in_the_source_a_key_sets_a_breakpoint_on_the_line_of_its_cursor(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))

    def marked() -> list[str]:
        return [line[line.index("◉") :].split("◉")[1].split()[0] for line in screen_text(app) if "◉" in line]

    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        main = app.screen
        assert isinstance(main, MainScreen)
        if size == SIZES[0]:
            await pilot.press("enter")
        main.query_one(SourcePanel).focus()
        await pilot.press("k", "b")
        await settle(app, pilot)
        assert [known.text for known in main.panels.breakpoints] == ["agent.py:5"]
        assert marked() == ["5"]
        assert "1 breakpoint" in "\n".join(screen_text(app))
        await pilot.press("G", "b", "g", "b", "up", "b")
        await settle(app, pilot)
        assert [known.text for known in main.panels.breakpoints] == ["agent.py:5", "agent.py:6"]
        main.query_one(LanesView).focus()
        await pilot.press("home", "f")
        await settle(app, pilot)
        assert main.query_one(LanesView).cursor == 1
        assert marked() == ["5", "6"]
