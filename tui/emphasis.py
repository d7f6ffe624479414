"""What in a cell deserves the eye: another lane's value, a difference from another run, what is searched for.

Found when a cell is drawn, and only then. Each has a word or a sign beside its colour: the lane that owns a value,
`≠` and `+` for a difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..replay.report import Finding
    from ..replay.run import Event

_ANSWERS = frozenset(("response", "error", "chunk", "output"))


class Span(NamedTuple):
    """A part of a cell's text, and the role of a piece that it has."""

    start: int
    end: int
    role: str


@dataclass(frozen=True, slots=True)
class Foreign:
    """A value of `owner`'s that `lane` was shown."""

    value: str
    owner: str
    lane: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A row that another run has otherwise: `≠` and the text that it has there, `+` for a row that it has not, or `−`
    for one that it has and this run has not."""

    sign: str
    than: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Emphasis:
    """What is emphasised in a run.

    Attributes:
        evidence: the foreign value at the sink of the finding, as it was found.
        foreign: the foreign values of all findings.
        marks: the rows that differ from the run this one is compared with.
        query: what is searched for.
    """

    evidence: str = ""
    foreign: tuple[Foreign, ...] = ()
    marks: Mapping[int, Mark] = field(default_factory=dict[int, Mark])
    query: str = ""

    def spans(self, row: int, event: Event, text: str) -> tuple[list[Span], str]:
        """What to emphasise in the text of a cell, without overlaps, and the remark at its end."""
        spans: list[Span] = []
        remark = ""
        if self.foreign and event.kind in _ANSWERS:
            for foreign in self.foreign:
                found = _find(foreign.value, text) if foreign.lane == event.lane else []
                if found:
                    spans += (Span(start, end, "evidence") for start, end in found)
                    remark = remark or f"‹{safe(foreign.owner, 20)}›"
        spans += self.found(text)
        mark = self.marks.get(row) if self.marks else None
        if mark is not None:
            remark = remark or f"{mark.sign} {mark.than}"
            if mark.sign == "≠":
                spans.append(_changed(text, mark.text))
        return _apart(spans), remark

    def found(self, text: str) -> list[Span]:
        """Where what is searched for stands in a text."""
        return [Span(start, end, "match") for start, end in _find(self.query, text)] if self.query else []

    def matches(self, text: str) -> bool:
        return bool(self.query) and _pattern(self.query).search(text) is not None


PLAIN = Emphasis()


def foreign_values(findings: Iterable[Finding]) -> tuple[Foreign, ...]:
    """The values by which the findings were noticed, longest first."""
    made = {
        Foreign(value, finding.crossing.source.lane, finding.crossing.sink.lane)
        for finding in findings
        if finding.crossing.kind == "verbatim"
        for value in finding.crossing.evidence_all
        if value.strip()
    }
    return tuple(sorted(made, key=lambda foreign: (-len(foreign.value), foreign.value, foreign.owner, foreign.lane)))


def _find(value: str, text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _pattern(value).finditer(text)]


@lru_cache(maxsize=256)
def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(re.escape(safe(value)), re.IGNORECASE)


def _changed(text: str, other: str) -> Span:
    """The part that is left when what both begin and end with is taken away; the glyph in front is no part of it."""
    start = min(2, len(text))
    theirs = 0
    while start < len(text) and theirs < len(other) and text[start] == other[theirs]:
        start, theirs = start + 1, theirs + 1
    end, last = len(text), len(other)
    while end > start and last > theirs and text[end - 1] == other[last - 1]:
        end, last = end - 1, last - 1
    return Span(start, max(end, min(start + 1, len(text))), "changed")


def _apart(spans: list[Span]) -> list[Span]:
    """In order; where two overlap, the one that was named first keeps its part."""
    taken: list[Span] = []
    for span in spans:
        start = span.start
        for other in sorted(taken):
            if other.end <= start or other.start >= span.end:
                continue
            if start < other.start:
                taken.append(Span(start, other.start, span.role))
            start = other.end
        if start < span.end:
            taken.append(Span(start, span.end, span.role))
    return sorted(taken)
