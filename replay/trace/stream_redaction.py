"""Redaction of a whole recording: the parts of a stream are held back, so that a value cut in pieces is seen.

The parts of one body are one text, which may be cut anywhere. The messages of a websocket are texts of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import is_websocket

if TYPE_CHECKING:
    from .model import Json
    from .redaction import Redactor


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
        """The first parts that wait, redacted together with those that go on waiting."""
        held = self._held.pop(identity, [])
        redacted = self.redactor.messages if identity in self._websockets else self.redactor.chunks
        for event, text in zip(held, redacted([event["text"] for event in held]), strict=True):
            event["text"] = text
        count = len(held) if count is None else count
        if held[count:]:
            self._held[identity] = held[count:]
        return [self.redactor.event(event) for event in held[:count]]
