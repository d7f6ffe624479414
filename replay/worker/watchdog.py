"""Notices a handler that does not give control back, and names the line it stands on.

A timer signal looks four times a second whether the loop has made a step. Where it has not for too long, an exception
is raised in the handler, so that one blocked request does not cost the others. A handler that is stuck inside C code
never sees the signal, and the process falls silent: whoever waits for it asks for its stack with `DUMP_SIGNAL` and ends
it. (Asking faulthandler beforehand for a dump after some seconds looks simpler, but its thread reads the frames of an
interpreter that goes on running, and once in a while crashes it.)
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..pause import Pause

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

    from ..schedule.loop import ControlledLoop
    from .escapes import Escapes

TICK_S = 0.25
# An execution that is under way when the user asks to stop has so long to end by itself.
_TO_END_S = 1.5
DUMP_SIGNAL = signal.SIGUSR1
# Those of job control. Caught, the first stops no process, and the second could not wake one that it had stopped.
PAUSE_SIGNAL = signal.SIGTSTP
GO_ON_SIGNAL = signal.SIGCONT
_RAISES = 12
# The program may call those of the module, see `timers`.
_signal, _setitimer = signal.signal, signal.setitimer


class HandlerBlocked(BaseException):
    """Raised inside a handler that blocks the loop. No Exception, so that few handlers catch it by accident."""


def _nobody_hears(what: str) -> None:
    pass


@dataclass(slots=True)
class Interrupt:
    """Whether the client asked the running job to stop, or to wait. Listened for from the worker's first moment."""

    asked: bool = False
    pause: Pause = field(default_factory=Pause)
    _raising: bool = False

    def answered(self) -> None:
        self.asked = False

    def listen(self) -> None:
        signal.signal(signal.SIGINT, self._hear)
        signal.signal(PAUSE_SIGNAL, lambda _signum, _frame: self.pause.begin())
        signal.signal(GO_ON_SIGNAL, lambda _signum, _frame: self.pause.end())

    def _hear(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.asked = True
        self.pause.end()
        if self._raising:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def at_once(self) -> Generator[None]:
        """For work of ours, which leaves nothing behind: asking to stop breaks it off with a KeyboardInterrupt."""
        self._raising = True
        try:
            if self.asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._raising = False


class Watchdog:
    """Attributes:
    loop: the loop whose steps are counted; None while a module is imported.
    beat: called at every tick: the client hears that the worker lives.
    """

    def __init__(
        self,
        escapes: Escapes,
        interrupt: Interrupt,
        beat: Callable[[], None],
        dying: Callable[[str], None],
    ) -> None:
        self.loop: ControlledLoop | None = None
        self.limit_s = 5.0
        self.watching = False
        self._escapes = escapes
        self._interrupt = interrupt
        self._beat = beat
        self._dying = dying
        self._parent = os.getppid()
        self._seen: tuple[int, int] | None = None
        self._stuck_s = 0.0
        self._raised = 0
        self._asked_s = 0.0

    def start(self) -> None:
        _signal(signal.SIGALRM, self._tick)
        _setitimer(signal.ITIMER_REAL, TICK_S, TICK_S)

    def restart_in_child(self, beat: Callable[[], None]) -> None:
        """Timers are not inherited by a fork. `beat` tells the parent that the child lives."""
        self._parent = os.getppid()
        self._beat = beat
        self._dying = _nobody_hears
        self.start()

    def stop(self) -> None:
        _setitimer(signal.ITIMER_REAL, 0.0)

    def _tick(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._beat()
        if os.getppid() != self._parent:
            os._exit(0)
        if not self.watching:
            self._seen = None
            return
        now = (id(self.loop), self.loop.steps if self.loop is not None else 0)
        same = self._seen is not None and self._seen[0] == now[0]
        self._asked_s = self._asked_s + TICK_S if same and self._interrupt.asked else 0.0
        if self._asked_s >= _TO_END_S and self.loop is not None:
            self.loop.interrupt()
        if now != self._seen:
            self._seen, self._stuck_s, self._raised = now, 0.0, 0
            return
        self._stuck_s += TICK_S
        if self._stuck_s < (TICK_S if self._interrupt.asked else self.limit_s):
            return
        if self._interrupt.asked and self.loop is None:
            raise KeyboardInterrupt  # while a module is imported, ctrl-c is what it would be without us
        at = self._escapes.place(self._running(frame))
        what = (
            f"did not give control back for {self._stuck_s:.1f} s at {at}" if at else "blocked outside the user's code"
        )
        if at is None and self._stuck_s < 4 * self.limit_s:
            return  # ours, or between two lines of the user's
        self._raised += 1
        if self._raised > _RAISES:
            self._dying(what)
            os._exit(70)
        if self.loop is not None:
            self.loop.stopped = self.loop.stopped or what
        raise HandlerBlocked(what)

    def _running(self, frame: FrameType | None) -> FrameType | None:
        """Where the program is: the loop's thread only waits while one of the program's own has the baton."""
        thread = self.loop.baton.current if self.loop is not None else None
        return frame if thread is None else sys._current_frames().get(thread.ident)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

    def __enter__(self) -> Watchdog:
        self._seen = None
        self.watching = True
        return self

    def __exit__(self, *_: Any) -> None:
        self.watching = False
