"""Recording inside an aiohttp application:

    from crosslane.replay.record.aiohttp import record_middleware
    app = web.Application(middlewares=[record_middleware("trace.jsonl")])

Nothing is read ahead or held back: the request's body is noted as the handler reads it, and the response as it passes
to the server's writer, headers of inner middlewares and signals included.

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

# The application's own aiohttp is at the other end, in whatever version it has.
# ruff: noqa: SLF001 - what aiohttp keeps to itself is where the parts of an exchange pass
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .aiohttp_stream import Seen, forget, watch
from .recorder import CURRENT
from .service import recorder_for

if TYPE_CHECKING:
    from .recorder import Recorder, Recording
    from .relay import Relay, Relayed


def record_middleware(path: str = "trace.jsonl", recorder: Recorder | Relay | None = None, **options: Any) -> Any:
    """Middleware for `web.Application(middlewares=[…])`; put it first. Arguments as for `asgi.RecordMiddleware`."""
    kept = recorder or recorder_for(path, "aiohttp", **options)

    async def record(request: Any, handler: Any) -> Any:
        message = request._message
        headers = message.raw_headers
        recording = kept.begin(message.method, message.path, headers, _connection(request._transport_peername))
        websocket = message.upgrade and message.headers.get("Upgrade", "").lower() == "websocket"
        tap = _Tap(recording, request._payload_writer)
        request._payload_writer = tap
        if websocket:
            recording.request(extra={"messages": []})
            _watch_websocket(request, recording)
        elif request.body_exists:
            _watch_body(request, recording, tap, kept.limits.kept_bytes)
        else:
            recording.request()
        token = CURRENT.set(recording)
        try:
            response = await handler(request)
        except asyncio.CancelledError:
            recording.finish("cancelled")
            raise
        except Exception as error:
            # An HTTP exception of aiohttp is a response, which still goes to the writer.
            if not (hasattr(error, "status") and hasattr(error, "prepare")):
                recording.finish("error", type(error).__name__)
            raise
        finally:
            CURRENT.reset(token)
        if websocket and getattr(response, "close_code", None) is not None:
            recording.finish("cancelled" if response.close_code == 1006 else "ok")
        return response

    record.__middleware_version__ = 1  # type: ignore[attr-defined]  # what aiohttp's own decorator sets
    return record


class _Tap:
    """The writer of one response, with the recording in its middle."""

    __slots__ = ("_recording", "_writer", "body", "stream")

    def __init__(self, recording: Recording | Relayed, writer: Any) -> None:
        self._recording = recording
        self._writer = writer
        self.body: Seen | None = None
        self.stream: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _Tap.__slots__:
            object.__setattr__(self, name, value)
        else:  # such as the length that a response will have
            setattr(self._writer, name, value)

    async def write_headers(self, status_line: str, headers: Any) -> None:
        self.whole_request()
        status = int(status_line.split(" ", 2)[1])
        streamed = True if status == 101 else None
        self._recording.respond(status, [(str(k), str(v)) for k, v in headers.items()], streamed)
        await self._writer.write_headers(status_line, headers)

    async def write(self, chunk: Any, *args: Any, **options: Any) -> None:
        self._recording.part(bytes(chunk))
        await self._writer.write(chunk, *args, **options)

    async def write_eof(self, chunk: bytes = b"") -> None:
        # Safe before the client has it: whoever saw an answer finds it in the trace.
        self._recording.finish(last=bytes(chunk))
        await self._writer.write_eof(chunk)

    def whole_request(self) -> None:
        """The request as far as it has come; a handler may answer without reading all of it."""
        if self.stream is not None:
            forget(self.stream)
            self.stream = None
        if self.body is not None:
            cut = self.body.size - len(self.body.data)
            self._recording.request(bytes(self.body.data), {"cut_bytes": cut} if cut > 0 else None)
            self.body = None


def _watch_body(request: Any, recording: Recording | Relayed, tap: _Tap, most: int) -> None:
    seen = Seen(most, tap.whole_request)
    tap.body = seen
    stream = request._payload
    if getattr(stream, "_eof", False) and getattr(stream, "_buffer", None):
        # It came with the headers, and nothing but the handler can read it any more.
        for data in tuple(stream._buffer):
            seen.add(bytes(data))
        seen.end()
    elif watch(stream, seen):
        tap.stream = stream
    else:
        recording.request()


def _watch_websocket(request: Any, recording: Recording | Relayed) -> None:
    """Note the messages of the websocket that will be prepared for this request."""
    prepare = request._prepare_hook

    async def hook(response: Any) -> None:
        await prepare(response)
        if not hasattr(response, "receive"):
            return
        receive, send_str, send_bytes = response.receive, response.send_str, response.send_bytes

        async def received(*args: Any, **options: Any) -> Any:
            message = await receive(*args, **options)
            if isinstance(message.data, (str, bytes)) and message.type.name in ("TEXT", "BINARY"):
                recording.said(message.data)
            return message

        async def sent_str(data: str, *args: Any, **options: Any) -> None:
            recording.part(data)
            await send_str(data, *args, **options)

        async def sent_bytes(data: bytes, *args: Any, **options: Any) -> None:
            recording.part(bytes(data))
            await send_bytes(data, *args, **options)

        vars(response).update(receive=received, send_str=sent_str, send_bytes=sent_bytes)

    vars(request)["_prepare_hook"] = hook


def _connection(peer: Any) -> str:
    return f"connection-{peer[0]}-{peer[1]}" if isinstance(peer, tuple) else ""
