"""Redaction of a whole recording: the parts of a stream are held back, so that a value cut in pieces is seen.

The parts of one body are one text, which may be cut anywhere. The messages of a websocket are texts of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import is_websocket
from .parts import closed_joints

if TYPE_CHECKING:
    from collections.abc import Callable

    from .model import Json
    from .redaction import Redactor


_LONGEST = 8
"""So many times the parts that are held, a single value may be long before it is given as far as it is known."""


class StreamRedactor:
    """A redactor for the events of a recording in their order.

    `events` takes one event and gives none, one or several. Of a stream at most `most_held` parts wait; None holds them
    all until the answer is over, which a file has time for.
    """

    def __init__(self, redactor: Redactor, most_held: int | None = 64) -> None:
        self.redactor = redactor
        self._most = most_held
        self._held: dict[str, list[dict[str, Json]]] = {}
        self._websockets: set[str] = set()

    def events(self, event: dict[str, Json]) -> list[dict[str, Json]]:
        kind, identity = event.get("k", "req"), str(event.get("id"))
        if kind == "chunk" and isinstance(event.get("text"), str):
            held = self._held.setdefault(identity, [])
            held.append({**event})
            return self._release(identity, len(held) // 2) if self._most is not None and len(held) >= self._most else []
        if kind == "req" and (is_websocket(event) or is_websocket(event.get("request"))):
            self._websockets.add(identity)
        out = self._release(identity, None) if kind == "res" else self.rest() if kind == "end" else []
        if kind == "res":
            self._websockets.discard(identity)
        return [*out, self.redactor.event(event)]

    def rest(self) -> list[dict[str, Json]]:
        """What still waits: call it when the recording ends."""
        return [event for identity in list(self._held) for event in self._release(identity, None)]

    def _release(self, identity: str, count: int | None) -> list[dict[str, Json]]:
        """The first parts that wait, redacted: at most `count`, or all. The others go on waiting as they came."""
        held = self._held.pop(identity, [])
        texts = [event["text"] for event in held]
        redact = self.redactor.messages if identity in self._websockets else self.redactor.chunks
        given = redact(texts) if count is None else self._first_of(texts, count, redact)
        if held[len(given) :]:
            self._held[identity] = held[len(given) :]
        return [self.redactor.event({**event, "text": text}) for event, text in zip(held, given, strict=False)]

    def _first_of(self, texts: list[str], count: int, redact: Callable[[list[str]], list[str]]) -> list[str]:
        """Of the parts of a stream that goes on, at most `count` in which no value is under way, redacted."""
        closed = closed_joints(texts)
        if closed and closed[0] <= count:
            known = redact(texts[: closed[-1]])
            for cut in reversed([each for each in closed if each <= count]):
                # A value with breaks in it goes on over a joint where the part behind it is changed.
                if cut == closed[-1] or known[cut] == texts[cut]:
                    return known[:cut]
        too_long = self._most is not None and len(texts) >= _LONGEST * self._most
        return redact(texts) if too_long else []
