"""The lanes as a grid: which lane stands in which column, what stands in each row, where the crossing's line runs.

Pure functions over a run. The text report and the interface draw the same grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
            second; None without one. The lanes of a finding are the first two, so it never crosses another lane.
        sink_row: the row in which the foreign value was shown, and `sink_path` where in that answer.
    """

    lanes: tuple[str, ...]
    sessions: tuple[str, ...]
    events: tuple[Event, ...]
    columns: tuple[int, ...]
    line: tuple[int, int] | None
    sink_row: int | None
    sink_path: str = "body"

    def switches(self) -> list[int]:
        """The rows at which another lane goes on."""
        return [row for row in range(1, len(self.columns)) if self.columns[row] != self.columns[row - 1]]


def lay_out(run: Run, finding: Finding | None) -> Grid:
    """The grid of a run. With a finding come the order of its lanes and the row in which the value was shown; the line
    is drawn only in the finding's own run, where its ends are known."""
    first = () if finding is None else (finding.crossing.source.lane, finding.crossing.sink.lane)
    lanes = tuple(dict.fromkeys((*first, *run.lanes)))
    position = {lane: column for column, lane in enumerate(lanes)}
    sessions: dict[str, str] = {}
    for event in run.events:
        sessions.setdefault(event.lane, event.session)
    columns = tuple(position.get(event.lane, -1) for event in run.events)
    line, sink, path = None, None, "body"
    if finding is not None:
        path = finding.crossing.sink.path
        sink = _sink_row(run, finding)
        if run is finding.run and finding.write_seq is not None and finding.read_seq is not None:
            start, end = finding.write_seq - 1, finding.read_seq - 1
            if 0 <= start < end < len(columns) and (columns[start], columns[end]) == (0, 1):
                line = (start, end)
    return Grid(lanes, tuple(sessions.get(lane, "") for lane in lanes), run.events, columns, line, sink, path)


def _sink_row(run: Run, finding: Finding) -> int | None:
    if run is finding.run:
        return None if finding.sink_seq is None else finding.sink_seq - 1
    wanted, evidence = finding.crossing.sink.request, finding.crossing.evidence_all
    for row, event in enumerate(run.events):
        if event.request == wanted and event.kind in ("response", "error"):
            return row if any(value in event.text.casefold() for value in evidence) else None
    return None
