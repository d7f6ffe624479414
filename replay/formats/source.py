"""Files to import as sources: named, found by a pattern, or standard input; unpacked, and without a byte order mark.

Each is opened anew for every pass, compressed ones through their decompressor, so that nothing is unpacked to disk.
Only standard input is kept in a temporary file, since it comes once and detection reads it first.
"""

from __future__ import annotations

import contextlib
import glob
import gzip
import io
import os
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from ..errors import TraceError
from ..trace.compressed import unpacked
from ..trace.piped import NAME, STDIN, file_of
from .found import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

Watch: TypeAlias = "Callable[[str, int, int], None]"
"""Called with the name of a source, how many bytes of its file were read, and how many it has."""

HEAD = 65_536
LONGEST_LINE = 64 << 20
_AT_ONCE = 1 << 18
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@contextlib.contextmanager
def sources(names: Sequence[str], watch: Watch | None = None) -> Generator[tuple[Source, ...]]:
    """The sources that the names stand for, the same file once; `-` is standard input.

    Raises:
        TraceError: one of them is not there, is empty, or cannot be read.
    """
    with contextlib.ExitStack() as stack:
        paths = [(name, path) for given in names for name, path in _paths(given, stack)]
        once: dict[tuple[int, int], tuple[str, Path]] = {}
        for name, path in paths:
            status = path.stat()
            once.setdefault((status.st_dev, status.st_ino), (name, path))
        short = [Path(name).name for name, _ in once.values()]
        yield tuple(
            _source(name if short.count(Path(name).name) > 1 else Path(name).name, path, watch)
            for name, path in once.values()
        )


def source_of(path: Path) -> Source:
    """One file as a source.

    Raises:
        TraceError: it is empty or cannot be read.
    """
    return _source(path.name, path, None)


def torn(error: Exception) -> bool:
    """Whether an error while reading means that a compressed file is cut short or damaged."""
    return isinstance(error, (EOFError, gzip.BadGzipFile, zlib.error)) or type(error).__name__ == "ZstdError"


def lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """(number from 1, line without its end) of each line that is not blank; None for one that no record can be."""
    read = stream.readline
    number = 0
    while line := read(LONGEST_LINE):
        number += 1
        if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := read(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, None
        elif line.strip():
            yield number, line.rstrip(b"\r\n")


class _Watched(io.FileIO):
    """A file that says how far it has been read."""

    def __init__(self, path: Path, name: str, watch: Watch | None) -> None:
        super().__init__(path)
        self._watch = watch
        self._name = name
        self._size = path.stat().st_size

    def readinto(self, buffer: bytearray | memoryview) -> int | None:  # type: ignore[override]
        count = super().readinto(buffer)
        if self._watch is not None:
            self._watch(self._name, self.tell(), self._size)
        return count


def _source(name: str, path: Path, watch: Watch | None) -> Source:
    def plain(watching: Watch | None = None) -> IO[bytes]:
        return unpacked(io.BufferedReader(_Watched(path, name, watching), _AT_ONCE), name)

    try:
        with plain() as stream:
            head = stream.read(HEAD)
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", name) from None
    except Exception as error:
        if not torn(error):
            raise
        raise TraceError(f"is compressed, and damaged from its start: {error}", name) from None
    if not head.strip():
        raise TraceError("is empty", name, "there is nothing to import")
    if head[:2] in _UTF16:
        raise TraceError("is UTF-16 text", name, "convert it: iconv -f UTF-16 -t UTF-8")
    marked = head.startswith(_BOM)

    def opened() -> IO[bytes]:
        stream = plain(watch)
        if marked:
            stream.read(len(_BOM))
        return stream

    return Source(name, path, head[len(_BOM) :] if marked else head, opened)


def _paths(given: str, stack: contextlib.ExitStack) -> list[tuple[str, Path]]:
    if given == STDIN:
        return [(NAME, stack.enter_context(file_of(given)))]
    path = Path(given)
    if path.is_dir():
        raise TraceError("is a directory", given, f"name the files in it, such as {os.path.join(given, '*.jsonl')}")
    if path.exists():
        return [(given, path)]
    found = sorted(glob.glob(given, recursive=True)) if glob.has_magic(given) else []
    files = [(name, Path(name)) for name in found if Path(name).is_file()]
    if not files:
        what = "no file fits the pattern" if glob.has_magic(given) else "no such file"
        raise TraceError(what, given, "the path is relative to the current directory")
    return files
