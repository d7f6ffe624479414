"""A trace on standard input, put into a file: some readings are two, and what is compressed is told by its start."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

STDIN = "-"
NAME = "standard input"
_AT_ONCE = 1 << 20


@contextlib.contextmanager
def file_of(given: str | Path, on_bytes: Callable[[int], None] | None = None) -> Generator[Path]:
    """The file that is given; for `-` one with all of standard input, which is gone afterwards.

    `on_bytes` is told how many bytes of standard input were read, again and again.
    """
    if str(given) != STDIN:
        yield Path(given)
        return
    with tempfile.NamedTemporaryFile(prefix="crosslane-") as spool:
        while piece := sys.stdin.buffer.read(_AT_ONCE):
            spool.write(piece)
            if on_bytes is not None:
                on_bytes(len(piece))
        spool.flush()
        yield Path(spool.name)
