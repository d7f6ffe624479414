"""The crossing's line in the lanes, wherever its ends stand, and names that do not wish the terminal well."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from crosslane.replay.report import Finding
from crosslane.tui.emphasis import Emphasis, foreign_values
from crosslane.tui.grid import lay_out
from crosslane.tui.rows import STEP_WIDTH, heading, row
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from .test_lanes import finding

ALICE, BOB = 0, 1


def drawn(columns: tuple[int, ...], width: int = 24, of: Finding | None = None) -> list[str]:
    """The rows from the write to the read, with these lanes beside each other, without the steps."""
    found = of or finding(3)
    grid = lay_out(found.run, found)
    assert grid.line is not None
    start, end = grid.line
    return [
        "".join(piece.text for piece in row(grid, n, columns, width))[STEP_WIDTH:].rstrip()
        for n in range(start, end + 1)
    ]


def test_the_line_goes_through_the_lanes_in_between_with_the_carriers_name_and_bends_beside_its_end() -> None:
    first, *between, last = drawn((ALICE, 2, 3, BOB))
    assert first.startswith("◆ write context ")
    assert first.count("━━ context ━") == 2
    assert first.endswith("━┓ ·")
    bend = first.index("┓")
    assert all(line[bend] == "┃" for line in between)
    assert last[bend : bend + 3] == "┗━▶"
    assert last[bend + 2 :].startswith("▶ read context")
    assert "━" not in last[:bend], "only one of its ends goes through the others"


def test_the_line_runs_backwards_when_the_reading_lane_stands_to_the_left() -> None:
    first, *between, last = drawn((BOB, 2, ALICE))
    bend = first.index("┏━◆ write context")
    assert "━" not in first[:bend]
    assert all(line.ljust(bend + 1)[bend] == "┃" for line in between)
    assert last.startswith("▷ read context ◀━")
    assert last.index("┛") == bend, "on the way it carries the carrier's name"
    assert "━━ context ━" in last


@pytest.mark.parametrize("columns", [(ALICE, 2), (ALICE,), (2, ALICE, 3)])
def test_where_the_reading_lane_is_hidden_the_write_says_where_the_line_goes(columns: tuple[int, ...]) -> None:
    first, *_, last = drawn(columns)
    assert "◆ write context ━▶ bob" in first
    assert not set("┓┏┃┗┛▶") & set(last)


def test_where_the_writing_lane_is_hidden_the_read_says_where_the_line_comes_from() -> None:
    first, *_, last = drawn((BOB, 2))
    assert "━" not in first
    assert "▶ read context ◀━ alice" in last


def test_where_both_are_hidden_there_is_no_line() -> None:
    assert not set("━┓┏┃┗┛") & set("".join(drawn((2, 3))))


@pytest.mark.parametrize("width", [8, 24, 60])
def test_whatever_the_order_of_the_lanes_every_row_of_the_line_has_the_width_of_the_others(width: int) -> None:
    found = finding(2)
    grid = lay_out(found.run, found)
    for count in range(1, 5):
        for columns in permutations(range(4), count):
            wide = STEP_WIDTH + count * width + 3 * (count - 1)
            for n in range(len(found.run.events)):
                assert sum(cell_len(piece.text) for piece in row(grid, n, columns, width)) == wide, (columns, n)


HOSTILE = [
    "\x1b[2J\x1b[31mred",
    "\x9b31m\x07\x00\r\n",
    "\u202eecila\u2066",
    "日本語の利用者の名前はとても長い",
    "👩‍👩‍👧 e\u0301\u200b",
    "\ud800",
    "[bold red]x[/]",
    "",
    "x" * 1_000_000,
    "\u202e" * 1_000_000,
]


def called(alice: str, bob: str, session: str, carrier: str) -> Finding:
    """The finding with other names."""
    made = finding(1)
    names = {"alice": alice, "bob": bob}
    events = tuple(
        replace(
            event,
            lane=names.get(event.lane, event.lane),
            session=session,
            carrier=carrier if event.carrier is not None else None,
        )
        for event in made.run.events
    )
    run = replace(made.run, lanes=tuple(names.get(lane, lane) for lane in made.run.lanes), events=events)
    source, sink = replace(made.crossing.source, lane=alice), replace(made.crossing.sink, lane=bob)
    return replace(made, run=run, crossing=replace(made.crossing, source=source, sink=sink))


def check(found: Finding, columns: tuple[int, ...], width: int) -> None:
    grid = lay_out(found.run, found)
    wide = STEP_WIDTH + len(columns) * width + 3 * (len(columns) - 1)
    emphasis = Emphasis("Alice Ferrante", foreign_values([found]), query="a")
    rows = [heading(grid, columns, width, frozenset(grid.lanes[:1]), 0)]
    rows += [row(grid, n, columns, width, emphasis) for n in range(len(found.run.events))]
    for pieces in rows:
        text = "".join(piece.text for piece in pieces)
        assert text.isprintable()
        assert cell_len(text) == wide
        text.encode()


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name[:10]))
def test_no_name_of_a_lane_a_session_or_a_carrier_can_move_or_widen_a_row(name: str) -> None:
    for columns in ((0, 2, 1), (1, 2, 0), (0,), (1,)):
        check(called(name, "bob", name, name), columns, 24)
        check(called("alice", name, "s", f"module.{name}"), columns, 9)


NAMES = st.text(alphabet="ab日👍é[\x1b\u202e\u200d\ud800\t. ", max_size=40)


@given(NAMES, NAMES, NAMES, st.permutations([0, 1, 2]), st.integers(8, 40))
def test_whatever_the_names_rows_keep_their_width(
    lane: str, session: str, carrier: str, columns: list[int], width: int
) -> None:
    check(called(f"{lane}1", f"{lane}2", session, carrier), tuple(columns), width)
