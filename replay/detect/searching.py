"""The second reading of an audit: every answer and every prompt against all values at once.

All values but phrases are looked for together (Aho and Corasick, CACM 18(6), 1975), phrases by their words; in what
stands in base64 as well. A value that the other lane had sent itself by then is no crossing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..trace.model import Exchange, Request
from ..trace.pseudonyms import lowercase
from ..trace.secrets import STAND_IN_KINDS, stands_free
from .audited import Finding, Sink, Source, identity_of
from .encoded import carried
from .folding import folded, may_hold_names, searchable, whole_names
from .sinks import at_a_glance, flat, shown, texts
from .telling import PHRASE_WORDS, WEIGHTS, word_list, words_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .owners import Owners, Requests

MOST_FINDINGS = 10_000
_KIND = re.compile(rf"(?:{'|'.join(STAND_IN_KINDS)})_$")
_NUMBER = re.compile(r"[a-z]{0,2}\d{9,}|[a-z]{2}\d\d[a-z0-9]{11,30}")
_JOIN = "\n\x00\n"

_From: TypeAlias = tuple[str, int, int, str]
_Span: TypeAlias = tuple[int, int, str, "_From | None"]


@dataclass(slots=True)
class _Hit:
    """A value in the traffic of a lane that is not its owner's: the first place, and how many there are."""

    value: str
    kind: str
    source: int
    since_ns: int
    sink: Sink
    sink_request: int
    sink_ns: int
    count: int = 1


class Search:
    """The second reading: every answer and prompt against all values at once."""

    def __init__(self, owners: Owners, requests: Requests, responses: int) -> None:
        self.patterns = owners.patterns(responses)
        self._owners = owners
        self._requests = requests
        self._exchange = -1
        self._numbers: dict[str, int] = {}
        self._hits: dict[tuple[str, int, int], _Hit] = {}
        self._sent_at: dict[tuple[str, int], int] = {}
        self._automaton: Any = cast("Any", import_module("ahocorasick")).Automaton()
        self._phrases: dict[tuple[str, ...], str] = {}
        for text, (owned, _) in self.patterns.items():
            if owned is not None and owned.kind == "phrase":
                # By their words: the automaton stays small, and it does not matter how they are spaced.
                self._phrases[tuple(text.split(" "))] = text
            else:
                self._automaton.add_word(text, text)
        self._form = searchable if any(map(_NUMBER.fullmatch, self.patterns)) else folded
        self._searched = len(self._automaton) > 0
        if self._searched:
            self._automaton.make_automaton()

    def take(self, item: Request | Exchange, lane: str) -> None:
        if not self.patterns and not self._owners.kept_by_hash:
            return
        number = self._requests.lane_number(lane)
        if isinstance(item, Exchange):
            place = self._number_of(item.request.id)
            if place is not None:
                self._exchange = place
                self._answered(item, lane, number)
        else:
            self._sent(item, number)

    def _number_of(self, request: str) -> int | None:
        """Its number in the first reading, None where it came later: a trace may be recorded while it is read."""
        ids, following = self._requests.ids, self._exchange + 1
        # Both readings give the exchanges in one order, as long as it is not.
        if not self._numbers and following < len(ids) and ids[following] == request:
            return following
        self._numbers = self._numbers or {identity: number for number, identity in enumerate(ids)}
        return self._numbers.get(request)

    def findings(self) -> list[Finding]:
        return [self._finding(hit) for hit in self._hits.values()]

    def _sent(self, request: Request, lane: int) -> None:
        """What a lane has said by now is no news to it, whatever shape it said it in."""
        sent = request.request
        told = request.message if sent is None else flat(sent)
        if told is None:
            told = _JOIN.join(text for _, text in texts(sent, ""))
        for text in self._told(lowercase(self._form(_JOIN.join((told, *carried(told))))), lane):
            owned, answered = self.patterns[text]
            if (owned is None or owned.lane != lane) and (answered is None or answered.lane != lane):
                self._sent_at.setdefault((text, lane), request.at_ns)

    def _answered(self, exchange: Exchange, name: str, lane: int) -> None:
        glance = at_a_glance(exchange)
        glance = None if glance is None else _JOIN.join((glance, *carried(glance)))
        if (
            glance is not None
            and not may_hold_names(glance)
            and not any(self._source(text, lane, exchange) for text in self._told(lowercase(self._form(glance)), lane))
        ):
            return
        places = [
            (where, at, self._form(each))
            for where, path, text in shown(exchange)
            for at, each in ((path, text), *((f"{path} in base64", inner) for inner in carried(text)))
        ]
        names = whole_names((path, text) for where, path, text in places if where == "response")
        places += [("response", path, name) for path, name in names]
        starts: list[int] = []
        position = 0
        for _, _, text in places:
            starts.append(position)
            position += len(text) + len(_JOIN)
        whole = _JOIN.join(text for _, _, text in places)
        found = [(*span, self._source(span[2], lane, exchange)) for span in self._spans(lowercase(whole), lane)]
        for start, end, text, source in _speaking(found):
            where, path, _ = places[bisect_right(starts, start) - 1]
            self._hit(exchange, name, lane, text, source, (where, path, _as_it_stands(whole, start, end)))

    def _source(self, text: str, lane: int, exchange: Exchange) -> tuple[str, int, int, str] | None:
        """(kind, request, since, kind of value) of the lane that had it first, if that is another one."""
        owned, answered = self.patterns[text]
        ended_ns = exchange.response.at_ns if exchange.response else exchange.request.at_ns
        said_ns = self._sent_at.get((text, lane))
        if said_ns is not None and said_ns <= ended_ns:
            return None
        if owned is not None and owned.since_ns <= ended_ns:
            return None if owned.lane == lane else ("request-value", owned.request, owned.since_ns, owned.kind)
        if answered is not None and answered.lane != lane and answered.since_ns <= ended_ns:
            # Two users may well be shown the same article; not so often while both wait for their answers.
            common = answered.kind == "id" and not answered.fetched
            if common and not self._requests.overlapped(answered.request, self._exchange):
                return None
            return "response-value", answered.request, answered.since_ns, answered.kind
        return None

    def _hit(
        self, exchange: Exchange, name: str, lane: int, text: str, source: tuple[str, int, int, str],
        place: tuple[str, str, str],
    ) -> None:  # fmt: skip
        kind, request, since_ns, value_kind = source
        owner = self._requests.lane_of[request]
        known = self._hits.get((text, owner, lane))
        if known is not None:
            known.count += 1
            return
        if len(self._hits) >= MOST_FINDINGS:
            return
        where, path, found = place
        sink = Sink(name, exchange.request.session, exchange.request.id, where, path, _shortened(value_kind, found))
        ended_ns = exchange.response.at_ns if exchange.response else exchange.request.at_ns
        self._hits[text, owner, lane] = _Hit(text, kind, request, since_ns, sink, self._exchange, ended_ns)

    def _told(self, lowered: str, lane: int) -> Iterator[str]:
        """The values in a text, wherever they stand in it."""
        yield from (text for _, _, text in self._matches(lowered))
        yield from (text for _, _, text in self._said(word_list(lowered), lane))

    def _spans(self, lowered: str, lane: int) -> Iterator[tuple[int, int, str]]:
        yield from self._matches(lowered)
        places: list[tuple[int, int]] = []
        for first, words, text in self._said(word_list(lowered), lane):
            places = places or [match.span() for match in words_in(lowered)]
            yield places[first][0], places[first + words - 1][1], text

    def _said(self, words: list[str], lane: int) -> Iterator[tuple[int, int, str]]:
        """(first word, how many words, phrase) of the phrases in a text."""
        phrases = self._phrases
        if self._owners.kept_by_hash:
            self._recall(words, lane)
        if phrases.keys().isdisjoint(_windows(words)):
            return
        for first, window in enumerate(_windows(words)):
            text = phrases.get(window)
            if text is not None:
                yield first, len(window), text

    def _recall(self, words: list[str], lane: int) -> None:
        """Make patterns of the other lanes' phrases in a text that are known by their hash."""
        kept_phrase = self._owners.kept_phrase
        for window in _windows(words):
            owned = kept_phrase(text := " ".join(window), lane)
            if owned is not None and text not in self.patterns:
                self.patterns[text] = (owned, None)
                self._phrases[window] = text

    def _matches(self, lowered: str) -> Iterator[tuple[int, int, str]]:
        """(start, end, value) of what the automaton finds standing free: all values but phrases."""
        for last, text in self._automaton.iter(lowered) if self._searched else ():
            start, end = last - len(text) + 1, last + 1
            owned, answered = self.patterns[text]
            kind = owned.kind if owned else answered.kind if answered else ""
            if stands_free(lowered, start, end, kind):
                yield start, end, text

    def _finding(self, hit: _Hit) -> Finding:
        requests = self._requests
        owned, answered = self.patterns[hit.value]
        value_kind = owned.kind if owned else answered.kind if answered else ""
        overlapped = requests.overlapped(hit.source, hit.sink_request)
        lane = requests.lanes[requests.lane_of[hit.source]]
        source = Source(lane, requests.sessions[hit.source], requests.ids[hit.source])
        rank = WEIGHTS[value_kind] + min(len(hit.value), 40) / 8 + 5 * overlapped
        rank -= 20 if hit.kind == "response-value" else 0
        return Finding(
            identity_of(hit.kind, lane, hit.sink.lane, hit.value),
            hit.kind,
            value_kind,
            source,
            hit.sink,
            overlapped,
            max(0, hit.sink_ns - hit.since_ns),
            round(rank, 1),
            hit.count,
        )


def _as_it_stands(whole: str, start: int, end: int) -> str:
    """What was found, and of a stand-in, of which the hash was looked for, its kind too."""
    kind = _KIND.search(whole, max(0, start - 10), start) if whole[start - 1 : start] == "_" else None
    return whole[kind.start() if kind else start : end]


def _windows(words: list[str]) -> Iterator[tuple[str, ...]]:
    return zip(*(words[first:] for first in range(PHRASE_WORDS)), strict=False)


def _speaking(spans: list[_Span]) -> Iterator[tuple[int, int, str, _From]]:
    """The spans that are crossings and speak for their place: of one inside another the wider one, but of a phrase
    with a foreign value in it that value. What lies inside the lane's own words is its own."""
    spans.sort(key=lambda span: (span[0], -span[1]))
    reach = -1
    phrases: list[tuple[int, int, str, _From]] = []
    said = -1  # where the last value that spoke began
    for start, end, text, source in spans:
        while phrases and phrases[0][1] <= start:
            yield phrases.pop(0)
        if source is not None and source[3] == "phrase":
            phrases.append((start, end, text, source))
        elif end > reach:
            reach = end
            if source is not None:
                said = start
                yield start, end, text, source
        phrases = [phrase for phrase in phrases if not phrase[0] <= said < phrase[1]]
    yield from phrases


def _shortened(kind: str, value: str) -> str:
    """A value as it may be shown: of a secret no more than tells which it is."""
    if kind == "secret" and len(value) > 8:
        return f"{value[: min(8, len(value) // 3)]}… ({len(value)} characters)"
    return value if len(value) <= 80 else f"{value[:79]}…"
