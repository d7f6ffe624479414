"""The lanes side by side: one widget on the Line API, whatever the number of lanes and rows.

Nothing is rendered that is not visible. A row's strip is kept until the grid, the width or the lanes in sight change.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ..arrangement import Arrangement, in_sight
from ..bindings import named
from ..emphasis import PLAIN
from ..palette import style_of
from ..rows import GAP, STEP_WIDTH, heading, lane_width, row

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.events import Click

    from ..emphasis import Emphasis
    from ..grid import Grid


class LanesView(ScrollView, can_focus=True):
    """Shows a grid and has a cursor on one of its rows. The first line of the widget is the heading and stays.

    Rows are those of the grid, whichever of them are shown; places count the shown ones from the top.

    Attributes:
        cursor: the row that the cursor is on, -1 before there is one.
        first_lane: how many of the lanes that are not pinned are scrolled away to the left.
        arrangement: which lanes are shown, and in what order; it stays when another grid is shown.
    """

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
            Binding("v", "view", "View: this run, alone, recorded", show=False),
            Binding("p", "pin", "Pin the lane, or no longer", show=False),
            Binding("H", "hide", "Hide the lane", show=False),
            Binding("z", "involved", "The finding's lanes alone", show=False),
            Binding("Z", "show_all", "Show all lanes", show=False),
            Binding("shift+right,greater_than_sign", "move(1)", "Move the lane right", show=False),
            Binding("shift+left,less_than_sign", "move(-1)", "Move the lane left", show=False),
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

    class OtherView(Message):
        """The same lanes shall be shown in their next view."""

    def __init__(self) -> None:
        super().__init__(id="lanes")
        self.arrangement = Arrangement()
        self._grid: Grid | None = None
        self._emphasis = PLAIN
        self._selected = -1
        self._columns: tuple[int, ...] = ()
        self._pinned = 0
        self._rows: Sequence[int] = ()
        self._base = Style.null()
        self._strips: LRUCache[tuple[int, int, int, int], Strip] = LRUCache(2_000)

    def show(self, grid: Grid, emphasis: Emphasis, cursor: int) -> None:
        """Show another grid, with the cursor on a row of it. What is searched for stays."""
        self._grid, self._selected = grid, -1
        self._emphasis = replace(emphasis, query=self._emphasis.query)
        self.set_reactive(LanesView.cursor, -1)
        self.first_lane = 0
        self._arrange()
        cursor = max(0, min(cursor, len(grid.events) - 1))
        if self._rows and cursor != grid.sink_row:  # the crossing is shown whatever is hidden; other rows need not be
            cursor = self._rows[min(self.place_of(cursor), len(self._rows) - 1)]
        self.cursor = cursor

    @property
    def searched(self) -> tuple[Grid, Sequence[int], Emphasis] | None:
        """What a search goes through: the grid, the rows of it that are shown, and what is looked for."""
        return None if self._grid is None else (self._grid, self._rows, self._emphasis)

    def search(self, query: str) -> None:
        """Highlight a text wherever it stands, or nothing any more."""
        if query != self._emphasis.query:
            self._emphasis = replace(self._emphasis, query=query)
            self._strips.clear()
            self.refresh()

    def _arrange(self) -> None:
        """Lay out what the arrangement asks for, with the cursor on the same row, or the next one that is shown."""
        assert self._grid is not None
        grid = self._grid
        self._columns = self.arrangement.columns(grid.lanes, grid.involved)
        self._pinned = sum(grid.lanes[column] in self.arrangement.pinned for column in self._columns)
        self._rows = grid.rows_of(self._columns)
        self._strips.clear()
        self.virtual_size = Size(1, len(self._rows) + 1)
        if self.cursor >= 0 and self._rows:
            row = self._rows[min(self.place_of(self.cursor), len(self._rows) - 1)]
            self.set_reactive(LanesView.cursor, -1)
            self.cursor = row
        self.refresh()

    # ---- drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        # To ask for the style walks through all that the widget stands in: once a page, not once a line.
        base = self.rich_style
        if base != self._base:
            self._base = base
            self._strips.clear()
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self._room
        if self._grid is None or not self._grid.events:
            return Strip.blank(width, self._base)
        if y == 0:
            return self._strip(-1, width, self.lane)
        place = self.scroll_offset.y + y - 1
        if place >= len(self._rows):
            return Strip.blank(width, self._base)
        index = self._rows[place]
        if index == self.cursor:
            style = self._base + self.get_component_rich_style("lanes--cursor")
            return Strip([Segment("▌", style), *self._made(index, width, -1, style).crop(1)], width)
        return self._strip(index, width, -1)

    def _strip(self, index: int, width: int, current: int) -> Strip:
        key = (index, width, self.first_lane, current)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._made(index, width, current, self._base)
        return strip

    def _made(self, index: int, width: int, current: int, base: Style) -> Strip:
        """The strip of a row, or of the heading (-1)."""
        assert self._grid is not None
        fitting, lane = self._lane_width()
        columns = in_sight(self._columns, self._pinned, self.first_lane, fitting)
        if index < 0:
            pieces = heading(self._grid, columns, lane, self.arrangement.pinned, current)
        else:
            pieces = row(self._grid, index, columns, lane, self._emphasis)
        made = STEP_WIDTH + len(columns) * (lane + GAP) - GAP  # as wide as every row is; to measure would cost more
        segments = [Segment(piece.text, base + style_of(piece.role, piece.column)) for piece in pieces]
        if made < width:
            segments.append(Segment(" " * (width - made), base))
        strip = Strip(segments, max(made, width))
        return strip if made <= width else strip.crop(0, width)

    @property
    def _room(self) -> int:
        """The cells of a line: its end is not to be behind the scrollbar."""
        return max(0, self.size.width - self.scrollbar_size_vertical)

    def _lane_width(self) -> tuple[int, int]:
        return lane_width(self._room - STEP_WIDTH, len(self._columns))

    # ---- the cursor

    @property
    def lane(self) -> int:
        """The column that the keys for lanes mean: the one whose heading was clicked, else the cursor's."""
        if self._selected >= 0:
            return self._selected
        return self._grid.columns[self.cursor] if self._grid is not None and self.cursor >= 0 else -1

    def place_of(self, row: int) -> int:
        """Where a row stands among those that are shown; for one that is hidden, the next one's."""
        return row if isinstance(self._rows, range) else bisect_left(self._rows, row)

    def validate_cursor(self, cursor: int) -> int:
        rows = len(self._grid.events) if self._grid is not None else 0
        return max(-1, min(cursor, rows - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        if new < 0 or self._grid is None:
            return
        place = self.place_of(new)
        if place >= len(self._rows) or self._rows[place] != new:  # where something else led is never hidden
            self.arrangement = self.arrangement.show_all()
            self._arrange()
            return
        lane = self.lane
        self._selected = -1
        self.scroll_to_region(Region(0, place, 1, 2), animate=False, force=True)
        self._bring_lane_into_sight(new)
        if old < 0 or self.lane != lane or self._grid.columns[old] != self.lane:
            self.refresh(Region(0, 0, self.size.width, 1))
        for line in (self.place_of(old), place):
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
        fitting, _ = self._lane_width()
        if column in self._columns and column not in in_sight(self._columns, self._pinned, self.first_lane, fitting):
            self.first_lane = self._within(self._columns.index(column) - min(self._pinned, fitting - 1))

    def _within(self, first: int) -> int:
        """Not further than to the last lane."""
        fitting, _ = self._lane_width()
        return max(0, min(first, len(self._columns) - fitting))

    def on_resize(self) -> None:
        if self._grid is not None and 0 <= self.cursor < len(self._grid.events):
            self.first_lane = self._within(self.first_lane)
            self._bring_lane_into_sight(self.cursor)
            self.scroll_to_region(Region(0, self.place_of(self.cursor), 1, 2), animate=False, force=True)

    def action_step(self, by: int) -> None:
        if self._rows:
            self._go_to_place(self.place_of(self.cursor) + by)

    def _go_to_place(self, place: int) -> None:
        self.cursor = self._rows[max(0, min(place, len(self._rows) - 1))]

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

    def action_go(self, place: int) -> None:
        if self._rows:
            self._go_to_place(place if place >= 0 else len(self._rows) - 1)

    def action_page(self, by: int) -> None:
        self.action_step(by * max(1, self.size.height - 2))

    def action_switch(self, by: int) -> None:
        """To the next row at which another of the lanes that are shown goes on."""
        if self._grid is None:
            return
        target = self._grid.switch(self._rows, self.place_of(self.cursor), by)
        if target is not None:
            self.cursor = target

    # ---- the lanes

    def action_view(self) -> None:
        self.post_message(self.OtherView())

    def action_shift(self, by: int) -> None:
        if self._grid is not None:
            self.first_lane = self._within(self.first_lane + by)

    def _named(self) -> str | None:
        """The name of the lane that is meant, if it is shown."""
        if self._grid is None or self.lane not in self._columns:
            return None
        return self._grid.lanes[self.lane]

    def _rearrange(self, arrangement: Arrangement) -> None:
        self.arrangement, selected = arrangement, self._selected
        self._arrange()
        self.first_lane = self._within(self.first_lane)
        self._selected = selected if selected in self._columns else -1

    def action_pin(self) -> None:
        lane = self._named()
        if lane is not None:
            self._rearrange(self.arrangement.pin(lane))

    def action_hide(self) -> None:
        lane = self._named()
        if lane is None:
            return
        if len(self._columns) == 1:
            self.notify("one lane stays; Z shows all of them")
            return
        self._rearrange(self.arrangement.hide(lane))

    def action_involved(self) -> None:
        if self._grid is not None and not self._grid.involved:
            self.notify("there is no finding whose lanes could be shown alone")
        elif self._grid is not None:
            self._rearrange(self.arrangement.involved_only())

    def action_show_all(self) -> None:
        if self._grid is not None:
            self._rearrange(self.arrangement.show_all())

    def action_move(self, by: int) -> None:
        lane = self._named()
        if lane is not None:
            assert self._grid is not None
            lanes = self._grid.lanes
            shown = tuple(lanes[column] for column in self._columns)
            self._rearrange(self.arrangement.move(lane, by, lanes, shown))

    # ---- the mouse

    def on_click(self, event: Click) -> None:
        """A row, or a lane by its heading."""
        offset = event.get_content_offset(self)
        if self._grid is None or offset is None:
            return
        place = self.scroll_offset.y + offset.y - 1
        if offset.y == 0:
            fitting, width = self._lane_width()
            columns = in_sight(self._columns, self._pinned, self.first_lane, fitting)
            at = (offset.x - STEP_WIDTH) // (width + GAP)
            if offset.x >= STEP_WIDTH and at < len(columns):
                self._selected = columns[at]
                self.refresh()
        elif place < len(self._rows):
            self.cursor = self._rows[place]
