"""The memory laid out in another way, and the clock on the wall ahead: what an execution then answers otherwise is
decided by where objects lie, or by how long the machine took.

`id()`, the default `hash()` and with it the order of a set of objects follow their addresses. Those are the same in two
executions of the same requests, and others as soon as one request is a word longer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..handler.reply import Reply
    from ..schedule.actors import Actor
    from ..schedule.loop import ControlledLoop
    from ..trace.model import Request

TRIALS = 4
_SIZES = range(16, 512, 16)


def disturbed(trial: int) -> list[Any]:
    """Objects of every size that the small-object allocator knows, one more of each in every trial. The memory is as it
    was once they are let go."""
    kept: list[Any] = []
    for _ in range(2 * trial - 1):
        kept += [object(), [], {}, (kept,), set[Any](), trial / 3.0, _Plain()]
        kept += [bytes(size) for size in _SIZES]
    return kept


_REAL_CLOCKS = frozenset(
    {
        *("now", "utcnow", "today", "clock_gettime", "clock_gettime_ns", "process_time", "process_time_ns"),
        *("thread_time", "thread_time_ns", "localtime", "gmtime", "strftime", "ctime", "asctime", "times"),
    }
)
_LATE_S = 0.004
_MOST_LATE = 25
_sleep = time.sleep  # the real one, before the program's are put in its place


def reads_real_clocks(spelled: frozenset[str]) -> bool:
    """Whether the program names what C code answers by the clock on the wall."""
    return not spelled.isdisjoint(_REAL_CLOCKS)


class Late:
    """Observer: lets real time pass between steps."""

    def __init__(self) -> None:
        self._left = _MOST_LATE
        self._others: Callable[[Actor], None] | None = None

    def begin(self, loop: ControlledLoop) -> None:
        self._others, loop.after_step = loop.after_step, self._after

    def _after(self, actor: Actor) -> None:
        if self._others is not None:
            self._others(actor)
        if self._left > 0:
            self._left -= 1
            _sleep(_LATE_S)

    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...
    def end(self, loop: ControlledLoop) -> None: ...


class _Plain:
    """As objects of the program are: with a dict of its own."""
