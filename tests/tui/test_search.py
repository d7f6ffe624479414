"""Searching the lanes: what is typed is found, highlighted and gone through, and nothing else is in its way."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from crosslane.replay.report import Result
from crosslane.replay.run import Event, Run
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.emphasis import Emphasis
from crosslane.tui.grid import lay_out
from crosslane.tui.rows import row
from crosslane.tui.screens.findings import FindingsScreen
from crosslane.tui.screens.inspector import Inspector
from crosslane.tui.screens.interleavings import InterleavingsScreen
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.search import CHUNK, first_match, ways
from crosslane.tui.widgets.lanes import LanesView
from crosslane.tui.widgets.lanes_panel import LanesPanel
from crosslane.tui.widgets.run_tree import RunTree
from crosslane.tui.widgets.search_line import ListSearch
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from .stand_ins import StandIn, result, screen_text, session, settle
from .test_findings import several
from .test_stepping import with_choices

SIZES = [(80, 24), (160, 45)]


@given(st.integers(0, 3 * CHUNK), st.integers(-1, 3 * CHUNK), st.sampled_from([1, -1]))
def test_every_place_is_looked_at_once_the_first_one_first(count: int, start: int, by: int) -> None:
    pieces = list(ways(count, start, by))
    places = [place for piece in pieces for place in piece]
    assert sorted(places) == list(range(count))
    assert all(len(piece) <= CHUNK for piece in pieces)
    if count:
        assert places[0] == start % count
        assert all((after - before) % count == by % count for before, after in itertools.pairwise(places))


@pytest.mark.parametrize("query", ["FERRANTE", "you said", "[b", "\x1b[31m", ".*"])
def test_the_search_knows_no_case_and_no_patterns(query: str) -> None:
    texts = ("nothing", "You said: FerRante", "a.*b \x1b[31m [b]", "nothing")
    events = tuple(Event(n, n, "bob", "s", "r", "response", text) for n, text in enumerate(texts, 1))
    grid = lay_out(Run(("bob",), (), events, ()), None)
    found = first_match(grid, range(4), range(4), Emphasis(query=query))
    assert found == (1 if query in ("FERRANTE", "you said") else 2)


@pytest.mark.parametrize("width", [12, 24, 60])
@pytest.mark.parametrize("query", ["context", "await", "alice", "bob", "Ferrante", "said", "cache"])
def test_in_every_row_that_is_found_what_is_searched_for_is_highlighted_wherever_it_has_room(
    query: str, width: int
) -> None:
    finding = result().findings[0]
    job = Event(9, 9, "cache refresher", "", "", "await", "", "agent.py:1", "await alice()")
    run = replace(finding.run, events=(*finding.run.events[:3], job, *finding.run.events[3:]))
    finding = replace(finding, run=run, read_seq=6, sink_seq=8)
    grid = lay_out(run, finding)
    for index in range(len(run.events)):
        found = first_match(grid, range(9), range(index, index + 1), Emphasis(query=query)) is not None
        pieces = row(grid, index, range(2), width, Emphasis("Alice Ferrante", query=query))
        marked = [piece.text for piece in pieces if piece.role == "match"]
        assert found or not marked
        if width == 60 and found and index != grid.sink_row:
            assert [text.casefold() for text in marked] == [query.casefold()]


def many(rows: int) -> Result:
    events = tuple(
        Event(n, n, f"u{n % 4}", "s", "r", "output", "needle" if n in (5, rows - 2) else "hay") for n in range(1, rows)
    )
    run = Run(tuple(f"u{n}" for n in range(4)), (), events, ())
    made = result("clean")
    return replace(made, run=run, solo={})


def line(pilot: Pilot[None]) -> str:
    """The line below the lanes, when it is shown."""
    return next((text for text in screen_text(pilot.app) if text.lstrip().startswith("/")), "")


async def type_in(pilot: Pilot[None], text: str) -> None:
    await pilot.press("slash")
    await pilot.pause()
    await pilot.press(*text)
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await pilot.pause()
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


async def test_a_search_finds_while_it_is_typed_goes_on_with_n_and_is_ended_by_escape(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(many(6_000))))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        lanes = app.screen.query_one(LanesView)
        assert line(pilot) == ""
        await type_in(pilot, "NEED")
        assert lanes.cursor == 4
        assert "enter keeps it" in line(pilot)
        await press(pilot, "enter")
        assert lanes.has_focus
        assert "n next" in line(pilot)
        await press(pilot, "n")
        assert lanes.cursor == 5_997
        await press(pilot, "n")
        assert lanes.cursor == 4
        assert "from the top again" in line(pilot)
        await press(pilot, "N")
        assert lanes.cursor == 5_997
        assert "from the end again" in line(pilot)
        await press(pilot, "escape")
        assert line(pilot) == ""
        assert lanes.cursor == 5_997
        await press(pilot, "n")
        assert any("no crossing was found" in note.message for note in app._notifications)


async def test_escape_while_typing_goes_back_to_where_the_search_began(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(many(300))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        lanes = app.screen.query_one(LanesView)
        await press(pilot, "right", "right", "right", "right", "right", "right")
        await type_in(pilot, "needle")
        assert lanes.cursor == 297
        await press(pilot, "escape")
        assert lanes.cursor == 6
        assert lanes.has_focus


async def test_what_is_nowhere_is_said_to_be_nowhere_and_the_cursor_stays(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(many(300))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await type_in(pilot, "pin")
        assert "not in the lanes that are shown" in line(pilot)
        assert app.screen.query_one(LanesView).cursor == 0


async def test_hidden_lanes_are_not_searched(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(many(300))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        lanes = app.screen.query_one(LanesView)
        await type_in(pilot, "needle")
        await press(pilot, "enter", "H", "n")
        assert lanes.cursor == 297
        await press(pilot, "n")
        assert lanes.cursor == 297
        assert "the only one" in line(pilot)


async def test_a_search_stays_with_the_lanes_when_another_run_is_shown(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        lanes = app.screen.query_one(LanesView)
        await type_in(pilot, "okafor")
        assert lanes.cursor == 3
        await press(pilot, "enter", "v")
        assert app.screen.query_one(LanesPanel).active
        await press(pilot, "n")
        assert "Okafor" in next(text for text in screen_text(app) if "▌" in text)
        await press(pilot, "escape", "v", "n")
        assert "✗" in next(text for text in screen_text(app) if "▌" in text)


async def test_an_empty_search_that_is_entered_is_no_search(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await type_in(pilot, "")
        await press(pilot, "enter")
        assert line(pilot) == ""
        assert app.screen.query_one(LanesView).has_focus


async def test_the_keys_work_while_rows_are_looked_at_and_a_search_can_be_changed_or_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(many(300))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        lanes, panel = app.screen.query_one(LanesView), app.screen.query_one(LanesPanel)

        def looking() -> bool:
            return any(worker.node is panel and worker.is_running for worker in app.workers)

        with monkeypatch.context() as patch:
            never = SimpleNamespace(sleep=lambda _: asyncio.Event().wait())  # what stands between two of its parts
            patch.setattr("crosslane.tui.widgets.lanes_panel.asyncio", never)
            await pilot.press("slash", "x")
            await pilot.press("enter")
            await pilot.pause()
            assert looking()
            await pilot.press("right", "right")
            await pilot.pause()
            assert lanes.cursor == 2
            await pilot.press("escape")
            await pilot.pause()
            assert not looking()
            await pilot.press("slash", "x")
            await pilot.pause()
            assert looking()
        await pilot.press("backspace", *"needle")
        await press(pilot)
        assert not looking()
        assert app.screen.query_one(Input).value == "needle"
        assert lanes.cursor == 4


# ---- the same line elsewhere


async def test_the_findings_the_interleavings_and_the_inspector_are_searched_by_the_same_keys(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(with_choices(several()))))

    def said() -> str:
        line = app.screen.query_one("#search-said", Static)
        return str(line.content)

    async with app.run_test(size=(160, 45)) as pilot:

        async def press(*keys: str) -> None:
            for key in keys:
                await pilot.press(key)
                await settle(app, pilot)

        await settle(app, pilot)
        await press("a")
        table = app.screen.query_one(DataTable)
        await press("home", "slash", *"ALIC", "enter")
        first = table.cursor_row
        await press("n")
        second = table.cursor_row
        assert second != first
        await press("N")
        assert table.cursor_row == first
        await press("slash", *"zzz")
        assert "not here" in said()
        await press("escape")
        assert isinstance(app.screen, FindingsScreen), "the first escape ends the search"
        assert not app.screen.query_one(ListSearch).active
        await press("slash", *"rate", "enter", "escape", "escape", "t")

        assert isinstance(app.screen, InterleavingsScreen)
        tree = app.screen.query_one(RunTree)
        await press("slash", *"ne", "space", *"sw", "enter")
        assert tree.cursor_node is not None
        assert "one switch from finding" in str(tree.cursor_node.label)
        await press("escape", "escape", "i")

        assert isinstance(app.screen, Inspector)
        await press("slash", *"FERR", "enter", "n")
        shown = app.screen.query_one("#response").query(Static)
        marked = [span for static in shown for span in getattr(static.content, "spans", []) if span.style == "reverse"]
        assert marked
        await press("escape")
        left = [span for static in shown for span in getattr(static.content, "spans", []) if span.style == "reverse"]
        assert not left
        await press("n")
        assert any("nothing is searched for" in notification.message for notification in app._notifications)
        await press("escape")
        assert isinstance(app.screen, MainScreen)
