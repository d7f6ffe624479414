"""The verbatim oracle: a value that belongs to one lane, found in what another lane was shown.

A candidate is a difference first: a request that answered exactly as it does alone cannot have been contaminated by
this execution. Then the foreign value must be one that the lane neither sent itself nor ever sees alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .values import Material, foreign_tokens, observations, phrase_around

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..run import Outcome
    from ..schedule.execute import Execution


_INDEX = re.compile(r"\[\d+\]")
_MOST_PLACES = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """A foreign value in an answer, not yet confirmed.

    `tokens` are all of the source's that were found in that answer, best first; `text` is what stands at `path`. For a
    derived one `tokens` is empty: the text depends on the source without holding any of its words. It is looked for
    `beside` the places that hold some, which are named as `influence.element` does.
    """

    source: str
    sink: str
    request: str
    session: str
    where: str
    path: str
    evidence: str
    tokens: tuple[str, ...]
    text: str
    kind: Literal["verbatim", "derived"] = "verbatim"
    beside: frozenset[str] = frozenset()

    @property
    def signature(self) -> tuple[str, str, str, str]:
        """What makes two candidates the same crossing, while schedules and payloads are made smaller."""
        return self.source, self.sink, self.where, _INDEX.sub("[]", self.path)


def changed_outcomes(execution: Execution, solo: Mapping[str, Outcome]) -> list[Outcome]:
    """The answers that differ from the lane's own solo run. `solo` is by request id."""
    return [o for o in execution.outcomes if (alone := solo.get(o.request)) is None or not same_answer(o, alone)]


def same_answer(one: Outcome, other: Outcome) -> bool:
    return (
        one.body == other.body
        and one.status == other.status
        and one.error == other.error
        and one.chunks == other.chunks
        and one.headers == other.headers
        and one.logs == other.logs
        and one.upstream == other.upstream
    )


def candidates(
    execution: Execution, solo: Mapping[str, Outcome], materials: Mapping[str, Material]
) -> Iterator[Candidate]:
    """Every (source, sink, request, path) at which a foreign value surfaced, most telling first in each request."""
    for outcome in changed_outcomes(execution, solo):
        mine = materials[outcome.lane].all
        for source, material in materials.items():
            if source == outcome.lane:
                continue
            private = material.telling - mine
            found = [(foreign_tokens(text, private), where, path, text) for where, path, text in observations(outcome)]
            hits = [hit for hit in found if hit[0]]
            # What the user was shown speaks first; then prompts and logs, each of which is a sink of its own.
            for sinks in (("response", "exception"), ("upstream",), ("log",)):
                here = [hit for hit in hits if hit[1] in sinks]
                # The innermost with the most evidence first: of the places that one cause shows in, it speaks for all.
                here.sort(key=lambda hit: (-max(map(_weight, hit[0])), len(hit[3])))
                places: dict[str, tuple[set[str], str, str, str]] = {}
                for hit in here:
                    places.setdefault(_INDEX.sub("[]", hit[2]), hit)
                for hit in list(places.values())[:_MOST_PLACES]:
                    yield _candidate(source, outcome, hit, material)


def _candidate(source: str, outcome: Outcome, hit: tuple[set[str], str, str, str], material: Material) -> Candidate:
    found, where, path, text = hit
    best = sorted(found, key=lambda t: (-_weight(t), t))
    return Candidate(
        source,
        outcome.lane,
        outcome.request,
        outcome.session,
        where,
        path,
        phrase_around(text, tuple(best), material.texts),
        tuple(best),
        text,
    )


def _weight(token: str) -> float:
    """How telling a token is: long ones, and ones with digits in them, are seldom there by chance."""
    return len(token) + (4 if any(c.isdigit() for c in token) else 0)
