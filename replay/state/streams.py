"""What stands in an open file or in a text buffer in memory, and where in it the next read or write will be.

Only Python's own kinds are looked into, over a file on disk: to ask anything else would run code of the program.
"""

from __future__ import annotations

import io
import os
import stat
from dataclasses import dataclass
from typing import Any

_IN_MEMORY = (io.StringIO, io.BytesIO)
_BUFFERED = (io.BufferedRandom, io.BufferedReader, io.BufferedWriter)
_LARGEST = 4_000_000


@dataclass(frozen=True, slots=True)
class Content:
    """All that stands in a stream, and the position."""

    what: str | bytes
    position: int


def is_stream(thing: Any) -> bool:
    """Whether its content can be told."""
    return type(thing) in _IN_MEMORY or _descriptor(thing) >= 0


def read(stream: Any) -> Content | None:
    """What it holds; None where it is closed, too large or only to be written."""
    try:
        what = _held(stream)
        return None if what is None else Content(what, stream.tell())
    except (OSError, ValueError):  # closed, or in the middle of a loop over its lines
        return None


def told(stream: Any) -> str | bytes:
    """What it holds, wherever it stands; nothing where that cannot be told."""
    try:
        return _held(stream) or ""
    except (OSError, ValueError):
        return ""


def _held(stream: Any) -> str | bytes | None:
    if type(stream) in _IN_MEMORY:
        return stream.getvalue()
    descriptor = _descriptor(stream)
    stream.flush()
    size = os.fstat(descriptor).st_size
    return None if size > _LARGEST else os.pread(descriptor, size, 0)


def write(stream: Any, content: Content | None) -> None:
    """Make it what `read` gave, as far as that is possible."""
    now = read(stream)
    if content is None or now is None or now == content:
        return
    try:
        if type(stream) in _IN_MEMORY:
            stream.seek(0)
            stream.truncate()
            stream.write(content.what)
        elif now.what != content.what and isinstance(content.what, bytes):
            os.ftruncate(_descriptor(stream), 0)
            os.pwrite(_descriptor(stream), content.what, 0)
        stream.seek(content.position)
    except (OSError, ValueError):
        return


def _descriptor(thing: Any) -> int:
    """The number of the open file on disk behind it; -1 where there is none."""
    try:
        buffer: Any = thing.buffer if type(thing) is io.TextIOWrapper else thing
        raw: Any = buffer.raw if type(buffer) in _BUFFERED else buffer
        if type(raw) is not io.FileIO or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
            return -1
        return raw.fileno()
    except (OSError, ValueError):
        return -1
