"""The lanes with the line below them in which a text is searched for.

What is typed is looked for at once, from the row where the search began. Rows are looked at in a task, a few at a time,
so that the keys work meanwhile; a search that is under way ends when another one begins or other rows are shown.
"""

from __future__ import annotations

import asyncio
from operator import is_
from typing import TYPE_CHECKING

from textual import on, work
from textual.containers import Vertical
from textual.widgets import Input

from ..search import first_match, ways
from .lanes import LanesView
from .search_line import SearchLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ..grid import Grid

_SAID_EVERY = 50_000


class LanesPanel(Vertical):
    """See the module.

    Attributes:
        active: a search was begun and not ended.
    """

    def __init__(self) -> None:
        super().__init__(id="lanes-panel")
        self.active = False
        self._began: tuple[Grid, int] | None = None

    def compose(self) -> ComposeResult:
        yield LanesView()

    def on_mount(self) -> None:
        self.call_after_refresh(self._complete)

    async def _complete(self) -> None:
        """The line of the search, which the first frame does not wait for."""
        await self.mount(SearchLine())

    # ---- what the keys do

    def ask(self) -> None:
        """Open the line; a search that was kept can be changed."""
        lanes = self.query_one(LanesView)
        if lanes.searched is None or not self.query(Input):
            return
        self.active, self._began = True, (lanes.searched[0], lanes.cursor)
        self.query_one(SearchLine).open()

    def next(self, by: int) -> None:
        """To the next match after the cursor (`by` 1) or before it (-1), around the end."""
        lanes = self.query_one(LanesView)
        self._look(lanes.place_of(lanes.cursor), by, True)

    def end(self) -> None:
        """Nothing is highlighted any more; from the line, the cursor goes back to where it was."""
        lanes, line = self.query_one(LanesView), self.query_one(Input)
        self._stop()
        if line.has_focus:
            lanes.cursor = self._start(lanes)
        lanes.search("")
        self.query_one(SearchLine).close()
        self.active, self._began = False, None
        lanes.focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        lanes = self.query_one(LanesView)
        lanes.search(event.value)
        if event.value:
            self._look(lanes.place_of(self._start(lanes)), 1, False)
        else:
            self._stop()
            lanes.cursor = self._start(lanes)
            self._say("")

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value:
            self.query_one(LanesView).focus()
        else:
            self.end()

    def _start(self, lanes: LanesView) -> int:
        """The row where the search began, unless another run is shown since then."""
        if self._began is None or lanes.searched is None or lanes.searched[0] is not self._began[0]:
            return lanes.cursor
        return self._began[1]

    # ---- looking

    def _stop(self) -> None:
        self.workers.cancel_group(self, "search")  # pyright: ignore[reportUnknownMemberType]

    @work(exclusive=True, group="search")
    async def _look(self, start: int, by: int, beyond: bool) -> None:
        """Put the cursor on the first row that says what is searched for, from a place on, or `beyond` it."""
        lanes = self.query_one(LanesView)
        searched = lanes.searched
        if searched is None:
            return
        grid, rows, emphasis = searched
        seen = 0
        for places in ways(len(rows), start + by * beyond, by):
            place = first_match(grid, rows, places, emphasis)
            if place is not None:
                lanes.cursor = rows[place]
                around = place < start if by > 0 else place > start
                only = beyond and place == start
                self._say("the only one" if only else f"from the {'top' if by > 0 else 'end'} again" if around else "")
                return
            seen += len(places)
            if seen % _SAID_EVERY == 0:
                self._say(f"searching, {seen * 100 // len(rows)} %")
            await asyncio.sleep(0)
            if not all(map(is_, searched, lanes.searched or ())):
                return
        self._say("not in the lanes that are shown")

    def _say(self, what: str) -> None:
        self.query_one(SearchLine).say(what)
