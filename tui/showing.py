"""What stands in the lanes: a run with the finding that is told of it, in one of its views.

Data that panels draw, and the answers to what a row of it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .emphasis import Emphasis, foreign_values
from .grid import Grid, lay_out
from .views import View, counterpart

if TYPE_CHECKING:
    from ..replay.report import Access, Finding
    from ..replay.run import Event, Run


@dataclass(frozen=True, slots=True)
class Shown:
    """What is told of a run, whatever the view.

    Attributes:
        run: what was executed, or recorded. `schedule` says in words under what, `heading` what the lanes are.
        finding: what is told of it; `others` are findings whose foreign values are marked too.
        outcome: what came of this run by itself, in words; "" where it is one of those that the result tells of.
    """

    run: Run
    schedule: str
    heading: str
    finding: Finding | None = None
    others: tuple[Finding, ...] = ()
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Showing:
    """One of its views, drawn.

    Attributes:
        views: what the run can be compared with, and the run itself; the first one is drawn.
        grid, emphasis: the rows of that view, and what is marked in them.
        row: where the cursor begins.
    """

    of: Shown
    views: tuple[View, ...]
    grid: Grid
    emphasis: Emphasis
    row: int

    @property
    def run(self) -> Run:
        return self.of.run

    @property
    def finding(self) -> Finding | None:
        return self.of.finding

    @property
    def view(self) -> View:
        return self.views[0]

    @property
    def title(self) -> str:
        return f"{self.of.heading}  {self.view.summary()}" if len(self.views) > 1 else self.of.heading

    def event(self, row: int) -> Event | None:
        return self.grid.events[row] if 0 <= row < len(self.grid.events) else None

    def next_view(self, row: int) -> Showing:
        """The view after this one, with the cursor on what shows the same as this row."""
        event, following = self.event(row), (*self.views[1:], self.view)
        return showing(self.of, following, None if event is None else counterpart(event, following[0].run))

    def source_of(self, row: int) -> tuple[str | None, dict[str, str]]:
        """The place in the source that a row is about, and the places that wrote and read the carrier."""
        event = self.event(row)
        marks: dict[str, str] = {}
        if self.finding is not None:
            crossing = self.finding.crossing
            for kind, access in (("write", crossing.write), ("read", crossing.read)):
                if access is not None:
                    marks[access.at] = kind
            if row == self.grid.sink_row and crossing.read is not None:
                # On the crossing itself, the line that read the foreign value says more than the return statement.
                return crossing.read.at, marks
        return event.at if event is not None else None, marks

    def access(self, row: int) -> Access | None:
        """The line of a row, else the one that wrote, else the one that read."""
        from ..replay.report import Access

        event = self.event(row)
        if event is not None and event.at:
            return Access(event.lane, event.at, event.code or "")
        return None if self.finding is None else self.finding.crossing.write or self.finding.crossing.read


def showing(of: Shown, views: tuple[View, ...], row: int | None = None) -> Showing:
    """The first of these views, with the cursor on a row, or on the crossing where there is one."""
    grid = lay_out(views[0].run, of.finding)
    findings = () if of.finding is None else (of.finding, *of.others)
    evidence = of.finding.crossing.sink.evidence if of.finding is not None else ""
    emphasis = Emphasis(evidence, foreign_values(findings), views[0].marks)
    return Showing(of, views, grid, emphasis, row if row is not None else grid.sink_row or 0)
