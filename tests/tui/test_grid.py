"""The pure parts of the interface: what is safe, what fits, where the line runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from crosslane.replay.run import Event, Run
from crosslane.tui.emphasis import Emphasis
from crosslane.tui.grid import lay_out
from crosslane.tui.rows import STEP_WIDTH, fit, heading, lane_width, row
from crosslane.tui.safe_text import safe, safe_block
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from .stand_ins import result, run_of


@given(st.text(alphabet=st.characters()))
def test_nothing_that_is_safe_can_move_a_cursor(text: str) -> None:
    shown = safe(text)
    assert shown.isprintable()
    shown.encode("utf-8")
    assert all(line.isprintable() for line in safe_block(text).split("\n"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc", "a⏎b⇥c"),
        ("\x1b[31m", "␛[31m"),
        ("\x7f\x00", "␡␀"),
        ("a\u202eb", "a⟨202E⟩b"),
        ("\ud800", "�"),
        ("non break", "non break"),
        ("日本 é 👍", "日本 é 👍"),
    ],
)
def test_what_is_not_printable_is_made_visible(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_long_text_is_cut_with_the_count_of_what_is_missing() -> None:
    assert safe("x" * 1_000_000, 10) == "x" * 10 + "… +999990"


@given(st.text(alphabet="ab日👍é", max_size=30), st.integers(1, 20))
def test_a_cell_is_exactly_as_wide_as_its_column(text: str, width: int) -> None:
    assert cell_len(fit(text, width)) == width


@given(st.integers(10, 300), st.integers(1, 300))
def test_lanes_fit_the_width_that_there_is(total: int, lanes: int) -> None:
    fitting, width = lane_width(total, lanes)
    assert 1 <= fitting <= lanes
    assert fitting == 1 or fitting * width + (fitting - 1) * 3 <= total


@pytest.mark.parametrize("width", [10, 24, 60])
def test_every_row_is_as_wide_as_the_heading(width: int) -> None:
    finding = result(alice="日本語 Alice Ferrante 👍" * 3).findings[0]
    grid = lay_out(finding.run, finding)
    wide = STEP_WIDTH + 2 * width + 3
    for pieces in (
        heading(grid, range(2), width),
        *(row(grid, n, range(2), width, Emphasis("Alice Ferrante")) for n in range(8)),
    ):
        assert sum(cell_len(piece.text) for piece in pieces) == wide


def test_the_line_runs_from_the_write_down_to_the_read_and_nowhere_else() -> None:
    finding = result().findings[0]
    grid = lay_out(finding.run, finding)
    drawn = ["".join(p.text for p in row(grid, n, range(2), 24) if p.role == "line").replace("━", "") for n in range(8)]
    assert [line.strip() for line in drawn] == ["", "┓", "┃", "┃", "┗", "", "", ""]


def test_in_a_run_that_is_not_its_own_a_finding_marks_the_sink_where_the_value_shows() -> None:
    finding = result().findings[0]
    other = run_of()
    assert lay_out(other, finding).sink_row == 6
    assert lay_out(other, finding).line is None
    events = tuple(replace(e, text="nothing") if e.kind == "response" else e for e in other.events)
    assert lay_out(replace(other, events=events), finding).sink_row is None


def test_many_events_are_laid_out_without_rendering_them() -> None:
    events = tuple(Event(n, n, f"u{n % 200}", "s", "r", "await", "", "a.py:1", "await x") for n in range(1, 100_001))
    grid = lay_out(Run(tuple(f"u{n}" for n in range(200)), (), events, ()), None)
    assert len(grid.columns) == 100_000
    assert "await x" in "".join(piece.text for piece in row(grid, 99_999, range(3), 30))
