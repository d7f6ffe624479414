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
from .made import Constructions
from .places import LOCAL, MADE
from .standing import frame_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from ..schedule.loop import ControlledLoop
    from ..state.files import UserFiles
    from ..state.graph import StateGraph
    from .places import Place


class Arrivals:
    """Waits for such moments of one execution."""

    def __init__(
        self,
        loop: ControlledLoop,
        files: UserFiles,
        graph_now: Callable[[bool], StateGraph],
        awaited: Mapping[Place, Callable[[StateGraph], None]],
    ) -> None:
        """`awaited` are called with the state as it is when their places first hold such a thing."""
        self._loop = loop
        self._files = files
        self._awaited = [_Arrival(loop, files, graph_now, place, arrived) for place, arrived in awaited.items()]

    def watch(self) -> None:
        """See every line of the user's in the step that begins, as long as one has not come."""
        self.look()
        if any(not each.over for each in self._awaited):
            self._loop.line_hook = self._trace
            sys.settrace(self._trace)

    def unwatch(self) -> None:
        """The step is over. Once all have come, no line need be seen any more."""
        sys.settrace(None)
        self.look()

    def look(self) -> None:
        """Whether one has come."""
        for each in self._awaited:
            each.look()

    def follow(self, frame: FrameType, event: str, argument: Any) -> Any:
        """See the constructors, where an object is waited for: to be told of every call, and of what goes on in those
        for which it returns a trace function."""
        inside = [each.follow(frame, event, argument) for each in self._awaited]
        return self.follow if any(trace is not None for trace in inside) else None

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if all(each.over for each in self._awaited):
            return None
        inside = self.follow(frame, event, argument)
        if frame.f_code.co_filename not in self._files:
            return inside
        self.look()
        return self._trace


class _Arrival:
    """Waits for one such moment, and calls `arrived` with the state as it is then."""

    def __init__(
        self,
        loop: ControlledLoop,
        files: UserFiles,
        graph_now: Callable[[bool], StateGraph],
        place: Place,
        arrived: Callable[[StateGraph], None],
    ) -> None:
        self._loop = loop
        self._files = files
        self._graph_now = graph_now
        self._place = place
        self._arrived = arrived
        self._graph = graph_now(place.wide)
        self._first: Any = place.first(self._graph) if place.is_in(self._graph) else None
        self.over = place.form not in (LOCAL, MADE) and not place.is_in(self._graph)
        self._constructions = Constructions(self._graph.user_modules, self._built) if place.form == MADE else None

    def look(self) -> None:
        """Whether it has come."""
        if self.over or self._constructions is not None:
            return
        frame = frame_of(self._place, self._loop, self._files) if self._place.form == LOCAL else None
        if frame is None and (self._place.form == LOCAL or self._is_as_at_first()):
            return
        self.over = True
        graph = self._graph_now(self._place.wide)
        if frame is not None:
            graph.add_locals(self._place.name.removesuffix(f".{self._place.key}"), frame, str(self._place.key))
        self._arrived(graph)

    def follow(self, frame: FrameType, event: str, argument: Any) -> Any:
        """See `Arrivals`."""
        if self.over or self._constructions is None:
            return None
        return self._constructions.trace(frame, event, argument)

    def _built(self, number: int, made: Any) -> None:
        if not self.over and str(number) == self._place.key:
            self.over = True
            graph = self._graph_now(self._place.wide)
            graph.add_object(self._place.name, made, self._place.owner, self._place.file)
            self._arrived(graph)

    def _is_as_at_first(self) -> bool:
        if self._place.form == "cache":  # stays the same object, whatever it has
            return caches.is_as(self._place.value(self._graph), self._first)
        return self._place.value(self._graph) is self._first
