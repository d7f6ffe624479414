"""The second reading of an audit: every place where a value of one lane stands in another's answers or prompts."""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import bisect
import hashlib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..trace.store import claims_in
from ..trace.streams import joined
from .audit_report import Finding, Place
from .owners import SEVERAL, Flight
from .recorded import sent_texts, shown_texts
from .telling import HINT, KINDS, SECRET, strong
from .values import leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..trace.model import Json
    from .owners import Owners

_MOST_FINDINGS = 200
_INDEX = re.compile(r"\[\d+\]")


@dataclass(slots=True)
class _Seen:
    """One response or prompt of a lane in which values of one other lane stand."""

    kind: str
    source: int
    sink: int
    where: str
    path: str
    best: str
    weight: int
    values: int


class Sightings:
    """The second reading: the automaton over everything that a lane was shown or that was asked for it."""

    def __init__(self, known: Owners, path: Path) -> None:
        import ahocorasick

        self._known = known
        self._path = path
        self._names = list(known.lanes)
        self._open: dict[str, Flight] = {}
        self._count = 0
        self._found: dict[tuple[int, int, str, str], tuple[_Seen, int]] = {}
        self._identity: list[Finding] = []
        wanted = [(value, first) for value, first in known.sent.items() if first != SEVERAL]
        known.sent = {}
        self.capped = len(wanted) > known.most
        if self.capped:
            wanted.sort(key=lambda pair: (-known.weights[pair[0]], pair[1]))
            wanted = wanted[: known.most]
        automaton: Any = ahocorasick.Automaton(ahocorasick.STORE_ANY)
        for value, first in wanted:
            for written in {value, quote(value, safe="").lower()} if "@" in value else (value,):
                automaton.add_word(written, (written, value, first))
        few = len(known.lanes) < 3
        for value, (one, other) in known.shown.items():
            if one in (other, SEVERAL) or automaton.exists(value):
                continue
            weight = next((weight for found, weight in strong(value) if found == value), 0)
            # In a trace of two lanes, what both were shown is as likely the same for everybody.
            if weight >= SECRET or (weight and not few):
                automaton.add_word(value, (value, value, -2 - one))
        known.shown = {}
        self.patterns = len(automaton)
        automaton.make_automaton()
        self._automaton = automaton
        self._iterate: Callable[[str], Iterator[tuple[int, tuple[str, str, int]]]] = (
            automaton.iter if self.patterns else lambda _: iter(())
        )
        self._last: dict[str, int] = {}

    def event(self, event: dict[str, Json]) -> None:
        kind = event.get("k", "req")
        identity = str(event.get("id"))
        if kind == "req":
            self._request(event)
        elif kind == "chunk":
            flight = self._open.get(identity)
            if flight is not None and len(flight.wire) < 50_000:
                flight.wire.append(str(event.get("text", "")))
        elif kind == "res":
            flight = self._open.pop(identity, None)
            if flight is not None:
                texts = shown_texts(event, self._path)
                wire = "".join(flight.wire)
                if wire:
                    texts += [*((f"chunks.{delta.key}", delta.text) for delta in joined(wire)), ("chunks", wire)]
                self._scan(flight, "response", texts)
        elif kind == "up":
            flight = self._open.get(str(event.get("parent", event.get("id"))))
            if flight is not None:
                name = str(event.get("name") or "call")
                self._scan(flight, "upstream", list(leaves(event.get("in"), f"upstream.{name}")))

    def _request(self, event: dict[str, Json]) -> None:
        if event.get("session") is None and event.get("user") is None:
            return
        number = self._count
        if number >= len(self._known.ids):
            return
        identity = str(event.get("id") or f"r{number + 1}")
        if identity != self._known.ids[number]:
            return
        self._count += 1
        lane = self._known.lane_of[number]
        self._open[identity] = Flight(number, lane)
        for text in (text.lower() for _, text in sent_texts(event, self._path)):
            for _, (_, value, first) in self._iterate(text):
                if first >= 0 and self._known.lane_of[first] == lane:
                    self._last[value] = number
        for contradiction in self._known.names.contradictions(identity, claims_in(event.get("claims"))):
            place = self._place(number)
            used, other = contradiction.used, contradiction.other
            self._identity.append(
                Finding(
                    _id("identity", identity, used.place, other.place),
                    "identity",
                    place,
                    place,
                    "request",
                    other.place,
                    other.value,
                    f"{used.place} says {used.value}",
                    False,
                    0,
                    SECRET,
                )
            )

    def _scan(self, flight: Flight, where: str, texts: list[tuple[str, str]]) -> None:
        """Note the values of other lanes in what one lane was shown."""
        known = self._known
        lowered = [text.lower() for _, text in texts]
        text = "\n".join(lowered)
        hits: dict[int, dict[tuple[int, str], tuple[int, int]]] = {}
        for end, (written, value, first) in self._iterate(text):
            owner = known.lane_of[first] if first >= 0 else -2 - first
            if owner == flight.lane or not _stands_alone(text, end + 1, written):
                continue
            if first >= 0 and known.began[first] > max(known.ended[flight.number], known.began[flight.number]):
                continue  # it was sent only afterwards
            hits.setdefault(owner, {}).setdefault((first, value), (end + 1 - len(written), len(written)))
        if not hits:
            return
        starts = [0]
        for each in lowered:
            starts.append(starts[-1] + len(each) + 1)
        for found in hits.values():
            weights = {key: known.weights.get(key[1], SECRET if key[0] < 0 else 0) for key in found}
            if max(weights.values()) <= HINT and len(found) < 2:
                continue
            (first, value), (position, length) = max(
                found.items(), key=lambda item: (weights[item[0]], len(item[0][1]))
            )
            leaf = bisect.bisect_right(starts, position) - 1
            path, original = texts[leaf]
            at = position - starts[leaf]
            shown = original[at : at + length] if len(original) == len(lowered[leaf]) else value
            source = self._last.get(value, first) if first >= 0 else self._shown_before(-2 - first, flight.number)
            if source is None:
                continue
            seen = _Seen(
                "request-value" if first >= 0 else "response-value",
                source,
                flight.number,
                where,
                path,
                shown,
                weights[first, value],
                len(found),
            )
            key = (known.lane_of[source], flight.lane, where, _INDEX.sub("[]", path))
            before = self._found.get(key)
            if before is None:
                self._found[key] = (seen, 1)
            else:
                # The first time is the one to look at; how telling it all is together ranks it.
                weight, count = max(before[0].weight, seen.weight), max(before[0].values, seen.values)
                self._found[key] = (replace(before[0], weight=weight, values=count), before[1] + 1)

    def _shown_before(self, lane: int, sink: int) -> int | None:
        """The last request of a lane that began before the sink ended; it had been shown the value by then."""
        for number in range(min(sink, len(self._known.lane_of) - 1), -1, -1):
            if self._known.lane_of[number] == lane:
                return number
            if sink - number > 100_000:
                break
        return None

    def findings(self) -> tuple[Finding, ...]:
        """What was found, most telling first; of two ways round of one value that was only shown, the later."""
        result = [self._finding(seen, times) for seen, times in self._found.values()]
        merged: list[Finding] = []
        pairs: set[tuple[str, str, str]] = set()
        for finding in sorted(result, key=lambda each: (-each.rank, each.sink.request)):
            if finding.kind == "response-value":
                names = sorted((finding.source.lane, finding.sink.lane))
                if (names[0], names[1], finding.evidence) in pairs:
                    continue
                pairs.add((names[0], names[1], finding.evidence))
            merged.append(finding)
        return tuple([*merged, *self._identity][:_MOST_FINDINGS])

    def _finding(self, seen: _Seen, times: int) -> Finding:
        known = self._known
        source, sink = seen.source, seen.sink
        overlapped = known.began[source] <= known.ended[sink] and known.began[sink] <= known.ended[source]
        gap = 0 if overlapped else max(0, known.began[sink] - known.ended[source])
        one, other = self._place(source), self._place(sink)
        rank = seen.weight + min(seen.values - 1, 3) + (2 if overlapped else 0) + (seen.where == "response")
        return Finding(
            _id(seen.kind, one.lane, other.lane, seen.where, _INDEX.sub("[]", seen.path)),
            seen.kind,
            one,
            other,
            seen.where,
            seen.path,
            seen.best,
            KINDS.get(seen.weight, "value"),
            overlapped,
            gap,
            rank,
            times,
            seen.values,
        )

    def _place(self, number: int) -> Place:
        known = self._known
        return Place(self._names[known.lane_of[number]], known.sessions[number], known.ids[number])


def _stands_alone(text: str, end: int, value: str) -> bool:
    """Whether a value is no part of a longer word; a long one may be, since it is none by chance."""
    if len(value) >= 16 and " " not in value:
        return True
    start = end - len(value)
    before = start > 0 and text[start - 1].isalnum() and value[0].isalnum()
    after = end < len(text) and text[end].isalnum() and value[-1].isalnum()
    return not before and not after


def _id(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:10]
