"""Sessions of one execution: what has been issued this time, and what was minted, in place of the recorded.

Everything that is compared afterwards has the recorded values again. So two executions can be compared although each
had ids of its own, and another user's id is still another user's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .fresh_identity import Answered, Issued, issued_values, minted, places_in, rewritten, sessions_to_mint
from .lanes import lane_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Exchange, Request


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the recording says of sessions: the values that the service issued, by request, and the clients' own."""

    issued: dict[str, tuple[Issued, ...]]
    own: tuple[str, ...]

    @classmethod
    def of(cls, exchanges: Iterable[Exchange], boundary: str) -> Recorded:
        exchanges = tuple(exchanges)
        lanes: dict[str, list[Exchange]] = {}
        for exchange in exchanges:
            lanes.setdefault(lane_name(exchange.request, boundary), []).append(exchange)
        found = [each for lane in lanes.values() for each in issued_values(lane)]
        by_request: dict[str, tuple[Issued, ...]] = {}
        for each in found:
            by_request[each.request] = (*by_request.get(each.request, ()), each)
        return cls(by_request, sessions_to_mint((exchange.request for exchange in exchanges), found))


@dataclass(slots=True)
class Sessions:
    """One execution's values in place of the recorded ones. `salt` makes minted ones; None mints none.

    Attributes:
        missing: places at which the service issued a value when the trace was recorded, and none this time.
    """

    known: Recorded
    salt: str | None = None
    missing: list[str] = field(default_factory=list[str])
    _now: dict[str, str] = field(default_factory=dict[str, str])
    _before: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if self.salt is not None:
            for value in self.known.own:
                self._set(value, minted(value, self.salt, (*self.known.own, *self._before)))

    def sent(self, request: Request) -> Request:
        """The request as it is to be sent this time."""
        return replace(request, request=rewritten(request.request, self._now)) if self._now else request

    def received(self, request: Request, answer: Answered) -> None:
        """Learn what has been issued in an answer."""
        wanted = self.known.issued.get(request.id, ())
        if not wanted:
            return
        there = dict(places_in(answer))
        for each in wanted:
            value = there.get(each.place)
            if not value:
                self.missing.append(f"{request.id}: {each.place.kind} {'.'.join(map(str, each.place.path))}")
            elif value != each.value:
                self._set(each.value, value)

    def recorded(self, value: Any) -> Any:
        """A JSON value of this execution, with the recorded values in place of this execution's own."""
        return rewritten(value, self._before)

    def remarks(self) -> list[str]:
        return [f"nothing was issued this time where something was when recorded ({place})" for place in self.missing]

    def _set(self, recorded: str, now: str) -> None:
        if recorded != now:
            self._now[recorded] = now
            self._before.setdefault(now, recorded)
