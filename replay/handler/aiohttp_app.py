"""Handlers that are aiohttp applications: aiohttp's own server protocol, fed from memory instead of a socket.

Parsing, routing, middleware, signals, streaming, websockets and error pages are therefore aiohttp's. The program's own
aiohttp is used; this module imports the standard library alone and its siblings: exported repro scripts carry them.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import base64
import importlib
import struct
from typing import TYPE_CHECKING, Any

from .http import HttpRequest, decoded

if TYPE_CHECKING:
    from .reply import Reply

_ANSWER_IN_S = 1.0
"""After so long without an answer the client of a websocket sends its next message all the same, in virtual time."""
_PATIENCE_S = 30.0
"""So long it waits for more before it says good-bye."""


class AiohttpServer:
    """The application between its start-up and its clean-up. `runner` is aiohttp's own."""

    def __init__(self, app: Any) -> None:
        web = importlib.import_module("aiohttp.web")
        self._http_error: Any = web.HTTPException
        # Servers cancel handlers whose client is gone when told to, and all of them at shutdown.
        self.runner: Any = web.AppRunner(app, handler_cancellation=True, access_log=None)

    async def startup(self) -> None:
        await self.runner.setup()
        server = self.runner.server
        handle = server.request_handler

        async def handled(request: Any) -> Any:
            try:
                return await handle(request)
            except self._http_error:
                raise
            except Exception as error:
                # aiohttp answers 500 and only logs it; the line it came from is worth more than that.
                if request.transport is not None:
                    request.transport.reply.error = error
                raise

        server.request_handler = handled

    async def shutdown(self) -> None:
        await self.runner.cleanup()

    async def call(self, request: HttpRequest, reply: Reply) -> None:
        """Send one request and collect the response in `reply`."""
        loop: Any = asyncio.get_running_loop()
        loop.is_plumbing()
        answered = loop.create_future()
        transport = _Transport(reply, answered, request)
        protocol = self.runner.server()

        def gone() -> None:
            transport.lose()
            protocol.connection_lost(ConnectionResetError("the client is gone"))
            if not answered.done():
                answered.set_result(None)

        reply.gone = gone
        protocol.connection_made(transport)
        transport.protocol = protocol
        for number, piece in enumerate(_wire(request)):
            if number:
                await asyncio.sleep(0)
            protocol.data_received(piece)
        try:
            await answered
        finally:
            transport.finish()
            if not transport.lost:
                transport.lose()
                protocol.connection_lost(None)


def _wire(request: HttpRequest) -> list[bytes]:
    """The request as bytes, in the pieces in which a server would read it."""
    headers = list(request.headers)
    if request.messages is not None:
        key = base64.b64encode(bytes(range(16))).decode()
        handshake = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}
        handshake = {**handshake, "sec-websocket-key": key}
        headers = [*((name, value) for name, value in headers if name not in handshake), *handshake.items()]
    if request.body and not any(name == "content-length" for name, _ in headers):
        headers.append(("content-length", str(len(request.body))))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    first = f"{request.method} {request.target} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace")
    parts = request.parts()
    return [first + parts[0], *parts[1:]]


def frame(message: str | bytes, opcode: int | None = None) -> bytes:
    """A masked websocket frame (RFC 6455, 5.2), as clients send them."""
    payload = message.encode() if isinstance(message, str) else message
    code = opcode if opcode is not None else 1 if isinstance(message, str) else 2
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | code, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", 0x80 | code, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | code, 0x80 | 127, size)
    return head + bytes(4) + payload  # a mask of zeros changes nothing


class _Transport(asyncio.Transport):
    """What the server writes to; reads the response out of it as it comes."""

    def __init__(self, reply: Reply, answered: asyncio.Future[None], request: HttpRequest) -> None:
        super().__init__()
        self.reply = reply
        self.protocol: Any = None
        self.lost = False
        self._answered = answered
        self._request = request
        self._unsent = list(request.messages or ())
        self._next: asyncio.Handle | None = None
        self._buffer = b""
        self._body: list[bytes] = []
        self._in_body = False
        self._chunked = False
        self._left: int | None = None

    # ---- as the server calls it

    def write(self, data: Any) -> None:
        if self.lost or self._answered.done():
            return
        self._buffer += bytes(data)
        self._read()

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self._complete()

    def abort(self) -> None:
        self._complete()

    def is_closing(self) -> bool:
        return self.lost or self._answered.done()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("127.0.0.1", 50_000), "sockname": ("127.0.0.1", 80)}.get(name, default)

    def set_write_buffer_limits(self, high: Any = None, low: Any = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def is_reading(self) -> bool:
        return True

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def get_protocol(self) -> Any:
        return self.protocol

    # ---- the response

    def lose(self) -> None:
        self.lost = True
        self._wait_no_more()

    def finish(self) -> None:
        content_type = dict(self.reply.headers).get("content-type", "")
        if self._request.messages is not None and self.reply.status == 101:
            self.reply.body = list(self.reply.chunks)
        elif self._body or self.reply.status is not None:
            self.reply.body = decoded(b"".join(self._body), content_type)

    def _complete(self) -> None:
        self._wait_no_more()
        if not self._answered.done():
            self._answered.set_result(None)

    def _read(self) -> None:
        if not self._in_body:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            self._buffer, self._in_body = rest, True
            self._read_head(head.decode("latin-1"))
        if self.reply.status == 101 and self._request.messages is not None:
            self._read_frames()
        elif self._chunked:
            self._read_chunks()
        else:
            self._take(self._buffer)
            self._buffer = b""
            if self._left is not None and sum(map(len, self._body)) >= self._left:
                self._complete()

    def _read_head(self, head: str) -> None:
        status, *lines = head.split("\r\n")
        self.reply.status = int(status.split()[1])
        pairs = [(n.lower(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
        # The date is the server's, and says only how long others took.
        self.reply.headers = [(name, value) for name, value in pairs if name != "date"]
        named = dict(self.reply.headers)
        self._chunked = named.get("transfer-encoding", "") == "chunked"
        if "content-length" in named:
            self._left = int(named["content-length"])
        if self._request.method == "HEAD" or self.reply.status in (204, 304):
            self._left, self._chunked = 0, False
        if self.reply.status == 101:
            self._send_next(answered=True)

    def _read_chunks(self) -> None:
        while True:
            size, end, rest = self._buffer.partition(b"\r\n")
            if not end or len(rest) < (length := int(size.split(b";")[0], 16)) + 2:
                return
            self._buffer = rest[length + 2 :]
            if length == 0:
                self._complete()
                return
            self.reply.chunk(rest[:length].decode("utf-8", "backslashreplace"))
            self._take(rest[:length])

    def _take(self, piece: bytes) -> None:
        if piece:
            self._body.append(piece)

    # ---- websockets

    def _read_frames(self) -> None:
        while len(self._buffer) >= 2:
            code, size, at = self._buffer[0] & 15, self._buffer[1] & 127, 2
            if size == 126:
                size, at = struct.unpack("!H", self._buffer[2:4])[0], 4
            elif size == 127:
                size, at = struct.unpack("!Q", self._buffer[2:10])[0], 10
            if len(self._buffer) < at + size:
                return
            payload, self._buffer = self._buffer[at : at + size], self._buffer[at + size :]
            if code == 8:
                self._complete()
                return
            if code in (0, 1, 2):
                self.reply.chunk(payload.decode("utf-8", "backslashreplace"))
                self._send_next(answered=True)

    def _send_next(self, answered: bool) -> None:
        """The next message goes when the one before was answered, or no answer comes to it. At last the client says
        good-bye, when nothing more has come for a while: what answers may be another task than the one that reads."""
        self._wait_no_more()
        loop = asyncio.get_running_loop()
        if not self._unsent:
            self._next = loop.call_later(_PATIENCE_S, self._receive, frame(struct.pack("!H", 1000), 8))
        elif answered:
            self._next = loop.call_soon(self._send)
        else:
            self._next = loop.call_later(_ANSWER_IN_S, self._send)

    def _send(self) -> None:
        self._next = None
        self._receive(frame(self._unsent.pop(0)))
        if self._next is None and not self.is_closing():
            self._send_next(answered=False)

    def _wait_no_more(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _receive(self, message: bytes) -> None:
        if self.protocol is not None and not self.is_closing():
            self.protocol.data_received(message)
