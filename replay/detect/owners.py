"""Who owns which telling value: what the first reading of an audit collects, in bounded memory.

A value that several lanes sent is nobody's. Of a value that was only ever answered, the first lane that was shown it is
taken for its owner, which is weaker evidence and so a class of its own. When there is no more room, what only one lane
has had is kept by its hash, and the report says so.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .ledger import MOST_KEPT, Entry, Ledger
from .telling import WEIGHTS, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..trace.model import Exchange

MOST_VALUES = 400_000
_SHARED = -1
_STRONG = frozenset({"secret", "email", "account", "id"})
_KINDS = tuple(WEIGHTS)


@dataclass(slots=True)
class Requests:
    """What stays known of each request: whose it was and when. A request is its number here."""

    ids: list[str] = field(default_factory=list[str])
    sessions: list[str] = field(default_factory=list[str])
    lanes: list[str] = field(default_factory=list[str])
    lane_of: array[int] = field(default_factory=lambda: array("i"))
    began_ns: array[int] = field(default_factory=lambda: array("q"))
    ended_ns: array[int] = field(default_factory=lambda: array("q"))
    _numbers: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, exchange: Exchange, lane: str) -> int:
        request, response = exchange.request, exchange.response
        number = self._numbers.get(lane)
        if number is None:
            number = self._numbers[lane] = len(self.lanes)
            self.lanes.append(lane)
        self.ids.append(request.id)
        self.sessions.append(request.session)
        self.lane_of.append(number)
        self.began_ns.append(request.at_ns)
        self.ended_ns.append(response.at_ns if response else request.at_ns)
        return len(self.ids) - 1

    def lane_number(self, lane: str) -> int:
        return self._numbers.get(lane, -1)

    def overlapped(self, one: int, other: int) -> bool:
        return self.began_ns[one] < self.ended_ns[other] and self.began_ns[other] < self.ended_ns[one]


@dataclass(slots=True)
class Owned:
    """A value and where it first came from. `lane` is -1 once it is several lanes' own; `second` sent it later."""

    kind: str
    lane: int
    request: int
    since_ns: int
    second: int = -1


@dataclass(slots=True)
class Answered:
    """A value that answers held: of which lane first, in how many, and whether a tool brought it for that lane."""

    kind: str
    lane: int
    request: int
    since_ns: int
    times: int = 1
    other: int = -1
    many: bool = False
    fetched: bool = False


class Owners:
    """Values sent and values answered, by their text in lower case.

    Of those that only one lane has had so far, the least telling move to ledgers when there is no more room. There a
    value is known by its hash, with its owner; one that another lane turns out to have too comes back as text.

    Args:
        requests: whose each request is.
        most: the most values of each class to keep as text.
        most_kept: the most to keep by their hash beside them.
    """

    def __init__(self, requests: Requests, most: int = MOST_VALUES, most_kept: int = MOST_KEPT) -> None:
        self.sent: dict[str, Owned] = {}
        self.answered: dict[str, Answered] = {}
        self.capped = False
        self._requests = requests
        self._most = most
        self._floor = 0.0
        self._sent_kept = Ledger(most_kept)
        self._answered_kept = Ledger(most_kept)

    @property
    def kept_by_hash(self) -> int:
        """How many of the values that were sent are known by their hash alone: they are found as whole words only."""
        return len(self._sent_kept)

    def send(self, values: Iterable[Value], lane: int, request: int, at_ns: int) -> None:
        for kind, text in values:
            known = self.sent.get(text) or self._recalled(text, lane)
            if known is None:
                self._sent_first(kind, text, lane, request, at_ns)
            elif known.lane == lane:
                known.kind = max(known.kind, kind, key=WEIGHTS.__getitem__)
                if at_ns < known.since_ns:
                    known.request, known.since_ns = request, at_ns
            elif known.kind not in _STRONG or known.second not in (-1, lane):
                known.lane = _SHARED
            elif known.lane != _SHARED:
                # Whoever sent it later may have been shown it before; the second reading sees when.
                known.second = lane
                if at_ns < known.since_ns:
                    known.lane, known.second = lane, known.lane
                    known.request, known.since_ns = request, at_ns

    def answer(self, values: Iterable[Value], lane: int, request: int, at_ns: int, fetched: bool) -> None:
        for kind, text in values:
            self._answer(kind, text, lane, request, at_ns, fetched)
            if text not in self.sent:
                self._recalled(text, lane)  # somebody else's, now in an answer: the second reading is to look

    def _answer(self, kind: str, text: str, lane: int, request: int, at_ns: int, fetched: bool) -> None:
        known = self.answered.get(text) or self._answer_recalled(text, lane)
        if known is None:
            self._answered_first(Answered(kind, lane, request, at_ns, fetched=fetched), text)
            return
        known.times += 1
        known.kind = max(known.kind, kind, key=WEIGHTS.__getitem__)
        if known.lane == lane:
            known.fetched = known.fetched or fetched
            if at_ns < known.since_ns:
                known.request, known.since_ns = request, at_ns
        elif fetched and known.fetched:
            known.many = True  # both lanes' tools brought it: it is shared data
        elif known.other in (-1, lane):
            known.other = lane
            # Whoever a tool brought it for is its owner, else whoever was shown it first.
            if (fetched, -at_ns) > (known.fetched, -known.since_ns):
                known.other, known.lane = known.lane, lane
                known.request, known.since_ns, known.fetched = request, at_ns, fetched
        else:
            known.many = True

    def patterns(self, responses: int) -> dict[str, tuple[Owned | None, Answered | None]]:
        """What to search for, each with who sent it and who was answered it."""
        found: dict[str, tuple[Owned | None, Answered | None]] = {
            text: (owned, None) for text, owned in self.sent.items() if owned.lane != _SHARED
        }
        for text, answered in self.answered.items():
            # An account in one answer to each of two users tells more than that two answers are all there is.
            common = not answered.fetched and 2 * answered.times > responses
            if (
                answered.other < 0
                or answered.many
                or (common and not (answered.kind == "account" and answered.times == 2))
            ):
                continue
            owned = self.sent.get(text)
            if owned is None or owned.lane == answered.lane:
                found[text] = (owned, answered)
        return found

    def kept_phrase(self, text: str, lane: int) -> Owned | None:
        """The owner of a phrase that is kept by its hash, if that is another lane."""
        entry = self._sent_kept.get(text)
        if entry is None or entry.request < 0 or self._requests.lane_of[entry.request] == lane:
            return None
        return Owned(_KINDS[entry.mark >> 1], self._requests.lane_of[entry.request], entry.request, entry.since_ns)

    # ---- what has no room as text

    def _sent_first(self, kind: str, text: str, lane: int, request: int, at_ns: int) -> None:
        entry = self._sent_kept.get(text)
        if entry is None:
            if (self._wanted(kind, text) or self._others_were_answered(text, lane)) and self._room():
                self.sent[text] = Owned(kind, lane, request, at_ns)
                return
            self._keep(text, Owned(kind, lane, request, at_ns))
        elif entry.request >= 0:  # else it is nobody's
            known = Owned(_KINDS[entry.mark >> 1], lane, entry.request, entry.since_ns)
            if at_ns < entry.since_ns:
                known.request, known.since_ns = request, at_ns
            known.kind = max(known.kind, kind, key=WEIGHTS.__getitem__)
            self._keep(text, known)

    def _answered_first(self, answered: Answered, text: str) -> None:
        entry = self._answered_kept.get(text)
        if entry is None and self._wanted(answered.kind, text) and self._room():
            self.answered[text] = answered
            return
        if entry is not None:  # this lane's too: another's would have come back as text
            answered.fetched = answered.fetched or bool(entry.mark & 1)
            answered.kind = max(answered.kind, _KINDS[entry.mark >> 1], key=WEIGHTS.__getitem__)
            if entry.since_ns <= answered.since_ns:
                answered.request, answered.since_ns = entry.request, entry.since_ns
        self._keep_answered(text, answered)

    def _recalled(self, text: str, lane: int) -> Owned | None:
        """A value that is kept by its hash and that `lane` has too although it is another's: as text again."""
        entry = self._sent_kept.get(text) if len(self._sent_kept) else None
        if entry is None or entry.request < 0 or self._requests.lane_of[entry.request] == lane:
            return None
        known = Owned(_KINDS[entry.mark >> 1], self._requests.lane_of[entry.request], entry.request, entry.since_ns)
        if known.kind not in _STRONG:
            # A phrase or name of two lanes is nobody's.
            self._sent_kept.put(text, Entry(-1, entry.mark, 0))
            return known
        if self._room():
            self.sent[text] = known
        return known

    def _answer_recalled(self, text: str, lane: int) -> Answered | None:
        entry = self._answered_kept.get(text) if len(self._answered_kept) else None
        if entry is None or self._requests.lane_of[entry.request] == lane:
            return None
        owner = self._requests.lane_of[entry.request]
        known = Answered(_KINDS[entry.mark >> 1], owner, entry.request, entry.since_ns, fetched=bool(entry.mark & 1))
        if self._room():
            self.answered[text] = known
        return known

    def _others_were_answered(self, text: str, lane: int) -> bool:
        """Whether a value stood in another lane's answer before its owner's request was read to the end."""
        answered = self.answered.get(text)
        if answered is not None:
            return answered.lane != lane or answered.other >= 0
        entry = self._answered_kept.get(text)
        return entry is not None and self._requests.lane_of[entry.request] != lane

    def _wanted(self, kind: str, text: str) -> bool:
        return _telling(kind, text) >= self._floor

    def _room(self) -> bool:
        """Whether one more value has a place as text; makes places by moving the least telling half of them."""
        if len(self.sent) + len(self.answered) < 2 * self._most:
            return True
        moved = 0
        goal = self._most // 2
        for values, keep in ((self.sent, self._keep_if_single), (self.answered, self._keep_answered_if_single)):
            telling = {text: _telling(known.kind, text) for text, known in values.items() if known.kind != "name"}
            for text in sorted(telling, key=telling.__getitem__):
                if moved >= goal:
                    break
                if keep(text):
                    moved += 1
                    del values[text]
                    if values is self.sent:
                        self._floor = max(self._floor, telling[text])
            goal = self._most
        self.capped = self.capped or not moved
        return bool(moved)

    def _keep_if_single(self, text: str) -> bool:
        known = self.sent[text]
        single = known.lane == _SHARED or (known.second < 0 and not self._others_were_answered(text, known.lane))
        return single and self._keep(text, known)

    def _keep_answered_if_single(self, text: str) -> bool:
        known = self.answered[text]
        return known.other < 0 and not known.many and self._keep_answered(text, known)

    def _keep(self, text: str, known: Owned) -> bool:
        request = -1 if known.lane == _SHARED else known.request
        kept = self._sent_kept.put(text, Entry(request, _KINDS.index(known.kind) << 1, known.since_ns))
        self.capped = self.capped or not kept
        return kept

    def _keep_answered(self, text: str, known: Answered) -> bool:
        mark = _KINDS.index(known.kind) << 1 | known.fetched
        kept = self._answered_kept.put(text, Entry(known.request, mark, known.since_ns))
        self.capped = self.capped or not kept
        return kept


def _telling(kind: str, text: str) -> float:
    return WEIGHTS[kind] + min(len(text), 40) / 4
