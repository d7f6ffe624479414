"""Who owns which telling value: what the first reading of an audit collects, in bounded memory.

A value that several lanes sent is nobody's. Of a value that was only ever answered, the first lane that was shown it is
taken for its owner, which is weaker evidence and so a class of its own. When there is no more room, the least telling
values go first, and the report says so.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .telling import WEIGHTS, Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..trace.model import Exchange

MOST_VALUES = 400_000
_SHARED = -1
_STRONG = frozenset({"secret", "email", "id"})


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
    """Values sent and values answered, by their text in lower case."""

    def __init__(self, most: int = MOST_VALUES) -> None:
        self.sent: dict[str, Owned] = {}
        self.answered: dict[str, Answered] = {}
        self.capped = False
        self._most = most
        self._floor = 0.0

    def send(self, values: Iterable[Value], lane: int, request: int, at_ns: int) -> None:
        for kind, text in values:
            known = self.sent.get(text)
            if known is None:
                if self._room(kind, text, self.sent):
                    self.sent[text] = Owned(kind, lane, request, at_ns)
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
            known = self.answered.get(text)
            if known is None:
                if self._room(kind, text, self.answered):
                    self.answered[text] = Answered(kind, lane, request, at_ns, fetched=fetched)
                continue
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
            shared = answered.other < 0 or answered.many or (not answered.fetched and 2 * answered.times > responses)
            if shared:
                continue
            owned = self.sent.get(text)
            if owned is None or owned.lane == answered.lane:
                found[text] = (owned, answered)
        return found

    def _room(self, kind: str, text: str, values: dict[str, Owned] | dict[str, Answered]) -> bool:
        """Whether a new value has a place; makes one by giving up the least telling tenth."""
        if _telling(kind, text) < self._floor:
            self.capped = True
            return False
        if len(values) >= self._most:
            self.capped = True
            floor_of = {key: _telling(known.kind, key) for key, known in values.items()}
            ranked = sorted(floor_of, key=floor_of.__getitem__)
            for key in ranked[: max(1, self._most // 10)]:
                del values[key]
            last = ranked[max(1, self._most // 10) - 1]
            self._floor = max(self._floor, floor_of[last])
            return _telling(kind, text) >= self._floor
        return True


def _telling(kind: str, text: str) -> float:
    return WEIGHTS[kind] + min(len(text), 40) / 4
