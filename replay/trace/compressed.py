"""Opening a file that may be compressed: gzip and zstd are told by their first bytes, not by a name."""

from __future__ import annotations

import gzip
import io
from typing import IO, TYPE_CHECKING, Any, cast

from ..errors import TraceError

if TYPE_CHECKING:
    from pathlib import Path


def open_any(path: Path) -> IO[bytes]:
    """A file as bytes, unpacked where it is gzip or zstd.

    Raises:
        TraceError: it is zstd and the package that reads it is not installed.
    """
    return unpacked(path.open("rb"), str(path))


def unpacked(stream: IO[bytes], where: str) -> IO[bytes]:
    """The same for a file that is open already and stands at its start; `where` is for the message."""
    start = stream.read(4)
    stream.seek(0)
    if start[:2] == b"\x1f\x8b":
        return cast("IO[bytes]", gzip.open(stream))
    if start == b"\x28\xb5\x2f\xfd":
        try:
            import zstandard
        except ImportError:
            stream.close()
            raise TraceError(
                "is compressed with zstd, which needs the zstandard package",
                where,
                'run pip install "crosslane[zstd]", or decompress it',
            ) from None
        reader: Any = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BufferedReader(reader)
    return stream
