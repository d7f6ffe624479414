"""The way from a recorded service to the process that writes its trace: a pipe that is never waited for.

What a full pipe does not take waits, bounded, in memory that the other process has open too (`overflow`); what does not
fit there is counted, and the count follows as soon as there is room. Every process has a pipe and a writing process of
its own, also after a fork: that one ends when it has read all and nobody holds the other end any more, so it outlives a
service that is killed. Measured for this choice: a write that wakes nobody 1-2 us, a line in the file 40 us, redacted
140 us.

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import select
import threading
import time
import weakref
from collections import deque
from typing import TYPE_CHECKING

from .frames import CLOSE, LOST, SETTINGS, packed
from .sidecar_process import Sidecar

if TYPE_CHECKING:
    from collections.abc import Callable

    from .frames import Frame
    from .recorder import Note
    from .settings import Settings

_CLOSING_S = 60.0
"""How long to wait at most for what is under way to be written."""
_STARTING_S = 10.0
_ATTEMPTS = 3
_REMEMBERED = 65_536


class Channel:
    """Sends frames to a process of its own that records as `settings` say.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, settings: Settings, mono0_ns: int, told: Callable[[Note], None] | None) -> None:
        self._settings = settings
        self._mono0_ns = mono0_ns
        self._wall0_ns = time.time_ns() - (time.monotonic_ns() - mono0_ns)
        self._told = told
        self._lock = threading.Lock()
        self._closed = False
        self._fresh()
        self._sidecar: Sidecar | None = None
        self._open(wait_s=_STARTING_S)
        _CHANNELS.add(self)

    @property
    def lost(self) -> int:
        """How many frames could not be kept, here or there."""
        told = self._sidecar.counts()[1] if self._sidecar is not None else 0
        return max(self._lost, told + self._lost - self._told_lost)

    @property
    def unmet(self) -> list[str]:
        """The rules for redaction that nothing matched, once it is closed; none where that is not known."""
        return [] if self._sidecar is None or self._replaced else self._sidecar.unmet()

    def send(self, frame: Frame) -> None:
        """Pass a frame on. Never waits."""
        data = packed(frame)
        if self._pid != os.getpid():
            self.after_fork()
        # Also where a finaliser runs in the midst of a write of this very thread, it must not wait.
        if self._waiting or not self._lock.acquire(blocking=False):
            self._hold_back(data, frame)
        else:
            try:
                if self._pipe < 0 and not self._opened():
                    self._lose(frame)
                    return
                self._sent += 1
                if not self._write(data):
                    self._sent -= 1
                    self._lose(frame)
            finally:
                self._lock.release()
        self._push()

    def close(self) -> None:
        """Send what waits, end the recording in order, and wait until all is written. Closing twice does nothing."""
        if self._closed or self._pid != os.getpid():
            return
        until = time.monotonic() + _CLOSING_S
        with self._lock:
            self._closed = True
            if self._pipe >= 0:
                self._drain()
                self._tell_losses()
                self._write(packed((CLOSE,)), True)
            self._shut()
        if self._sidecar is not None:
            self._sidecar.wait(max(0.0, until - time.monotonic()))

    def after_fork(self) -> None:
        """In the child: the pipe is the parent's, and its end must be seen there."""
        self._lock = threading.Lock()
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.close(self._pipe)
        if self._sidecar is not None:
            self._sidecar.forget()
        self._sidecar = None
        self._fresh()

    # ---- the pipe

    def _fresh(self) -> None:
        self._pid = os.getpid()
        self._pipe = -1
        self._sent = 0
        self._failed = False
        self._replaced = False
        self._attempts = 0
        self._lost = self._told_lost = 0
        self._numbers: list[int] = []
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0

    def _opened(self) -> bool:
        if self._closed or self._failed:
            return False
        try:
            self._open()
        except OSError as error:
            self._failed = True
            _LOG.warning("crosslane: nothing is recorded any more: no process can be started: %s", error)
            return False
        return True

    def _open(self, wait_s: float = 0.0) -> None:
        self._sidecar = Sidecar(self._told, self._settings.limits.backlog_bytes)
        self._pipe = self._sidecar.pipe
        self._sent = 0
        clock = (self._pid, self._wall0_ns, self._mono0_ns)
        self._write(packed((SETTINGS, self._settings.to_data(), clock, self._told is not None)), True)
        try:
            self._sidecar.up(wait_s)
        except OSError:
            self._shut()
            raise

    def _write(self, data: bytes, whatever: bool = False) -> bool:
        """Give it to the pipe, or to what the pipe is followed by; False where there is no room, `whatever` it takes.

        The lock is held. Where the other process is gone, that is what becomes of the data, and counted there.
        """
        assert self._sidecar is not None
        overflow = self._sidecar.overflow
        written = 0
        if overflow.empty:
            try:
                written = os.write(self._pipe, data)
            except BlockingIOError:
                pass
            except OSError:
                self._died()
                return True
            if written == len(data):
                return True
        elif self._nobody_reads():
            self._died()
            return True
        return overflow.put(data[written:], whatever or written > 0)

    def _nobody_reads(self) -> bool:
        poll = select.poll()
        poll.register(self._pipe, 0)
        return any(event & (select.POLLERR | select.POLLNVAL) for _, event in poll.poll(0))

    def _died(self) -> None:
        """The writing process is gone. What it had not written is lost, and another one goes on."""
        assert self._sidecar is not None
        written, lost = self._sidecar.counts()
        missing = max(0, self._sent - written)
        self._lost = max(self._lost, lost + self._lost - self._told_lost) + missing
        self._told_lost = 0
        self._replaced = True
        self._waiting.clear()
        self._waiting_bytes = 0
        # One that cannot even begin must not be started for every request.
        self._attempts = 0 if written else self._attempts + 1
        self._failed = self._attempts >= _ATTEMPTS
        self._shut()
        _LOG.warning("crosslane: the process that writes %s ended; %d events are lost", self._settings.path, missing)

    def _shut(self) -> None:
        if self._pipe >= 0:
            with contextlib.suppress(OSError):
                os.close(self._pipe)
            self._pipe = -1

    # ---- when another thread is in the midst of a write

    def _hold_back(self, data: bytes, frame: Frame) -> None:
        if self._closed or self._waiting_bytes + len(data) > self._settings.limits.backlog_bytes:
            self._lose(frame)
            return
        self._sent += 1
        self._waiting.append(data)
        self._waiting_bytes += len(data)

    def _lose(self, frame: Frame) -> None:
        self._lost += 1
        if len(self._numbers) < _REMEMBERED:
            self._numbers.append(frame[1])
        if self._sidecar is not None and self._pid == os.getpid():
            self._sidecar.overflow.tell_untold(self._lost - self._told_lost)

    def _tell_losses(self) -> None:
        """The lock is held."""
        if self._pipe < 0 or self._lost == self._told_lost:
            return
        assert self._sidecar is not None
        told, numbers = self._lost, self._numbers
        if self._write(packed((LOST, told - self._told_lost, numbers)), True):
            self._told_lost, self._numbers = told, []
            self._sidecar.overflow.tell_untold(0)

    def _push(self) -> None:
        """Write what waits; whoever holds the lock looks again afterwards. Then tell what is lost, if there is room."""
        while self._waiting and self._lock.acquire(blocking=False):
            try:
                if self._pipe < 0 and not self._opened():
                    return
                self._drain()
            finally:
                self._lock.release()
        if self._lost > self._told_lost and not self._closed and self._lock.acquire(blocking=False):
            try:
                if self._sidecar is not None and self._sidecar.overflow.empty:
                    self._tell_losses()
            finally:
                self._lock.release()

    def _drain(self) -> None:
        """Write what waits. The lock is held."""
        while self._waiting and self._pipe >= 0:
            data = self._waiting.popleft()
            self._waiting_bytes = max(0, self._waiting_bytes - len(data))
            if not self._write(data):
                self._sent -= 1
                self._lost += 1


_LOG = logging.getLogger("crosslane")
_CHANNELS: weakref.WeakSet[Channel] = weakref.WeakSet()


def _close_all() -> None:
    for channel in list(_CHANNELS):
        channel.close()


def _after_fork() -> None:
    for channel in list(_CHANNELS):
        channel.after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
