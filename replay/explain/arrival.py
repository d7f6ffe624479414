"""The moment in an execution at which a place first holds what a request has made, such as a client made when needed.

What such a thing holds is no part of the state that there was at first, and has no name there. From this moment on it
has one. The moment is between two lines, for the next line may already put a user's data into the thing.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..state import caches

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ..schedule.loop import ControlledLoop
    from ..state.files import UserFiles
    from ..state.graph import StateGraph
    from .places import Place


class Arrival:
    """Waits for one such moment of one execution, and calls `arrived` with the state as it is then."""

    def __init__(
        self,
        files: UserFiles,
        graph_now: Callable[[bool], StateGraph],
        place: Place,
        arrived: Callable[[StateGraph], None],
    ) -> None:
        self._files = files
        self._graph_now = graph_now
        self._place = place
        self._arrived = arrived
        self._graph = graph_now(place.wide)
        self._first: Any = place.first(self._graph) if place.is_in(self._graph) else None
        self.over = not place.is_in(self._graph)

    def watch(self, loop: ControlledLoop) -> None:
        """See every line of the user's in the step that begins."""
        if not self.over:
            loop.line_hook = self._trace
            sys.settrace(self._trace)

    def unwatch(self) -> None:
        """The step is over. Once it has come, no line need be seen any more."""
        sys.settrace(None)
        self.look()

    def look(self) -> None:
        """Whether it has come."""
        if self.over or self._is_as_at_first():
            return
        self.over = True
        self._arrived(self._graph_now(self._place.wide))

    def _is_as_at_first(self) -> bool:
        if self._place.form == "cache":  # stays the same object, whatever it has
            return caches.is_as(self._place.value(self._graph), self._first)
        return self._place.value(self._graph) is self._first

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002
        if self.over or frame.f_code.co_filename not in self._files:
            return None
        self.look()
        return self._trace
