"""Who made a call to the LLM: told by what the service passed on, by who is under way, or by whose words are in it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..detect.values import material_of, tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..trace.lanes import Lane
    from ..trace.model import Request
    from ..upstream.wire import Call
    from .traffic import Traffic

LANE_HEADER = "x-crosslane-lane"


class Callers:
    """Those who may make calls in one execution: each lane of the trace with its traffic.

    Attributes:
        guessed: requests that may have made a call which somebody else was taken for, or nobody.
    """

    def __init__(self, lanes: Sequence[Lane], traffic: Sequence[Traffic]) -> None:
        self.guessed: dict[str, None] = {}
        self._traffic = traffic
        self._marks = {mark: lane for lane in traffic for r in lane.pending for mark in marks_of(r)}
        self._own = _own_tokens(lanes)

    def caller(self, call: Call, last: Traffic | None) -> Traffic | None:
        """Whose call it is: by what the service passed on, else by who is under way, else by whose words are in it."""
        for name, value in call.headers:
            if name in (LANE_HEADER, "traceparent"):
                parts = (value, *value.split("-"))
                lane = next((self._marks[part] for part in parts if part in self._marks), None)
                if lane is not None:
                    return lane
        running = [lane for lane in self._traffic if not lane.stands]
        if len(running) == 1:
            return running[0]
        if not running:
            running = [lane for lane in self._traffic if lane.in_flight] or [last] if last else []
        if len(self._traffic) > 1:
            self.guessed.update(dict.fromkeys(lane.request for lane in running))
        if len(running) == 1:
            return running[0]
        said = tokens(call.body.decode("utf-8", "replace"))
        named = [lane for lane in running if self._own[lane.name] & said]
        return named[0] if len(named) == 1 else None


def marks_of(request: Request) -> tuple[str, str]:
    """What a request is marked with, the same in every execution: 16 hexadecimal digits, and 32 for `traceparent`."""
    digest = hashlib.sha256(f"crosslane {request.id}".encode("utf-8", "surrogatepass")).hexdigest()
    return digest[:16], digest[16:48]


def _own_tokens(lanes: Sequence[Lane]) -> dict[str, frozenset[str]]:
    """The words of each lane that no other lane sends."""
    sent = {lane.name: material_of(lane.requests, ()).sent for lane in lanes}
    return {
        name: own - frozenset[str]().union(*(other for n, other in sent.items() if n != name))
        for name, own in sent.items()
    }
