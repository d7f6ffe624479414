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
    stream = path.open("rb")
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
                str(path),
                'run pip install "crosslane[zstd]", or decompress it',
            ) from None
        reader: Any = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        return io.BufferedReader(reader)
    return stream
