"""Where the members of a set lie in its table, from which the order of later members follows; see `setobject.h`.

Sets tell of it to nobody: it is read from memory, for the interpreters whose sets are known to lie so.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from typing import Any

from ..schedule.reduction import IrreducibleError


def table_of(thing: Any) -> str:
    """Which places of a set's table are taken, and which were."""
    if not _TABLES:
        raise IrreducibleError("a set cannot be looked into")
    _, used, mask, table = struct.unpack("nnnP", ctypes.string_at(id(thing) + object.__basicsize__, 32))
    raw = ctypes.string_at(table, (mask + 1) * 16)
    marks = ["." if not key else "x" if kept == -1 else "o" for key, kept in struct.iter_unpack("Pn", raw)]
    # A hash of a member is never -1, the one of a place that was left always is.
    return "".join(marks) if used or "x" in marks else str(mask)


def _tables_are_as_expected() -> bool:
    if sys.implementation.name != "cpython" or sys.version_info[:2] not in ((3, 11), (3, 12), (3, 13)):
        return False
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    probe = {1, 2, 5}
    probe.discard(2)
    _, used, mask, table = struct.unpack("nnnP", ctypes.string_at(id(probe) + object.__basicsize__, 32))
    if (used, mask) != (2, 7):
        return False
    raw = ctypes.string_at(table, (mask + 1) * 16)
    return [(bool(key), kept) for key, kept in struct.iter_unpack("Pn", raw)][:6] == [
        *((False, 0), (True, 1), (True, -1), (False, 0), (False, 0), (True, 5)),
    ]


_TABLES = _tables_are_as_expected()
