"""Whose value a text holds: words that exactly one lane has sent, or was answered when it was alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..replay.detect.values import is_telling, material_of, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..replay.run import Run
    from ..replay.trace.model import Request

_NOBODY = ""


class Owners:
    """Knows the words of every lane of a trace."""

    def __init__(self, requests: Mapping[str, Iterable[Request]], solo: Mapping[str, Run]) -> None:
        """Args:
        requests: of each lane.
        solo: the run of each lane alone, as far as there are any.
        """
        self._owner: dict[str, str] = {}
        for lane, sent in requests.items():
            alone = solo.get(lane)
            for word in material_of(sent, alone.outcomes if alone is not None else ()).all:
                if is_telling(word):
                    self._owner[word] = lane if self._owner.setdefault(word, lane) == lane else _NOBODY

    def foreign(self, lane: str, text: str) -> dict[str, set[str]]:
        """The words in `text` that belong to other lanes, by those."""
        return {owner: words for owner, words in self.of(text).items() if owner != lane}

    def of(self, text: str) -> dict[str, set[str]]:
        """The words in `text` that belong to one lane, by lane."""
        found: dict[str, set[str]] = {}
        for word in tokens(text):
            owner = self._owner.get(word, _NOBODY)
            if owner:
                found.setdefault(owner, set()).add(word)
        return found
