"""Breakpoints: what can be written, which rows they hit, and the keys that go from one to the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.run import Event, Run
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.breakpoints import NotABreakpoint, parse, rows
from crosslane.tui.screens.breakpoints import BreakpointsScreen
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.widgets.lanes import LanesView
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


@pytest.mark.parametrize("size", SIZES)
async def test_a_breakpoint_is_set_continued_to_both_ways_and_removed(tmp_path: Path, size: tuple[int, int]) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=size) as pilot:
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
        assert [known.text for known in main.breakpoints] == ["~ [b]okafor", "await alice 1"]
