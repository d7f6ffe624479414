"""Whether what one lane observes depends on another's content: see `detect.derived` for the idea.

A difference between two executions has other causes too, and they are ruled out one by one: each version of the source
takes another time, which shows in clocks, and lays out the memory in another way, which shows in the order of a set of
objects. So both versions read the clock as the execution in question did, and that one is repeated with the memory
disturbed. Of a service neither can be had: there each version has to bring the sink its own answer again and again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from .detect.derived import figured, is_operational, named, numbered, short_numbers, versions
from .detect.influence import differences, element, flat, varies
from .detect.values import tokens

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from .detect.verbatim import Candidate
    from .investigation import Investigation
    from .run import Outcome
    from .schedule.execute import Execution
    from .schedule.looks import Looked
    from .schedule.schedule import Schedule
    from .schedule.strategies import Strategy
    from .trace.lanes import Lane

_ANSWERED = ("body", "headers.", "status", "error")
_TIMES = 4
"""So often each version is said to what cannot be repeated exactly. A place with one of two values at random passes for
one that depends on the version less than once in a hundred times."""
_SINKS = (_ANSWERED, ("upstream.",), ("log.",))
"""What the user was shown speaks first, then prompts, then logs."""
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_NO_WORDS = frozenset({"", "true", "false", "null"})


def confirm_derived(
    known: Investigation, candidate: Candidate, lanes: tuple[Lane, ...], schedule: Schedule
) -> Candidate | None:
    """The candidate with the place at which the sink was proven to depend on the source; None where it does not."""
    source = next((lane for lane in lanes if lane.name == candidate.source), None)
    if source is None:
        return None
    asked = _Asked(known, candidate, lanes, schedule, source)
    for kind, pair in _pairs(known, source):
        told = asked.of(pair)
        if told is None:
            continue
        path = _depending(known, candidate, told, kind)
        if path:
            path = (
                _by_content(asked, pair, kind) if known.program.repeatable else _by_repetition(asked, pair, kind, told)
            )
        if path:
            return replace(candidate, path=path, where=_where(path))
        if kind == "words":
            _warn_of_the_very_words(known, candidate, told)
    return None


Pair: TypeAlias = "tuple[Outcome, Outcome]"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the sink is answered under a schedule, when the source says one thing or another."""

    known: Investigation
    candidate: Candidate
    lanes: tuple[Lane, ...]
    schedule: Schedule
    source: Lane

    def following(self) -> Strategy:
        return self.known.following(self.schedule, self.lanes)

    def of(self, pair: tuple[Lane, Lane], looked: Looked | None = None) -> Pair | None:
        """None where one of the pair is nothing else than what was said, or leaves the sink without an answer."""
        if self.source in pair:
            return None
        told: list[Outcome] = []
        for version in pair:
            lanes = tuple(version if lane is self.source else lane for lane in self.lanes)
            program, most = self.known.program, self.known.max_in_flight
            execution = (
                program.execute(lanes, self.following(), most)
                if looked is None
                else program.timed(lanes, self.following(), most, looked)
            )
            answer = self.in_(execution)
            if answer is None or not answer.finished:
                return None
            told.append(answer)
        return told[0], told[1]

    def in_(self, execution: Execution) -> Outcome | None:
        return next((o for o in execution.outcomes if o.request == self.candidate.request), None)


def _pairs(known: Investigation, source: Lane) -> Iterator[tuple[str, tuple[Lane, Lane]]]:
    """The source with other words, with other numbers, short ones in its texts too, and under other names."""
    named_as: dict[str, frozenset[str]] = {}
    for lane in known.lanes:
        identities = [text for r in lane.requests for text in (r.session, r.user or "")]
        named_as[lane.name] = frozenset[str]().union(*map(tokens, identities))
    others = frozenset[str]().union(
        *(names | known.materials[name].sent for name, names in named_as.items() if name != source.name)
    )
    yield "words", versions(source, named_as[source.name] | others)
    yield "numbers", numbered(source)
    taken = [short_numbers(lane) for lane in known.lanes if lane.name != source.name]
    yield "short numbers", figured(source, frozenset[str]().union(*taken))
    yield "names", named(source, named_as[source.name] - others, others)


def _depending(
    known: Investigation, candidate: Candidate, told: Pair, kind: str, among: Container[str] | None = None
) -> str:
    """The first place at which two answers differ in a way that tells of the source's content, or ""."""
    found = [
        path
        for path, texts in differences(*told).items()
        if (among is None or path in among)
        and element(path) not in candidate.beside
        and not varies(path, known.unstable[candidate.request])
        and not is_operational(path)
        and not (path.startswith("upstream.") and candidate.request in known.program.guessed)
        and not ((kind in ("names", "short numbers") or path.startswith("log.")) and _is_number(*texts))
    ]
    return next((path for sinks in _SINKS for path in found if path.startswith(sinks)), "")


def _is_number(one: str, other: str) -> bool:
    """Whether two texts differ in numbers alone: a place in a queue that is chosen by a user's name, a log's total."""
    if _NO_WORDS.issuperset((one, other)):
        return True
    return bool(one and other) and _NUMBER.sub("#", one) == _NUMBER.sub("#", other)


def _where(path: str) -> str:
    if path == "error":
        return "exception"
    return "response" if path.startswith(_ANSWERED) else path.partition(".")[0]


def _by_content(asked: _Asked, pair: tuple[Lane, Lane], kind: str) -> str:
    """Where the answers still differ once neither the clock nor the layout of the memory can be why."""
    known, candidate = asked.known, asked.candidate
    timed = known.program.timed(asked.lanes, asked.following(), known.max_in_flight)
    first = asked.in_(timed)
    if first is None:
        return ""
    varying = set(known.unstable[candidate.request])
    for execution in known.program.disturbed(asked.lanes, asked.following, known.max_in_flight):
        again = asked.in_(execution)
        varying |= set() if again is None else set(map(element, differences(again, first)))
    if new := varying - known.unstable[candidate.request]:
        known.unstable[candidate.request] = frozenset(varying)
        known.warnings.setdefault(
            f"{', '.join(sorted(new)[:3])} of {candidate.request} depends on where objects lie in memory (id(), the "
            "order of a set of objects) or on the clock on the wall (datetime.now()), and is not compared"
        )
    told = asked.of(pair, timed.looked)
    here = differences(first, known.solo[candidate.request])
    return "" if told is None else _depending(known, candidate, told, kind, here)


def _by_repetition(asked: _Asked, pair: tuple[Lane, Lane], kind: str, told: Pair) -> str:
    """Where each version brings the sink an answer of its own, however often. They take turns in being first, so that
    what changes with time alone is neither's own."""
    known, candidate = asked.known, asked.candidate
    first = asked.in_(known.program.execute(asked.lanes, asked.following(), known.max_in_flight))
    if first is None:
        return ""
    here = frozenset(differences(first, known.solo[candidate.request]))
    rounds = [told]
    for number in range(1, _TIMES):
        one, other = pair
        again = asked.of((other, one) if number % 2 else pair)
        if again is None:
            return ""
        rounds.append((again[1], again[0]) if number % 2 else again)
        texts = [(flat(one), flat(other)) for one, other in rounds]
        here = frozenset(
            path
            for path in here
            if _apart([one.get(path, "") for one, _ in texts], [other.get(path, "") for _, other in texts])
        )
        if not _depending(known, candidate, told, kind, here):
            return ""
    return _depending(known, candidate, told, kind, here)


def _apart(one: list[str], other: list[str]) -> bool:
    """Whether both have a text that is always there, but for once at most, and never in the other."""

    def own(mine: list[str], others: list[str]) -> bool:
        return any(mine.count(text) >= len(mine) - 1 and text not in others for text in set(mine))

    return own(one, other) and own(other, one)


def _warn_of_the_very_words(known: Investigation, candidate: Candidate, told: Pair) -> None:
    alone = known.solo[candidate.request]
    as_alone = not any(candidate.path in differences(answer, alone) for answer in told)
    if as_alone and not known.variant and candidate.path.startswith(_ANSWERED):
        known.warnings.setdefault(
            f"{candidate.sink} is answered {candidate.request} otherwise at {candidate.path} because of the "
            f"very words that {candidate.source} used: something that they decide, or a leak of that one fact"
        )
