"""The lanes side by side: one widget on the Line API, whatever the number of lanes and rows.

Nothing is rendered that is not visible. A row's strip is kept until the grid, the width or the lanes in sight change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ..bindings import named
from ..palette import style_of
from ..rows import STEP_WIDTH, heading, lane_width, row

if TYPE_CHECKING:
    from textual.events import Click

    from ..grid import Grid


class LanesView(ScrollView, can_focus=True):
    """Shows a grid and has a cursor on one of its rows. The first line of the widget is the heading and stays."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("right,l", "step(1)", "Step", key_display="←/→"),
            Binding("left,h", "step(-1)", "Step back", show=False),
            Binding("down,j", "step_lane(1)", "Step in this lane", show=False),
            Binding("up,k", "step_lane(-1)", "Back in lane", show=False),
            Binding("home,g", "go(0)", "First row", show=False),
            Binding("end,G", "go(-1)", "Last row", show=False),
            Binding("pagedown", "page(1)", "Page down", show=False),
            Binding("pageup", "page(-1)", "Page up", show=False),
            Binding("s", "switch(1)", "Switch"),
            Binding("S", "switch(-1)", "Switch back", show=False),
            Binding("right_square_bracket", "shift(1)", "More lanes", key_display="]", show=False),
            Binding("left_square_bracket", "shift(-1)", "Lanes back", key_display="[", show=False),
        ]
    )

    COMPONENT_CLASSES: ClassVar[set[str]] = {"lanes--cursor"}

    cursor: reactive[int] = reactive(0)
    first_lane: reactive[int] = reactive(0)

    class Moved(Message):
        """The cursor stands on another row."""

        def __init__(self, row: int) -> None:
            super().__init__()
            self.row = row

    def __init__(self) -> None:
        super().__init__(id="lanes")
        self._grid: Grid | None = None
        self._evidence = ""
        self._strips: LRUCache[tuple[int, int, int], Strip] = LRUCache(2_000)

    def show(self, grid: Grid, evidence: str, cursor: int) -> None:
        """Show another grid, with the cursor on a row of it."""
        self._grid, self._evidence = grid, evidence
        self._strips.clear()
        self.first_lane = 0
        self.virtual_size = Size(1, len(grid.events) + 1)
        self.set_reactive(LanesView.cursor, -1)
        self.cursor = max(0, min(cursor, len(grid.events) - 1))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        base = self.rich_style
        if self._grid is None or not self._grid.events:
            return Strip.blank(width, base)
        index = self.scroll_offset.y + y - 1
        if y == 0:
            return self._strip(-1, width).apply_style(base)
        if index >= len(self._grid.events):
            return Strip.blank(width, base)
        strip = self._strip(index, width)
        if index == self.cursor:
            cursor = self.get_component_rich_style("lanes--cursor", partial=True)
            return Strip([Segment("▌"), *strip.crop(1)]).apply_style(base + cursor)
        return strip.apply_style(base)

    def _strip(self, index: int, width: int) -> Strip:
        key = (index, width, self.first_lane)
        strip = self._strips.get(key)
        if strip is None:
            assert self._grid is not None
            fitting, lane = lane_width(width - STEP_WIDTH, len(self._grid.lanes))
            columns = range(self.first_lane, min(self.first_lane + fitting, len(self._grid.lanes)))
            if index < 0:
                pieces = heading(self._grid, columns, lane)
            else:
                pieces = row(self._grid, index, columns, lane, self._evidence)
            segments = [Segment(piece.text, style_of(piece.role, piece.column)) for piece in pieces]
            strip = Strip(segments).adjust_cell_length(width)
            self._strips[key] = strip
        return strip

    # ---- the cursor

    def validate_cursor(self, cursor: int) -> int:
        rows = len(self._grid.events) if self._grid is not None else 0
        return max(-1, min(cursor, rows - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        if new < 0 or self._grid is None:
            return
        self.scroll_to_region(Region(0, new, 1, 2), animate=False, force=True)
        self._bring_lane_into_sight(new)
        for line in (old, new):
            y = line - self.scroll_offset.y + 1
            if 0 < y < self.size.height:
                self.refresh(Region(0, y, self.size.width, 1))
        self.post_message(self.Moved(new))

    def watch_first_lane(self) -> None:
        self.refresh()

    def _bring_lane_into_sight(self, index: int) -> None:
        assert self._grid is not None
        if not self.size.width:
            return  # not laid out yet; `on_resize` comes back to it
        column = self._grid.columns[index]
        fitting, _ = lane_width(self.size.width - STEP_WIDTH, len(self._grid.lanes))
        if column >= 0 and not self.first_lane <= column < self.first_lane + fitting:
            self.first_lane = max(0, min(column, len(self._grid.lanes) - fitting))

    def on_resize(self) -> None:
        if self._grid is not None and 0 <= self.cursor < len(self._grid.events):
            fitting, _ = lane_width(self.size.width - STEP_WIDTH, len(self._grid.lanes))
            self.first_lane = max(0, min(self.first_lane, len(self._grid.lanes) - fitting))
            self._bring_lane_into_sight(self.cursor)
            self.scroll_to_region(Region(0, self.cursor, 1, 2), animate=False, force=True)

    def action_step(self, by: int) -> None:
        self.cursor = max(0, self.cursor + by)

    def action_step_lane(self, by: int) -> None:
        """To the next row of the lane that the cursor is in."""
        if self._grid is None or self.cursor < 0:
            return
        columns, index = self._grid.columns, self.cursor + by
        while 0 <= index < len(columns):
            if columns[index] == columns[self.cursor]:
                self.cursor = index
                return
            index += by

    def action_go(self, index: int) -> None:
        rows = len(self._grid.events) if self._grid is not None else 0
        self.cursor = index if index >= 0 else rows - 1

    def action_page(self, by: int) -> None:
        self.cursor = max(0, self.cursor + by * max(1, self.size.height - 2))

    def action_switch(self, by: int) -> None:
        """To the next row at which another lane goes on."""
        if self._grid is None:
            return
        rows = self._grid.switches()
        target = next((r for r in (rows if by > 0 else reversed(rows)) if (r - self.cursor) * by > 0), None)
        if target is not None:
            self.cursor = target

    def action_shift(self, by: int) -> None:
        if self._grid is None:
            return
        fitting, _ = lane_width(self.size.width - STEP_WIDTH, len(self._grid.lanes))
        self.first_lane = max(0, min(self.first_lane + by, len(self._grid.lanes) - fitting))

    def on_click(self, event: Click) -> None:
        if event.y > 0:
            self.cursor = self.scroll_offset.y + event.y - 1
