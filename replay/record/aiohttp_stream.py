"""What is read from an aiohttp stream, seen without reading it: handlers and callers keep the stream for themselves.

A stream is watched by moving it to a subclass without members of its own, since `StreamReader` has slots. Every way of
reading it ends in the one method that is overridden here (aiohttp 3.8 to 3.14).
"""

# The application's own aiohttp is at the other end, in whatever version it has.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false, reportUnknownParameterType=false

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Seen:
    """What has been read so far, at most `most` bytes of it.

    Attributes:
        whole: called once, when the stream has been read to its end.
    """

    __slots__ = ("data", "ended", "most", "size", "whole")

    def __init__(self, most: int, whole: Callable[[], None]) -> None:
        self.data = bytearray()
        self.size = 0
        self.most = most
        self.whole = whole
        self.ended = False

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if len(self.data) < self.most:
            self.data += data

    def back(self, count: int) -> None:
        """The reader put bytes back: they will be read again."""
        self.size -= count
        del self.data[max(0, len(self.data) - count) :]

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.whole()


_seen: dict[int, Seen] = {}


def watch(stream: Any, seen: Seen) -> bool:
    """Note in `seen` whatever is read from a `StreamReader`; False where that cannot be done."""
    try:
        watched = _watched(type(stream))
        _seen[id(stream)] = seen
        stream.__class__ = watched
    except (TypeError, AttributeError):
        _seen.pop(id(stream), None)
        return False
    return True


def forget(stream: Any) -> None:
    """Stop watching. What has arrived unread is added, and the stream is as before."""
    seen = _seen.pop(id(stream), None)
    if seen is None:
        return
    with contextlib.suppress(TypeError, AttributeError):
        for data in tuple(getattr(stream, "_buffer", ())):
            seen.add(bytes(data))
        stream.__class__ = type(stream).__mro__[1]


@functools.cache
def _watched(kind: type) -> type:
    class Watched(kind):
        __slots__ = ()

        def _read_nowait_chunk(self, n: int) -> bytes:
            data: bytes = super()._read_nowait_chunk(n)
            seen = _seen.get(id(self))
            if seen is not None:
                seen.add(data)
                if self._eof and not self._buffer:
                    seen.end()
            return data

        def unread_data(self, data: bytes) -> None:
            seen = _seen.get(id(self))
            if seen is not None:
                seen.back(len(data))
            super().unread_data(data)

        def feed_eof(self) -> None:
            super().feed_eof()
            seen = _seen.get(id(self))
            if seen is not None and not self._buffer:
                seen.end()

    Watched.__name__, Watched.__qualname__ = kind.__name__, kind.__qualname__
    return Watched
