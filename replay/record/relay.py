"""The recorder that a service has in its own process: it notes what passes and leaves the rest to another process.

Each moment of an exchange is a frame, and a frame is one write into a pipe: a few microseconds in the service, and safe
from `kill -9` from then on. Relay and `Relayed` have the methods of `Recorder` and `Recording`.

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .channel import Channel
from .frames import END, PART, REQUEST, RESPOND, SAID, UPSTREAM
from .recorder import is_streamed, text_headers

if TYPE_CHECKING:
    from collections.abc import Callable

    from .recorder import Message, Note, Raw
    from .settings import Settings


class Relay:
    """Sends exchanges to a process that writes them to the trace file.

    Args:
        settings: how that process is to record.
        told: called, from a thread, with a `Note` for every event.
        before_each: called before every exchange; must be quick.

    Raises:
        OSError: no process can be started.
    """

    def __init__(
        self,
        settings: Settings,
        told: Callable[[Note], None] | None = None,
        before_each: Callable[[], None] | None = None,
    ) -> None:
        self.path = Path(settings.path)
        self.limits = settings.limits
        self.exchanges = 0
        self.mono0_ns = time.monotonic_ns()
        self._channel = Channel(settings, self.mono0_ns, told)
        self.send = self._channel.send
        """Takes a frame; never waits."""
        self._before_each = before_each
        self._numbers = itertools.count(1)

    @property
    def lost(self) -> int:
        """How many events could not be kept, as far as is known."""
        return self._channel.lost

    @property
    def unmet(self) -> list[str]:
        """The user's rules for redaction that nothing matched, once it is closed; none where that is not known."""
        return self._channel.unmet

    def begin(self, method: str, target: str, headers: Raw, connection: str = "") -> Relayed:
        """An exchange whose request line and headers have come. `target` is path and query as sent."""
        if self._before_each is not None:
            self._before_each()
        return Relayed(self, next(self._numbers), method, target, headers, connection)

    def now_ns(self) -> int:
        """The time on the trace's clock."""
        return time.monotonic_ns() - self.mono0_ns

    def close(self) -> None:
        """Close the trace in order, once all is written."""
        self._channel.close()


class Relayed:
    """One exchange while it happens. Every method may be called from any thread, and none of them raises."""

    __slots__ = (
        "_answer", "_asked", "_at_ns", "_number", "_relay", "_size", "_skipped", "_streamed", "ended", "started",
        "status",
    )  # fmt: skip

    def __init__(self, relay: Relay, number: int, method: str, target: str, headers: Raw, connection: str) -> None:
        self._relay = relay
        self._number = number
        self._at_ns = time.monotonic_ns() - relay.mono0_ns
        self._asked: Any = (method, target, headers, connection)
        self._answer: Any = None
        self._streamed: bool | None = None
        self._size = 0
        self._skipped = 0
        self.status: int | None = None
        self.started = False
        self.ended = False

    def request(self, body: bytes = b"", extra: dict[str, Any] | None = None) -> None:
        """The request has come in whole, or as much of it as will come."""
        if self.started:
            return
        self.started = True
        relay = self._relay
        relay.exchanges += 1
        relay.send((REQUEST, self._number, self._at_ns, *self._asked, body, extra))
        self._asked = None

    def said(self, message: str | bytes) -> None:
        """The client sent a message over a websocket."""
        self.request()
        self._relay.send((SAID, self._number, self.now_ns(), message))

    def respond(self, status: int, headers: Raw, streamed: bool | None = None) -> None:
        """The response has begun. Most have their only part with their end, and are told in one frame then."""
        if self.ended:
            return
        self.request()
        self.status = status
        self._answer = (status, headers, streamed)

    def part(self, data: bytes | str) -> None:
        """A part of the response's body passed, and another may follow."""
        if self.ended or data == b"":
            return
        self.request()
        if self._answer is not None:
            status, headers, streamed = self._answer
            self._answer = None
            self._streamed = is_streamed(text_headers(headers)) if streamed is None else streamed
            self._relay.send((RESPOND, self._number, self.now_ns(), (status, headers, self._streamed)))
        if not isinstance(data, str):
            data = self._within(data)
        if data or data == "":
            self._relay.send((PART, self._number, self.now_ns(), data))

    def finish(self, end: str = "ok", error: str = "", last: bytes = b"") -> None:
        """The response has ended: `ok`, `error`, `cancelled` or `timeout`. Only the first call counts."""
        if self.ended:
            return
        self.ended = True
        self.request()
        last, answer, self._answer = self._within(last), self._answer, None
        self._relay.send((END, self._number, self.now_ns(), end, error, last, answer, self._skipped))

    def upstream(self, name: str, sent: Message, answered: Message, at_ns: int, end: str = "ok") -> None:
        """A call that was made to serve this request. Times are on the recorder's clock (`now_ns`)."""
        self.request()
        self._relay.send((UPSTREAM, self._number, self.now_ns(), name, sent, answered, at_ns, end))

    def now_ns(self) -> int:
        return time.monotonic_ns() - self._relay.mono0_ns

    def _within(self, data: bytes) -> bytes:
        """As much of a part as is kept. A stream is kept whole, since its parts are events of their own."""
        room = self._relay.limits.kept_bytes - self._size
        self._size += len(data)
        if self._streamed or len(data) <= room:
            return data
        kept = data[: max(0, room)]
        self._skipped += len(data) - len(kept)
        return kept
