"""Looking for a text in the rows of the lanes: from a row on, around the end, and a few rows at a time.

A run may have a million rows. They are looked at only until one matches, in pieces short enough to draw in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .rows import row_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .emphasis import Emphasis
    from .grid import Grid

CHUNK = 1_000


def ways(count: int, start: int, by: int) -> Iterator[range]:
    """All of `count` places once, from `start` on upwards (`by` 1) or downwards (-1) and around the end, in pieces."""
    start %= max(1, count)
    every = range(count)
    parts = (every[start:], every[:start]) if by > 0 else (every[start::-1], every[:start:-1])
    for part in parts:
        for first in range(0, len(part), CHUNK):
            yield part[first : first + CHUNK]


def first_match(grid: Grid, rows: Sequence[int], places: range, emphasis: Emphasis) -> int | None:
    """The first of these places whose row says what is searched for."""
    matches = emphasis.matches
    return next((place for place in places if matches(row_text(grid, rows[place], emphasis))), None)
