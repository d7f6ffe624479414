"""What passes between one client and the service: both connections, and the exchange that is under way on them.

Bytes are passed on as soon as they have come, in the form in which they came; only heads are written anew. Whichever
side is slow holds up the other. An exchange is noted while it passes, and its end before the client has it: whoever saw
an answer finds it in the trace.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from .forward_heads import own_answer, to_client, to_service
from .http1 import Body, Chunked, Malformed, UntilClose, head_end, options_of, request_body, request_head, stays_open
from .websocket_frames import Messages

if TYPE_CHECKING:
    from .forward_back import Back
    from .http1 import RequestHead, ResponseHead
    from .recorder import Recorder, Recording
    from .relay import Relay, Relayed

_REPEATABLE = 64 << 10
"""A request up to this size can be sent again, where a connection from the pool turns out to be dead..."""
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"})
"""...if its method allows that (RFC 9110, 9.2.2): a service may have done what a POST says before it broke."""
_IDLE_S = 30.0
_SURELY_OPEN_S = 0.5
"""Any other request takes a connection that no service closes yet for being idle."""
_READ_AHEAD = 256 << 10


class Service(Protocol):
    """What the connections want to know of the proxy."""

    recorder: Recorder | Relay
    prefix: bytes
    """Of every path."""
    authority: bytes
    keeps_host: bool
    """Whether the service sees the name its clients used, or its own."""

    def connected(self, front: Front) -> str: ...
    def left(self, front: Front) -> None: ...
    def back(self, front: Front, most_idle_s: float) -> Back | None:
        """A connection to the service; None where one is being made, which is told to `front.backed`."""
        ...

    def idle(self, back: Back) -> None: ...
    def gone(self, back: Back) -> None: ...
    def failed(self, what: str) -> str:
        """What to tell a client whose request could not be passed on."""
        ...


class Front(asyncio.Protocol):
    """The connection of one client, and its exchanges one after the other."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._recorder = service.recorder
        self._most = service.recorder.limits.kept_bytes
        self._name = ""
        self._buffer = b""
        self._paused = False
        self._full = False
        self._stays = True
        self._clear()

    def _clear(self) -> None:
        self.recording: Recording | Relayed | None = None
        self._head: RequestHead | None = None
        self._body: Body | None = None
        self._kept = bytearray()
        self._size = 0
        self._back: Back | None = None
        self._out: list[bytes] = []
        self._repeatable: bytes | None = None
        self._repeated = False
        self._answered = False
        self._finished = False
        self._tunnel: tuple[Messages, Messages] | None = None
        self._upgrades = False

    # ---- the client's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._name = self._service.connected(self)

    def data_received(self, data: bytes) -> None:
        if self._tunnel is not None:
            self._to_service(data)
            return
        self._buffer = self._buffer + data if self._buffer else data
        self._advance()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface
        self._service.left(self)
        back, recording = self._back, self.recording
        self._back = None
        if recording is not None:
            said = self._tunnel is not None and any(side.closed for side in self._tunnel)
            self._requested()
            recording.finish("ok" if said else "cancelled")
        self.recording = None
        if back is not None:
            back.drop(flush=self._tunnel is not None)

    def pause_writing(self) -> None:
        self._full = True
        if self._back is not None:
            self._back.transport.pause_reading()

    def resume_writing(self) -> None:
        self._full = False
        if self._back is not None:
            self._back.transport.resume_reading()

    def busy(self) -> bool:
        """Whether an exchange is under way."""
        return self._head is not None

    # ---- the request

    def _advance(self) -> None:
        """Take from what has come: a head, then its body; the next head waits until the exchange is over."""
        try:
            while self._buffer and not self.transport.is_closing():
                if self._head is None:
                    self._buffer = self._buffer.lstrip(b"\r\n") if self._buffer[:1] in (b"\r", b"\n") else self._buffer
                    end = head_end(self._buffer)
                    if end < 0:
                        return
                    head, self._buffer = self._buffer[:end], self._buffer[end:]
                    self._begin(request_head(head))
                elif self._body is not None and not self._body.done:
                    data, self._buffer = self._buffer, b""
                    self._more(data)
                else:
                    if len(self._buffer) > _READ_AHEAD:
                        self._pause(True)
                    return
        except Malformed as error:
            self._refuse(error)

    def _begin(self, head: RequestHead) -> None:
        body = request_body(head)
        options = options_of(head.known)
        if head.method == b"CONNECT":
            raise Malformed("this is no forward proxy")
        target = head.target
        if target[:1] != b"/" and (target != b"*" or self._service.prefix):
            raise Malformed("the target is no path")
        self._upgrades = b"upgrade" in options and head.known.get(b"upgrade", b"").lower() == b"websocket"
        self._head, self._body = head, body
        self._stays = stays_open(head.minor, options)
        self.recording = self._recorder.begin(
            head.method.decode("latin-1"), target.decode("latin-1"), head.headers, self._name
        )
        data, self._buffer = self._buffer, b""
        service = self._service
        host = None if service.keeps_host and b"host" in head.known else service.authority
        out = to_service(head, options, service.prefix, host, self._upgrades)
        if self._upgrades:
            self.recording.request(extra={"messages": []})
        if data and not body.done:
            passed = self._read(data)
            out += passed
        else:
            self._buffer = data
        if body.done and len(out) <= _REPEATABLE and head.method in _IDEMPOTENT:
            self._repeatable = out
        self._send(out)
        if body.done:
            self._requested()

    def _more(self, data: bytes) -> None:
        """More of the body has come."""
        passed = self._read(data)
        assert self._body is not None
        if self._body.done:
            self._requested()
        if passed and (self._back is not None or not self._answered):
            self._send(passed)
        if self._body.done and self._finished:
            back, self._back = self._back, None
            self._over()
            if back is not None:
                back.release()

    def _read(self, data: bytes) -> bytes:
        assert self._body is not None
        passed, said = self._body.feed(data)
        self._size += len(said)
        if len(self._kept) < self._most:
            self._kept += said[: self._most - len(self._kept)]
        if self._body.done:
            self._buffer = self._body.rest
        return passed

    def _requested(self) -> None:
        if self.recording is not None and not self.recording.started:
            cut = self._size - len(self._kept)
            self.recording.request(bytes(self._kept), {"cut_bytes": cut} if cut else None)

    # ---- to the service

    def _send(self, data: bytes) -> None:
        back = self._back
        if back is None:
            first = not self._out
            self._out.append(data)
            if first:
                idle_s = 0.0 if self._repeated else _SURELY_OPEN_S if self._repeatable is None else _IDLE_S
                self._back = back = self._service.back(self, idle_s)
                if back is not None:
                    self.backed(back)
            elif sum(map(len, self._out)) > _READ_AHEAD:
                self._pause(True)
            return
        back.transport.write(data)

    def backed(self, back: Back) -> None:
        """There is a connection to the service."""
        if self._head is None or self.recording is None or self.transport.is_closing():  # the client left meanwhile
            back.drop()
            return
        self._back = back
        back.begin(self, self._head.method, self._upgrades)
        out, self._out = b"".join(self._out), []
        back.transport.write(out)
        if self._full:
            back.transport.pause_reading()
        self._pause(False)

    def unreachable(self, error: str, what: str) -> None:
        """The service cannot be reached, has broken the connection, or speaks no HTTP; `what` tells the client."""
        recording = self.recording
        if recording is None:
            return
        told = self._service.failed(what)
        self._requested()
        if self._answered:
            # Its end cannot be made up, so the client's connection breaks as ours did.
            recording.finish("error", error)
            self.recording = None
            self.transport.abort()
            return
        recording.respond(502, ())
        recording.finish("error", error)
        self._back = None
        whole = self._body is not None and self._body.done
        self._stays = self._stays and whole
        method = self._head.method if self._head is not None else b""
        self.transport.write(own_answer(502, told, self._stays, method))
        self._answered = True
        self._over()

    def lost(self, answering: bool, reused: bool, why: str, what: str) -> None:
        """The service's connection has ended in the midst of an exchange."""
        self._back = None
        if self._tunnel is not None:
            if self.recording is not None:
                said = any(side.closed for side in self._tunnel)
                self.recording.finish("ok" if said else "error", "" if said else why)
            self.recording = None
            self.transport.close()
        elif reused and not answering and not self._repeated and self._repeatable is not None:
            # The service had closed it while it was idle.
            self._repeated = True
            self._send(self._repeatable)
        else:
            self.unreachable(why, what)

    # ---- the response

    def answered(self, head: ResponseHead, body: Body) -> bytes:
        """The response has begun; returns its head as the client is to see it. What follows is in `passed`."""
        assert self._head is not None
        recording = self.recording
        self._requested()
        self._answered = True
        upgraded = head.status == 101
        if recording is not None:
            recording.respond(head.status, () if upgraded else head.headers, True if upgraded else None)
        closes = isinstance(body, UntilClose) or (isinstance(body, Chunked) and not self._head.minor)
        self._stays = self._stays and not closes
        if upgraded:
            self._tunnel = (Messages(self._most), Messages(self._most))
        return to_client(head, self._head.minor, self._stays)

    def interim(self, head: bytes) -> None:
        """An answer before the answer: 100, 103."""
        if self._head is not None and self._head.minor:
            self.transport.write(head)

    def passed(self, out: bytes, raw: bytes, said: bytes, ended: bool) -> None:
        """More of the response, after `out`, which is its head or nothing."""
        recording = self.recording
        if recording is not None:
            if ended:
                recording.finish(last=said)
            elif said:
                recording.part(said)
        assert self._head is not None
        self.transport.write(out + (raw if self._head.minor else said))

    def finished(self) -> bool:
        """The response is over; whether the service's connection is free, for the request is over as well."""
        if self._body is not None and not self._body.done:
            self._finished = True
            return False
        self._back = None
        self._over()
        return True

    def let_go(self) -> None:
        """The service has closed the connection after its answer; what is left of the request goes nowhere."""
        self._back = None
        self._pause(False)

    def _over(self) -> None:
        """The exchange is over; the next may begin."""
        if not self._stays:
            self._clear()
            self.transport.close()
            return
        self._clear()
        self._pause(False)
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._advance)

    def _refuse(self, error: Malformed) -> None:
        """What is no request is answered, never passed on, and ends the connection."""
        recording, back = self.recording, self._back
        self._back = None
        if recording is not None:  # the body of one that had begun
            self._requested()
            if not self._answered:
                recording.respond(error.status, ())
            recording.finish("error", "MalformedRequest")
            self.recording = None
        if back is not None:
            back.drop()
        if not self._answered:
            self.transport.write(own_answer(error.status, f"crosslane: not passed on: {error}\n", False))
        self._buffer = b""
        self.transport.close()

    def _pause(self, paused: bool) -> None:
        if paused != self._paused and not self.transport.is_closing():
            self._paused = paused
            (self.transport.pause_reading if paused else self.transport.resume_reading)()

    def hold(self, held: bool) -> None:
        """The service takes no more for now, or takes again."""
        self._pause(held)

    # ---- after an upgrade

    def _to_service(self, data: bytes) -> None:
        assert self._tunnel is not None
        if self.recording is not None:
            for message in self._tunnel[0].feed(data):
                self.recording.said(message)
        if self._back is not None:
            self._back.transport.write(data)

    def from_service(self, data: bytes) -> None:
        """What the service sends over a websocket; the client may have sent something with its request."""
        assert self._tunnel is not None
        if self.recording is not None:
            for message in self._tunnel[1].feed(data):
                self.recording.part(message)
        self.transport.write(data)

    def opened(self) -> None:
        """The websocket is open."""
        self._pause(False)
        if self._buffer:
            data, self._buffer = self._buffer, b""
            self._to_service(data)
