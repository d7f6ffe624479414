"""The proxy's connections to the service: one exchange after the other, and idle between them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from .http1 import Body, Malformed, UntilClose, head_end, options_of, response_body, response_head, stays_open

if TYPE_CHECKING:
    from .forward import Front, Service


class Back(asyncio.Protocol):
    """One connection to the service."""

    transport: asyncio.Transport

    def __init__(self, service: Service) -> None:
        self._service = service
        self._front: Front | None = None
        self._buffer = b""
        self._body: Body | None = None
        self._method = b""
        self._upgrades = False
        self._tunnel = False
        self._stays = False
        self._began = False
        self._over = False
        self.used = 0
        self.idle_since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, front: Front, method: bytes, upgrades: bool) -> None:
        """A request is about to be sent for this client."""
        self._front = front
        self._method = method
        self._upgrades = upgrades
        self._body = None
        self._began = self._over = False
        self.used += 1

    def drop(self, flush: bool = False) -> None:
        """Nobody wants what it would still say; with `flush`, what was written to it still goes out."""
        self._front = None
        if flush:
            self.transport.close()
        else:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        front = self._front
        if front is None or self._over:
            self._stays = False  # a service that speaks without being asked
            if front is None:
                self.transport.abort()
            return
        if self._tunnel:
            front.from_service(data)
            return
        self._began = True
        try:
            if self._body is None:
                self._buffer = self._buffer + data if self._buffer else data
                self._heads(front)
            else:
                self._feed(front, b"", data)
        except Malformed as error:
            self._broken(front, error)

    def _heads(self, front: Front) -> None:
        while self._body is None:
            end = head_end(self._buffer)
            if end < 0:
                return
            raw, self._buffer = self._buffer[:end], self._buffer[end:]
            head = response_head(raw)
            if head.status < 200 and head.status != 101:
                front.interim(raw)
                continue
            if head.status == 101 and not self._upgrades:
                raise Malformed("the service changed the protocol without being asked")
            body = response_body(head, self._method)
            self._stays = stays_open(head.minor, options_of(head.known))
            out = front.answered(head, body)
            rest, self._buffer = self._buffer, b""
            if head.status == 101:
                self._tunnel = True
                front.transport.write(out)
                front.opened()
                if rest:
                    front.from_service(rest)
                return
            self._body = body
            self._feed(front, out, rest)

    def _feed(self, front: Front, out: bytes, data: bytes) -> None:
        body = self._body
        assert body is not None
        raw, said = body.feed(data) if data and not body.done else (b"", b"")
        done = body.done
        if done and (body.rest or (data and not raw)):
            self._stays = False  # more than one answer to one request
        front.passed(out, raw, said, done)
        if done:
            self._end(front)

    def _end(self, front: Front) -> None:
        self._over = True
        if front.finished():
            self.release()

    def release(self) -> None:
        """The exchange is over: wait for the next one, or close."""
        self._front = None
        if self._stays and not self.transport.is_closing():
            self.transport.resume_reading()
            self._service.idle(self)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.gone(self)
        front, self._front = self._front, None
        if front is None:
            return
        if self._over:
            front.let_go()
            return
        if isinstance(self._body, UntilClose) and exc is None:
            self._over = True
            front.passed(b"", b"", b"", True)
            if not front.finished():
                front.let_go()
            return
        why = type(exc).__name__ if exc is not None else "ServerDisconnectedError"
        front.lost(self._began, self.used > 1, why, f"ended the connection before the answer was over: {why}")

    def _broken(self, front: Front, error: Malformed) -> None:
        self._front = None
        self._service.gone(self)
        self.transport.abort()
        front.lost(True, False, f"{type(error).__name__}: {error}", f"answered with what is no HTTP: {error}")

    def pause_writing(self) -> None:
        if self._front is not None:
            self._front.hold(True)

    def resume_writing(self) -> None:
        if self._front is not None:
            self._front.hold(False)
