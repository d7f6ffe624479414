"""The lanes with what stands beside them: the finding, and the source of the row under the cursor.

A row moved to, a view turned and a line that shall stop are dealt with here; what needs another run is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Horizontal, Vertical

from .finding import FindingPanel
from .lanes import LanesView
from .lanes_panel import LanesPanel
from .source import SourcePanel

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult

    from ...replay.run import Event, Run
    from ..breakpoints import Breakpoint, Stops
    from ..showing import Showing


class RunPanels(Horizontal):
    """See the module.

    Attributes:
        showing: what is in the lanes; None until there is something.
        breakpoints: where `to_breakpoint` stops.
    """

    def __init__(self, cwd: Path) -> None:
        super().__init__(id="body")
        self._cwd = cwd
        self.showing: Showing | None = None
        self.breakpoints: tuple[Breakpoint, ...] = ()
        self._stopping: tuple[Run, tuple[Breakpoint, ...], Stops] | None = None

    def compose(self) -> ComposeResult:
        yield LanesPanel()
        yield Vertical(id="side")

    async def complete(self) -> None:
        """Mount what the first frame does not wait for."""
        source = SourcePanel(self._cwd, lambda file: self._stops().lines(file))
        await self.query_one("#side").mount(FindingPanel(id="finding"), source)
        self._show_source(self.lanes.cursor)

    @property
    def lanes(self) -> LanesView:
        return self.query_one(LanesView)

    @property
    def finding(self) -> FindingPanel:
        return self.query_one(FindingPanel)

    @property
    def source(self) -> SourcePanel:
        return self.query_one(SourcePanel)

    # ---- what is shown

    def show(self, showing: Showing) -> None:
        self.showing = showing
        self.set_class(not showing.run.outcomes, "-recorded")
        self.lanes.border_title = showing.title
        self.lanes.show(showing.grid, showing.emphasis, showing.row)

    @property
    def event(self) -> Event | None:
        """What stands in the row under the cursor."""
        return self.showing.event(self.lanes.cursor) if self.showing is not None else None

    def on_lanes_view_other_view(self) -> None:
        if self.showing is None or len(self.showing.views) < 2:
            self.notify("this is the traffic as it was recorded; r replays it")
        else:
            self.show(self.showing.next_view(self.lanes.cursor))

    def on_lanes_view_moved(self, message: LanesView.Moved) -> None:
        self._show_source(message.row)

    def _show_source(self, row: int) -> None:
        if self.showing is not None and self.showing.event(row) is not None and self.query(SourcePanel):
            self.call_after_refresh(self.source.show, *self.showing.source_of(row))

    # ---- breakpoints

    def break_at(self, breakpoints: tuple[Breakpoint, ...]) -> None:
        """Stop at these, and at no others."""
        self.breakpoints = breakpoints
        count = len(breakpoints)
        said = f"{count} breakpoint{'' if count == 1 else 's'}" if count else ""
        self.lanes.border_subtitle = said
        self.source.redraw()

    def on_source_panel_toggled(self, message: SourcePanel.Toggled) -> None:
        from ..breakpoints import toggled

        self.break_at(toggled(self.breakpoints, message.file, message.line))

    def to_breakpoint(self, by: int) -> None:
        """To the next row that a breakpoint hits, or back to the last one."""
        from ..breakpoints import next_hit

        if self.showing is None or not self.breakpoints:
            self.notify("no breakpoint is set; b sets one")
            return
        row = next_hit(self._stops().rows, self.lanes.cursor, by)
        if row is None:
            self.notify(f"no breakpoint hits {'after' if by > 0 else 'before'} this row")
        else:
            self.lanes.cursor = row

    def _stops(self) -> Stops:
        """Where the breakpoints stop in the view that is shown."""
        from ..breakpoints import Stops, stops  # not for the first frame

        if self.showing is None or not self.breakpoints:
            return Stops((), ())
        of = (self.showing.view.run, self.breakpoints)
        if self._stopping is None or self._stopping[0] is not of[0] or self._stopping[1] != of[1]:
            self._stopping = (*of, stops(self.breakpoints, of[0]))
        return self._stopping[2]
