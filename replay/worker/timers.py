"""Timer signals, of which a process has one for real time: the watchdog's. The program's own timers are only noted.

A signal comes in the middle of whatever runs then, by the clock on the wall: nothing of that can be repeated. So none
is sent, and that one was asked for is said. Nor does a handler for it hear the watchdog's.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_signal = signal.signal


def install(said: Callable[[], None]) -> None:
    """Stand in for what sets timers. Before the program is imported.

    Args:
        said: called when the program sets one.
    """
    handler: Any = signal.SIG_DFL

    def handle(signum: int, wanted: Any, /) -> Any:
        nonlocal handler
        if signum != signal.SIGALRM:
            return _signal(signum, wanted)
        _signal(signum, signal.getsignal(signum))  # refused on another thread than the first
        before, handler = handler, wanted
        return before

    def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> tuple[float, float]:  # noqa: ARG001
        if seconds:
            said()
        return (0.0, 0.0)

    def alarm(seconds: int, /) -> int:
        if seconds:
            said()
        return 0

    signal.signal, signal.setitimer, signal.alarm = handle, setitimer, alarm
