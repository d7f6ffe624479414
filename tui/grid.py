"""The lanes as a grid: which lane stands in which column, what stands in each row, where the crossing's line runs.

Pure functions over a run. The text report and the interface draw the same grid.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..replay.report import Finding
    from ..replay.run import Event, Run


@dataclass(frozen=True, slots=True)
class Grid:
    """A run laid out.

    Attributes:
        lanes: names in the order of the columns: those of the finding first.
        sessions: the session of each lane's first request, for the heading.
        events: one a row.
        columns: for each row, the column of its lane (-1: a background task, which has none).
        line: the rows between which the crossing's line runs, from the write in the first column to the read in the
            second; None without one.
        sink_row: the row in which the foreign value was shown, and `sink_path` where in that answer.
        involved: the lanes of the finding.
    """

    lanes: tuple[str, ...]
    sessions: tuple[str, ...]
    events: tuple[Event, ...]
    columns: array[int]
    line: tuple[int, int] | None
    sink_row: int | None
    sink_path: str = "body"
    involved: tuple[str, ...] = ()

    def switch(self, rows: Sequence[int], place: int, by: int) -> int | None:
        """Of these rows, the nearest one after a place among them (`by` 1) or before it (-1) at which another lane goes
        on than in the row above it."""
        columns = self.columns
        places = range(place + 1, len(rows)) if by > 0 else range(min(place, len(rows)) - 1, 0, -1)
        return next((rows[at] for at in places if columns[rows[at]] != columns[rows[at - 1]]), None)

    def rows_of(self, shown: Sequence[int]) -> Sequence[int]:
        """The rows of these lanes and of background tasks."""
        if len(shown) >= len(self.lanes):
            return range(len(self.columns))
        wanted = {-1, *shown}
        return array("i", (row for row, column in enumerate(self.columns) if column in wanted))


class _Columns(dict[str, int]):
    """Lanes and their columns; what is no lane, a background task, is in none."""

    def __missing__(self, lane: str) -> int:
        return -1


def lay_out(run: Run, finding: Finding | None) -> Grid:
    """The grid of a run. With a finding come the order of its lanes and the row in which the value was shown; the line
    is drawn only in the finding's own run, where its ends are known."""
    first = () if finding is None else (finding.crossing.source.lane, finding.crossing.sink.lane)
    lanes = tuple(dict.fromkeys((*first, *run.lanes)))
    position = _Columns((lane, column) for column, lane in enumerate(lanes))
    # In C from end to end: a run may have a million events, and the screen waits for this.
    columns = array("i", map(position.__getitem__, map(attrgetter("lane"), run.events)))
    line, sink, path = None, None, "body"
    if finding is not None:
        path = finding.crossing.sink.path
        sink = _sink_row(run, finding)
        if run is finding.run and finding.write_seq is not None and finding.read_seq is not None:
            start, end = finding.write_seq - 1, finding.read_seq - 1
            if 0 <= start < end < len(columns) and (columns[start], columns[end]) == (0, 1):
                line = (start, end)
    return Grid(lanes, _sessions(run, lanes), run.events, columns, line, sink, path, first)


def _sessions(run: Run, lanes: tuple[str, ...]) -> tuple[str, ...]:
    """The session of each lane's first event."""
    missing = set(lanes)
    sessions: dict[str, str] = {}
    for event in run.events:
        if event.lane in missing:
            missing.discard(event.lane)
            sessions[event.lane] = event.session
            if not missing:
                break
    return tuple(sessions.get(lane, "") for lane in lanes)


def _sink_row(run: Run, finding: Finding) -> int | None:
    if run is finding.run:
        return None if finding.sink_seq is None else finding.sink_seq - 1
    wanted, evidence = finding.crossing.sink.request, finding.crossing.evidence_all
    for row, event in enumerate(run.events):
        if event.request == wanted and event.kind in ("response", "error"):
            return row if any(value in event.text.casefold() for value in evidence) else None
    return None
