"""One execution that stands for all interleavings, because its lanes have nothing to do with each other.

Between any two steps of it, what lanes share is as it was before the first one, and no lane holds an object that
another holds. A step reads and writes only what its lane reaches: that, and what it alone holds. So it does the same
wherever the others stand, and with the same outcome; by induction over the steps that holds for every order of them,
and each lane makes the steps that it makes here. The interleavings are the ways to merge those (the classic argument
for independent transitions, Mazurkiewicz, "Trace Theory", 1986, for the case that all of them are).
"""

from __future__ import annotations

from collections import Counter
from math import factorial, prod
from typing import TYPE_CHECKING, Protocol

from .reduction import IrreducibleError
from .strategies import Lockstep

if TYPE_CHECKING:
    from collections.abc import Callable

    from .actors import Actor
    from .execute import Execution
    from .loop import ControlledLoop


class Apartness(Protocol):
    """What knows whether lanes have nothing to do with each other; see `state.apart`. All raise `IrreducibleError`."""

    def begin(self, loop: ControlledLoop) -> None: ...
    def look(self, loop: ControlledLoop) -> None: ...
    def check(self, loop: ControlledLoop) -> None: ...


class Independence:
    """A strategy for one execution, which is told of it.

    Attributes:
        refused: why it does not stand for others; "" where it does.
    """

    def __init__(self, apart: Apartness) -> None:
        self.refused = ""
        self._apart = apart
        self._loop: ControlledLoop | None = None
        self._rest = Lockstep()
        self._steps: tuple[int, ...] = ()

    @property
    def proven(self) -> bool:
        return bool(self._steps) and not self.refused

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        if self._loop is None:
            self._loop = loop = enabled[0].loop
            self._try(self._apart.begin)
            if not self.refused:
                # The moment after the last step, too, is before another one in other interleavings.
                loop.after_step = lambda _: self._try(self._apart.look)
        under_way = [lane for lane in self._loop.lanes.values() if lane.in_flight or lane.pending]
        if enabled != under_way or not all(map(_can_go_on, under_way)):
            self.refused = self.refused or "a request waits for another, or something runs beside them"
        return self._rest(enabled, previous)

    def tell(self, execution: Execution) -> None:
        """The execution is over."""
        self._try(self._apart.check)
        if execution.files:
            self.refused = self.refused or "there are files"
        self.refused = self.refused or execution.stopped
        self._steps = tuple(Counter(lane for lane, _, _ in execution.decisions).values())

    def count(self) -> int:
        """The number of all interleavings, where it is `proven`."""
        return factorial(sum(self._steps)) // prod(map(factorial, self._steps))

    def _try(self, look: Callable[[ControlledLoop], None]) -> None:
        if self.refused or self._loop is None:
            return
        try:
            look(self._loop)
        except IrreducibleError as error:
            self.refused = str(error)


def _can_go_on(lane: Actor) -> bool:
    """Whether it could run wherever the others stand. What has nothing left but a time limit has to wait for them."""
    return bool(lane.ready or (lane.delays if lane.in_flight else lane.pending))
