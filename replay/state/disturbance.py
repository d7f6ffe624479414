"""The memory laid out in another way: what an execution then answers otherwise is decided by where objects lie.

`id()`, the default `hash()` and with it the order of a set of objects follow their addresses. Those are the same in two
executions of the same requests, and others as soon as one request is a word longer.
"""

from __future__ import annotations

from typing import Any

TRIALS = 4
_SIZES = range(16, 512, 16)


def disturbed(trial: int) -> list[Any]:
    """Objects of every size that the small-object allocator knows, one more of each in every trial. The memory is as it
    was once they are let go."""
    kept: list[Any] = []
    for _ in range(2 * trial - 1):
        kept += [object(), [], {}, (kept,), set[Any](), trial / 3.0, _Plain()]
        kept += [bytes(size) for size in _SIZES]
    return kept


class _Plain:
    """As objects of the program are: with a dict of its own."""
