"""A job that waits between two executions until it may go on. The time it waits is no part of its budget.

It is asked for from outside: a signal's handler or another thread, so that each change is a single assignment.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# As they were before anything took their place for the program's sake.
_clock = time.monotonic
_sleep = time.sleep
_LOOK_S = 0.05


class Pause:
    """Attributes:
    told: hears True when the job stands still, and False when it goes on.
    """

    def __init__(self) -> None:
        self.told: Callable[[bool], None] = lambda _: None
        self._since: float | None = None
        self._before_s = 0.0

    @property
    def asked(self) -> bool:
        return self._since is not None

    @property
    def paused_s(self) -> float:
        """For how long this job was to wait, until now."""
        since = self._since
        return self._before_s + (0.0 if since is None else _clock() - since)

    def new_job(self) -> None:
        """What was waited before does not count for the job that begins now."""
        self._before_s = 0.0
        if self._since is not None:
            self._since = _clock()

    def begin(self) -> None:
        if self._since is None:
            self._since = _clock()

    def end(self) -> None:
        since, self._since = self._since, None
        if since is not None:
            self._before_s += _clock() - since

    def wait(self, stop: Callable[[], bool]) -> None:
        """Return when there is no pause (any longer), or as soon as `stop()`."""
        if not self.asked or stop():
            return
        self.told(True)
        while self.asked and not stop():
            _sleep(_LOOK_S)
        self.told(False)
