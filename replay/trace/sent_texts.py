"""Where in all that one user sent a value first stands. It is asked for every id of every answer, which are many."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

_MANY = 64
_PIECE = 6


class SentTexts:
    """The texts of a user's requests, in the order in which they were sent."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._all = "\n".join(texts)
        self._starts = [0, *accumulate(len(text) + 1 for text in texts)]
        self._known: dict[str, int | None] = {}
        self._pieces: set[str] | None = None

    def first(self, value: str) -> int | None:
        """The index of the first text that holds `value`, as it is or quoted as in a URL; None where none does.

        A value has no white space in it, hence stands in one text alone, and six characters or more.
        """
        if value not in self._known:
            places = [self._find(each) for each in {value, quote(value, safe="")}]
            found = [place for place in places if place >= 0]
            self._known[value] = bisect_right(self._starts, min(found)) - 1 if found else None
        return self._known[value]

    def _find(self, text: str) -> int:
        # A search through everything is quick, a search for each of thousands is not: most values are never sent, and
        # already their first characters stand nowhere.
        if self._pieces is None and len(self._known) >= _MANY:
            self._pieces = {self._all[at : at + _PIECE] for at in range(len(self._all))}
        if self._pieces is not None and text[:_PIECE] not in self._pieces:
            return -1
        return self._all.find(text)
