"""The user's files that a program was imported from, and whether they still are as they were then.

Compared by time and size. A file that was written after the import began may have been read before or after that: it
counts as edited, and the program is loaded once more than needed rather than once too few.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..state.files import UserFiles

    Stamp = tuple[int, int]

_UNSURE = (0, 0)


def imported(files: UserFiles, since_ns: int) -> dict[str, Stamp]:
    """Time and size of each of `files` that a module was imported from, by path. `since_ns` is when that began."""
    stamps: dict[str, Stamp] = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file in files:
            stamp = _stamp(file)
            stamps[os.path.abspath(file)] = _UNSURE if stamp is None or stamp[0] >= since_ns else stamp
    return stamps


def edited(stamps: Mapping[str, Stamp]) -> tuple[str, ...]:
    """Those of the files that are no longer as they were, or no longer there."""
    return tuple(file for file, stamp in stamps.items() if _stamp(file) != stamp)


def _stamp(file: str) -> Stamp | None:
    try:
        about = os.stat(file)
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size
