"""An HTTP/1.1 server without a socket: what a client on the replay's event loop is connected to.

Just enough of RFC 9112 for the requests that HTTP clients send: a request line, headers, and a body by length or in
chunks. TLS never comes up, since the connection is made above it.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .stand_in import UpstreamRefusedError, parts_of
from .wire import Answer, Call

if TYPE_CHECKING:
    from .stand_in import StandIn

_REASONS = {200: "OK", 201: "Created", 204: "No Content", 400: "Bad Request", 404: "Not Found", 500: "Internal Error"}


class StandInServer(asyncio.Protocol):
    """The other end of one connection.

    Args:
        scheme, host, port: what the client asked to be connected to, for calls whose `Host` header names no other.
    """

    def __init__(self, stand_in: StandIn, scheme: str, host: str, port: int) -> None:
        self._stand_in = stand_in
        self._scheme = scheme
        self._at = host if port in (80, 443) else f"{host}:{port}"
        self._buffer = b""
        self._transport: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (call := self._whole()) is not None:
            # In the context of whoever wrote: the call is its lane's, though the connection may be another's.
            self._stand_in.asked_for(call)
            task = asyncio.get_running_loop().create_task(self._serve(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface names it
        for task in list(self._tasks):
            task.cancel()

    async def _serve(self, call: Call) -> None:
        try:
            answer = self._stand_in.answered_later(call)
        except UpstreamRefusedError as refused:
            # The client's own library would only say that the server went away.
            answer = Answer(502, (("content-type", "text/plain"),), (str(refused).encode(),))
        except ConnectionError:
            self._transport.close()
            return
        write = self._transport.write
        reason = _REASONS.get(answer.status, "Status")
        head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers if name != "content-length")
        if len(answer.parts) == 1:
            body = answer.parts[0]
            length = f"content-length: {len(body)}\r\n"
            write(f"HTTP/1.1 {answer.status} {reason}\r\n{head}{length}\r\n".encode("latin-1", "replace") + body)
            return
        chunked = "transfer-encoding: chunked\r\n"
        write(f"HTTP/1.1 {answer.status} {reason}\r\n{head}{chunked}\r\n".encode("latin-1", "replace"))
        async for part in parts_of(answer):
            write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        write(b"0\r\n\r\n")

    def _whole(self) -> Call | None:
        """The next request, once all of it has come."""
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = tuple(
            (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        headers = dict(pairs)
        if "chunked" in headers.get("transfer-encoding", "").lower():
            unpacked = _unchunked(rest)
            if unpacked is None:
                return None
            body, self._buffer = unpacked
        else:
            length = int(headers.get("content-length", "0") or 0)
            if len(rest) < length:
                return None
            body, self._buffer = rest[:length], rest[length:]
        method, _, target = first.partition(" ")
        target = target.rpartition(" ")[0]
        host = headers.get("host", self._at)
        url = target if target.startswith("http") else f"{self._scheme}://{host}{target}"
        return Call(method, url, pairs, body)


def _unchunked(data: bytes) -> tuple[bytes, bytes] | None:
    """(body, what follows it) of a chunked body, None while it is not whole."""
    body = b""
    while True:
        size_line, found, rest = data.partition(b"\r\n")
        if not found:
            return None
        size = int(size_line.partition(b";")[0], 16)
        if len(rest) < size + 2:
            return None
        if size == 0:
            end = rest.find(b"\r\n")
            return body, rest[end + 2 :]
        body += rest[:size]
        data = rest[size + 2 :]
