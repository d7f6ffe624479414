"""The lanes by themselves, at both sizes: which of them are shown, in what order, and what the mouse does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay.report import Finding
from crosslane.replay.run import Event, Run
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.emphasis import PLAIN, Emphasis
from crosslane.tui.grid import Grid, lay_out
from crosslane.tui.themes import THEMES
from crosslane.tui.widgets.lanes import LanesView
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult
from textual.color import Color
from textual.pilot import Pilot

from .stand_ins import StandIn, result, screen_text, session, settle
from .test_palette import contrast

SIZES = [(80, 24), (160, 45)]


class Alone(App[None]):
    """Nothing but the lanes."""

    CSS_PATH = "../../tui/main.tcss"

    def __init__(self, grid: Grid, evidence: str = "") -> None:
        super().__init__()
        self.grid = grid
        self.emphasis = Emphasis(evidence)

    def compose(self) -> ComposeResult:
        yield LanesView()

    def on_mount(self) -> None:
        lanes = self.query_one(LanesView)
        lanes.show(self.grid, self.emphasis, self.grid.sink_row or 0)
        lanes.focus()


@asynccontextmanager
async def shown(
    grid: Grid, size: tuple[int, int] = (160, 45), evidence: str = ""
) -> AsyncIterator[tuple[LanesView, Pilot[None]]]:
    app = Alone(grid, evidence)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app.query_one(LanesView), pilot


def finding(between: int = 6) -> Finding:
    """The usual crossing from alice to bob, in a run with other lanes, u0 and so on, which wait in every second row."""
    made = result().findings[0]
    lanes = tuple(f"u{n}" for n in range(between))
    events: list[Event] = []
    for event in made.run.events:
        events.append(event)
        if lanes:
            lane = lanes[len(events) // 2 % between]
            events.append(Event(0, 0, lane, f"s-{lane}", f"r-{lane}", "await", "", "agent.py:6", "await call()"))
    numbered = tuple(replace(event, seq=seq, step=seq) for seq, event in enumerate(events, 1))
    run = Run((*lanes, "bob", "alice"), (), numbered, made.run.outcomes)
    scale = 2 if lanes else 1
    return replace(made, run=run, write_seq=scale + 1, read_seq=4 * scale + 1, sink_seq=6 * scale + 1)


def grid_of(between: int = 6) -> Grid:
    found = finding(between)
    return lay_out(found.run, found)


def lines(pilot: Pilot[None]) -> list[str]:
    return screen_text(pilot.app)


def headings(pilot: Pilot[None]) -> list[str]:
    """The names over the columns, from left to right."""
    words = lines(pilot)[1].replace("▸ ", "").replace("⇤ ", "").strip("│ ").split()
    return [word for word in words[1:] if not word.startswith("s") and word != "│"]


async def press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_the_lanes_of_the_finding_come_first_and_the_rest_scroll_sideways(size: tuple[int, int]) -> None:
    async with shown(grid_of(9), size) as (_, pilot):
        first = headings(pilot)
        assert first[:2] == ["alice", "bob"]
        await press(pilot, "right_square_bracket")
        assert headings(pilot)[0] == "bob"
        await press(pilot, *["right_square_bracket"] * 12)
        assert headings(pilot)[-1] == "u8"
        assert len(headings(pilot)) == len(first), "no column stays empty"
        await press(pilot, *["left_square_bracket"] * 12)
        assert headings(pilot) == first


@pytest.mark.parametrize("size", SIZES)
async def test_a_pinned_lane_stays_while_the_others_scroll(size: tuple[int, int]) -> None:
    async with shown(grid_of(9), size) as (_, pilot):
        await press(pilot, "home", "p")
        await press(pilot, *["right_square_bracket"] * 20)
        assert headings(pilot)[0] == "alice"
        assert headings(pilot)[-1] == "u8"
        assert "⇤ alice" in lines(pilot)[1]
        await press(pilot, "p")
        assert "⇤" not in lines(pilot)[1]


async def test_a_hidden_lane_goes_with_its_rows_and_comes_back() -> None:
    async with shown(grid_of(2)) as (lanes, pilot):
        await press(pilot, "home", "right")
        hidden = headings(pilot)[lanes.lane]
        before = len([line for line in lines(pilot) if "◇" in line])
        await press(pilot, "H")
        assert hidden not in headings(pilot)
        assert len([line for line in lines(pilot) if "◇" in line]) < before
        assert lanes.cursor == 2, "the cursor goes on to the next row that is shown"
        await press(pilot, "Z")
        assert hidden in headings(pilot)
        assert len([line for line in lines(pilot) if "◇" in line]) == before


async def test_the_last_lane_cannot_be_hidden() -> None:
    async with shown(grid_of(0)) as (_, pilot):
        await press(pilot, "H", "H", "H")
        assert len(headings(pilot)) == 1
        assert any("Z shows all" in note.message for note in pilot.app._notifications)


async def test_the_lanes_of_the_finding_alone_and_all_again() -> None:
    async with shown(grid_of(6)) as (_, pilot):
        everything = headings(pilot)
        await press(pilot, "z")
        assert headings(pilot) == ["alice", "bob"]
        steps = [line for line in lines(pilot)[2:] if line.strip("│▌ ")[:1].isdigit()]
        assert len(steps) == 8, "the rows of the others are gone"
        await press(pilot, "z")
        assert headings(pilot) == everything


async def test_without_a_finding_there_are_no_lanes_of_it() -> None:
    async with shown(lay_out(finding().run, None)) as (_, pilot):
        await press(pilot, "z")
        assert any("no finding" in note.message for note in pilot.app._notifications)


@pytest.mark.parametrize(("right", "left"), [("shift+right", "shift+left"), ("greater_than_sign", "less_than_sign")])
async def test_a_lane_is_moved_past_its_neighbours(right: str, left: str) -> None:
    async with shown(grid_of(2)) as (_, pilot):
        await press(pilot, "home", right)
        assert headings(pilot) == ["bob", "alice", "u0", "u1"]
        await press(pilot, right, right, right)
        assert headings(pilot) == ["bob", "u0", "u1", "alice"]
        await press(pilot, left)
        assert headings(pilot) == ["bob", "u0", "alice", "u1"]


async def test_an_arrangement_stays_when_another_run_is_shown() -> None:
    async with shown(grid_of(4)) as (lanes, pilot):
        await press(pilot, "home", "right", "H", "end", "p")
        before = headings(pilot)
        lanes.show(grid_of(4), PLAIN, 0)
        await pilot.pause()
        assert headings(pilot) == before


async def test_a_crossing_in_a_hidden_lane_is_shown_when_it_is_asked_for() -> None:
    async with shown(grid_of(2)) as (lanes, pilot):
        await press(pilot, "H")
        assert "bob" not in headings(pilot)
        assert lanes._grid is not None
        assert lanes._grid.sink_row is not None
        lanes.cursor = lanes._grid.sink_row
        await pilot.pause()
        assert "bob" in headings(pilot)


async def test_in_every_theme_the_crossing_under_the_cursor_is_nearly_as_legible_as_elsewhere(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        for theme in (*(own.name for own in THEMES), "textual-dark", "textual-light", "nord", "dracula", "ansi-dark"):
            app.theme = theme
            await pilot.pause()
            assert any("▌" in line and "✗" in line for line in lines(pilot)), (
                "the bar marks the row whatever the colours"
            )
            strip = next(strip for strip in app.screen._compositor.render_strips() if "✗ You" in strip.text)
            style = next(segment.style for segment in strip if "✗ You" in segment.text)
            page = app.screen.query_one(LanesView).background_colors[1]
            assert style is not None
            if page.ansi is not None or style.color is None or style.bgcolor is None or style.bgcolor.is_default:
                continue  # the terminal's own colours
            front, back = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
            assert contrast(front, back) >= 0.75 * contrast(front, page), theme
            assert back != page, theme


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_selects_a_row_or_a_lane_by_its_heading(size: tuple[int, int]) -> None:
    async with shown(grid_of(2), size) as (lanes, pilot):
        await pilot.click(LanesView, offset=(10, 4))
        await pilot.pause()
        assert lanes.cursor == 2
        heading = lines(pilot)[1]
        await pilot.click(LanesView, offset=(heading.index("bob"), 1))
        await pilot.pause()
        assert lanes.cursor == 2
        assert "▸ bob" in lines(pilot)[1]
        await press(pilot, "H")
        assert "bob" not in headings(pilot)


async def test_the_wheel_scrolls_and_the_heading_stays() -> None:
    events = tuple(Event(n, n, f"u{n % 3}", "s", "r", "await", "", "a.py:1", "await x") for n in range(1, 400))
    grid = lay_out(Run(("u0", "u1", "u2"), (), events, ()), None)
    async with shown(grid, (80, 24)) as (lanes, pilot):
        heading = lines(pilot)[1]
        lanes.scroll_to(y=50, animate=False)
        await pilot.pause()
        assert lines(pilot)[1][:60] == heading[:60]
        assert lines(pilot)[2].split()[1] == "51"
        await pilot.click(LanesView, offset=(10, 2))
        assert lanes.cursor == 50


KEYS = st.lists(
    st.sampled_from(["p", "H", "z", "Z", ">", "<"]).flatmap(lambda key: st.tuples(st.just(key), st.integers(0, 5))),
    max_size=25,
)


@given(KEYS)
def test_whatever_is_arranged_every_lane_is_shown_once_or_hidden_and_pinned_ones_stand_first(
    keys: list[tuple[str, int]],
) -> None:
    from crosslane.tui.arrangement import Arrangement

    lanes = tuple("abcdef")
    arrangement = Arrangement()
    for key, number in keys:
        columns = arrangement.columns(lanes, ("a", "b"))
        lane = lanes[columns[number % len(columns)]]
        match key:
            case "p":
                arrangement = arrangement.pin(lane)
            case "H" if len(columns) > 1:
                arrangement = arrangement.hide(lane)
            case "z":
                arrangement = arrangement.involved_only()
            case "Z":
                arrangement = arrangement.show_all()
            case "<" | ">":
                names = tuple(lanes[column] for column in columns)
                arrangement = arrangement.move(lane, 1 if key == ">" else -1, lanes, names)
            case _:
                pass
        shown_now = arrangement.columns(lanes, ("a", "b"))
        names = [lanes[column] for column in shown_now]
        assert shown_now
        assert len(set(names)) == len(names)
        assert sorted(arrangement.sequence(lanes)) == sorted(lanes)
        pins = [name in arrangement.pinned for name in names]
        assert pins == sorted(pins, reverse=True)
        if not arrangement.hidden and not arrangement.only_involved:
            assert len(names) == len(lanes)
