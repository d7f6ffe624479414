"""A large table of values that are known by their hash alone: what an audit has no room to keep as text.

24 bytes a slot, against some 300 of a value kept whole, so that tens of millions of values fit where hundreds of
thousands did. Open addressing with linear probing (Knuth, TAOCP 3, 6.4, algorithm L). Hashes are Python's own, of 64
bits and keyed by the process, so that no trace can be made to collide.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

MOST_KEPT = 12_000_000
_FREE = 0
_FIRST_BITS = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a value first came from; `request` is -1 where it is nobody's."""

    request: int
    mark: int
    since_ns: int


class Ledger:
    """Values by hash, each with a request, a mark below 16 and a time.

    Args:
        most: how many values fit; `put` refuses further ones.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._count = 0
        self._allocate(_FIRST_BITS)

    def __len__(self) -> int:
        return self._count

    def get(self, text: str) -> Entry | None:
        if not self._count:
            return None
        slot = self._slot(hash(text) or 1)
        if self._keys[slot] == _FREE:
            return None
        told = self._told[slot]
        return Entry(told >> 4, told & 15, self._since[slot])

    def put(self, text: str, entry: Entry) -> bool:
        """Add a value, or say something else of a known one; False where there is no room for a new one."""
        key = hash(text) or 1
        slot = self._slot(key)
        if self._keys[slot] == _FREE:
            if self._count >= self._most:
                return False
            if self._count * 3 >= len(self._keys) * 2:
                self._grow()
                slot = self._slot(key)
            self._count += 1
            self._keys[slot] = key
        self._told[slot] = entry.request << 4 | entry.mark
        self._since[slot] = entry.since_ns
        return True

    def _slot(self, key: int) -> int:
        keys, mask = self._keys, self._mask
        slot = key & mask
        while (found := keys[slot]) != _FREE and found != key:
            slot = (slot + 1) & mask
        return slot

    def _allocate(self, bits: int) -> None:
        size = 1 << bits
        self._mask = size - 1
        self._keys = array("q", [_FREE]) * size
        self._told = array("q", [0]) * size
        self._since = array("q", [0]) * size

    def _grow(self) -> None:
        keys, told, since = self._keys, self._told, self._since
        self._allocate(len(keys).bit_length())
        for old, key in enumerate(keys):
            if key != _FREE:
                slot = self._slot(key)
                self._keys[slot], self._told[slot], self._since[slot] = key, told[old], since[old]
