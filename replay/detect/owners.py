"""The first reading of an audit: the lanes of a trace, when their requests ran, and whose each telling value is."""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..trace.identity import Names
from ..trace.store import claims_in
from ..trace.streams import joined
from .recorded import lane_of_event, sent_texts, shown_texts
from .telling import named, strong, values

if TYPE_CHECKING:
    from pathlib import Path

    from ..trace.model import Json

SEVERAL = -1


@dataclass(slots=True)
class Flight:
    """A request while its events are read."""

    number: int
    lane: int
    wire: list[str] = field(default_factory=list[str])


class Owners:
    """The first reading: lanes, when their requests ran, and whose each telling value is."""

    def __init__(self, most: int) -> None:
        self.lanes: dict[str, int] = {}
        self.names = Names()
        self.requests = 0
        self.capped = False
        self.lane_of = array("i")
        self.began = array("q")
        self.ended = array("q")
        self.ids: list[str] = []
        self.sessions: list[str] = []
        self._session_names: dict[str, str] = {}
        self.sent: dict[str, int] = {}
        """Value to the request that first sent it, or `SEVERAL` lanes did."""
        self.weights: dict[str, int] = {}
        self.shown: dict[str, tuple[int, int]] = {}
        """Value that was only shown: to which one or two lanes; (-1, -1) where there are more."""
        self.most = most
        self._open: dict[str, Flight] = {}

    def event(self, line: int, event: dict[str, Json], boundary: str, path: Path) -> None:
        kind = event.get("k", "req")
        if kind == "req":
            self._request(line, event, boundary, path)
        elif kind == "msg":
            flight = self._open.get(str(event.get("id")))
            if flight is not None:
                self._sends(flight, [("messages", str(event.get("text", "")))])
        elif kind == "res":
            flight = self._open.pop(str(event.get("id")), None)
            if flight is not None:
                if isinstance(event.get("t"), int):
                    self.ended[flight.number] = event["t"]
                self._shows(flight.lane, shown_texts(event, path), "".join(flight.wire))
        elif kind == "chunk":
            flight = self._open.get(str(event.get("id")))
            if flight is not None and len(flight.wire) < 50_000:
                flight.wire.append(str(event.get("text", "")))

    def _request(self, line: int, event: dict[str, Json], boundary: str, path: Path) -> None:
        name_of_lane = lane_of_event(event, line, boundary)
        if name_of_lane is None:
            return
        identity = str(event.get("id") or f"r{self.requests + 1}")
        lane = self.lanes.setdefault(name_of_lane, len(self.lanes))
        at_ns = event["t"] if isinstance(event.get("t"), int) else line
        self.names.add(claims_in(event.get("claims")))
        flight = Flight(self.requests, lane)
        self.requests += 1
        self.lane_of.append(lane)
        self.began.append(at_ns)
        self.ended.append(at_ns)
        self.ids.append(identity)
        session = str(event.get("session") or event.get("user"))
        self.sessions.append(self._session_names.setdefault(session, session))
        self._open[identity] = flight
        for name in {session, str(event.get("user") or session)}:
            weight = named(name)
            if weight:
                self._sent(name.lower(), weight, flight)
        self._sends(flight, sent_texts(event, path))

    def _sends(self, flight: Flight, texts: list[tuple[str, str]]) -> None:
        for _, text in texts:
            for value, weight in values(text):
                self._sent(value, weight, flight)

    def _sent(self, value: str, weight: int, flight: Flight) -> None:
        first = self.sent.get(value)
        if first is None:
            if len(self.sent) >= 2 * self.most:
                self.capped = True
                return
            self.sent[value] = flight.number
            self.weights[value] = weight
        elif first != SEVERAL and self.lane_of[first] != flight.lane:
            self.sent[value] = SEVERAL
            del self.weights[value]

    def _shows(self, lane: int, texts: list[tuple[str, str]], wire: str) -> None:
        seen: set[str] = set()
        for _, text in texts:
            seen.update(value for value, _ in strong(text))
        if wire:
            for text in (wire, *(delta.text for delta in joined(wire))):
                seen.update(value for value, _ in strong(text))
        for value in seen:
            lanes = self.shown.get(value)
            if lanes is None:
                if len(self.shown) < 2 * self.most:
                    self.shown[value] = (lane, lane)
                else:
                    self.capped = True
            elif lane not in lanes:
                self.shown[value] = (lanes[0], lane) if lanes[0] == lanes[1] else (SEVERAL, SEVERAL)
