"""The process beside a recorded service: reads frames from its standard input and writes the trace.

It reads ahead while it writes, so that the service's pipe stays empty, and ends when nobody holds the other end any
more and all is written, whatever became of the service. Signals for the service do not end it.
"""

# What comes out of marshal has no types.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import dataclasses
import gc
import json
import operator
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from .frames import Clock, Replay, packed, unpacked
from .overflow import Rest
from .recorder import Note
from .settings import Settings
from .sidecar_process import COUNTS
from .writer import Origin

if TYPE_CHECKING:
    from .frames import Frame

_READ = 1 << 20
_AHEAD = 128 << 20
"""So much is read ahead; what comes on top waits in the service, and is counted there when it does not fit."""
_LOOK_MS = 500
"""A service that finds the pipe full in the moment in which it becomes empty wakes nobody."""
_AT_ONCE = 32
_PAUSE_S = 0.002
"""Reading a little later than one could wakes this process once for many frames, and lets the service's writes be
cheap: one that wakes a reader costs it twice as much."""
_NOTES_S = 0.05
_MEMBERS = operator.attrgetter(*(member.name for member in dataclasses.fields(Note)))  # `astuple` copies deeply


class Intake:
    """What comes through the pipe, as frames. A thread reads it, however long one event takes to be written."""

    def __init__(self, descriptor: int, rest: Rest) -> None:
        self._descriptor = descriptor
        self._rest = rest
        self._data = bytearray()
        self._lock = threading.Lock()
        self._come = threading.Event()
        self._ended = False
        os.set_blocking(descriptor, False)
        threading.Thread(target=self._read, name="crosslane-intake", daemon=True).start()

    @property
    def ended(self) -> bool:
        """Whether there is nothing more, and will be nothing more."""
        return self._ended and len(self._data) < 4

    def frames(self, most: int, wait_s: float) -> list[Frame]:
        """The next frames, as many as there are; where there is none it waits so long for one."""
        with self._lock:
            frames = unpacked(self._data, most)
            if not frames and self._ended:
                self._data.clear()  # a frame that a kill has cut
            self._come.clear()
        if not frames and not self._ended:
            self._come.wait(wait_s)
        return frames

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while not self._ended:
            poll.poll(_LOOK_MS)
            time.sleep(_PAUSE_S)
            while len(self._data) < _AHEAD:
                data = self._next()
                if data is None:
                    break
                with self._lock:
                    self._data += data
                    self._ended = not data
                    self._come.set()
                if not data:
                    break

    def _next(self) -> bytes | None:
        """What comes next: None where nothing is there yet, and nothing at the end.

        Whether something waits beside the pipe is looked at first: as long as it does, nothing is written into the
        pipe, and what is in there came before it. Looked at afterwards, a pipe that was empty may be full by now.
        """
        waits = self._rest.waits
        try:
            return os.read(self._descriptor, _READ) or self._rest.take(_READ)
        except BlockingIOError:
            return self._rest.take(_READ) if waits else None


class Told:
    """Notes on their way back to the service, many at once."""

    def __init__(self) -> None:
        self._notes: list[tuple[object, ...]] = []
        self._last = 0.0
        self._gone = False

    def take(self, note: Note) -> None:
        self._notes.append(_MEMBERS(note))

    def pass_on(self) -> bool:
        """Send them, if it is time; whether some still wait."""
        if self._notes and time.monotonic() - self._last >= _NOTES_S:
            self.flush()
        return bool(self._notes)

    def flush(self) -> None:
        notes, self._notes = self._notes, []
        self._last = time.monotonic()
        if notes and not self._gone:
            data = packed(tuple(notes))
            try:
                while data:
                    data = data[os.write(1, data) :]
            except OSError:
                self._gone = True


def main(counts: int, overflow: int) -> None:
    """Record until the pipe ends. `counts` is the descriptor that keeps the counts, `overflow` that of what it did not
    take."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    sys.setswitchinterval(0.001)  # the thread that reads must not wait long
    rest = Rest(overflow)
    intake = Intake(0, rest)
    while not (first := intake.frames(1, 60)):
        if intake.ended:
            return
    _, data, origin, notes = first[0]
    told = Told()
    clock = Clock()
    recorder = Settings.from_data(data).recorder(
        told=told.take if notes else None, origin=Origin(*origin), now=clock.now_ns
    )
    os.write(1, b"+")  # from now on the file says who writes it
    gc.freeze()
    replay = Replay(recorder, clock)
    while not intake.ended:
        frames = intake.frames(_AT_ONCE, _NOTES_S if told.pass_on() else 60)
        for frame in frames:
            replay.take(frame)
        if frames:
            os.pwrite(counts, COUNTS.pack(replay.taken, recorder.lost), 0)
    recorder.count_lost(rest.untold)
    recorder.close(replay.in_order)
    told.flush()
    os.pwrite(counts, COUNTS.pack(replay.taken, recorder.lost) + json.dumps(recorder.unmet).encode("ascii"), 0)
