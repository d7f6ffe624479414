"""What a recorded service tells the process that writes its trace: one tuple for each moment of an exchange.

A frame holds what the server gave, undecoded: to make one costs a microsecond, and all that recording means (identity,
redaction, JSON, files) happens at the other end, where `Replay` does to a recorder in the same order what was done to
the relay. Frames pass through a pipe between two processes of one installation and are never stored.
"""

# What comes out of marshal has no types.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from .recorder import Recorder, Recording

Frame: TypeAlias = "tuple[Any, ...]"

SETTINGS, REQUEST, RESPOND, PART, SAID, UPSTREAM, END, LOST, CLOSE = range(9)
"""Kinds of frames. After the kind come the number of the exchange and the time, then what the kind tells."""

_VERSION = 2  # later ones look for the same object twice, which costs more than it saves
_DONE_KEPT = 4_096
"""Exchanges that have ended and may still be told of: a service may read an upstream answer after it has answered."""


def packed(frame: Frame) -> bytes:
    """A frame with its length in front."""
    try:
        payload = marshal.dumps(frame, _VERSION)
    except ValueError:
        payload = marshal.dumps(_plain(frame), _VERSION)
    return len(payload).to_bytes(4, "little") + payload


def unpacked(data: bytearray, most: int) -> list[Frame]:
    """The first whole frames of what has come, at most so many; they are taken away from it."""
    frames: list[Frame] = []
    start, size = 0, len(data)
    while len(frames) < most and start + 4 <= size:
        end = start + 4 + int.from_bytes(data[start : start + 4], "little")
        if end > size:
            break
        frames.append(marshal.loads(data[start + 4 : end]))
        start = end
    del data[:start]
    return frames


def _plain(value: Any) -> Any:
    """The same of built-in types: a server may have its own kinds of text and bytes."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if value is None or isinstance(value, (bool, float)):
        return value
    return int(value) if isinstance(value, int) else str(value)


class Clock:
    """The time of the frame that is being replayed."""

    def __init__(self) -> None:
        self.at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns


class Replay:
    """Does to a recorder what frames tell.

    Attributes:
        in_order: whether the recording was closed, and not cut off.
        taken: how many frames of exchanges have been replayed.
    """

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self.in_order = False
        self.taken = 0
        self._recorder = recorder
        self._clock = clock
        self._open: dict[int, Recording] = {}
        self._done: dict[int, Recording] = {}

    def take(self, frame: Frame) -> None:
        """One frame. What cannot be recorded is counted as lost."""
        try:
            self._take(frame)
        except Exception:  # one exchange that cannot be written must not cost the others
            self._recorder.count_lost(1)

    def _take(self, frame: Frame) -> None:
        kind = frame[0]
        if kind == LOST:
            _, count, numbers = frame
            self._recorder.count_lost(count)
            for number in numbers:
                self._open.pop(number, None)
            return
        if kind == CLOSE:
            self.in_order = True
            return
        self.taken += 1
        number, self._clock.at_ns = frame[1], frame[2]
        if kind == REQUEST:
            _, _, _, method, target, headers, connection, body, extra = frame
            recording = self._recorder.begin(method, target, headers, connection)
            self._open[number] = recording
            recording.request(body, extra)
            return
        recording = self._open.get(number) or self._done[number]
        if kind == END:
            _, _, _, end, error, last, answer, skipped = frame
            if answer is not None:
                recording.respond(*answer)
            if last:
                recording.part(last)
            recording.skipped(skipped)
            recording.finish(end, error)
            self._close(number)
        elif kind == PART:
            recording.part(frame[3])
        elif kind == RESPOND:
            recording.respond(*frame[3])
        elif kind == SAID:
            recording.said(frame[3])
        elif kind == UPSTREAM:
            _, _, _, name, sent, answered, at_ns, end = frame
            recording.upstream(name, sent, answered, at_ns, end)

    def _close(self, number: int) -> None:
        recording = self._open.pop(number, None)
        if recording is not None:
            self._done[number] = recording
            if len(self._done) > _DONE_KEPT:
                del self._done[next(iter(self._done))]
