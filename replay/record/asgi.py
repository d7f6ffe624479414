"""Recording inside an ASGI application (FastAPI, Starlette, Quart, Django):

    from crosslane.replay.record.asgi import RecordMiddleware
    app.add_middleware(RecordMiddleware, path="trace.jsonl")

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any, cast

from .recorder import CURRENT
from .service import recorder_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from .recorder import Raw, Recorder, Recording
    from .relay import Relay, Relayed

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

_connections = itertools.count(1)


class RecordMiddleware:
    """ASGI middleware that records every exchange and the upstream calls made for it.

    Args:
        app: the application. path: the trace; each worker process writes its own part beside it.
        recorder: instead of `path`, a recorder of your own. options: see `service.recorder_for`.
    """

    def __init__(
        self, app: Any, path: str = "trace.jsonl", recorder: Recorder | Relay | None = None, **options: Any
    ) -> None:
        self.app = app
        self.recorder = recorder or recorder_for(path, "asgi", **options)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = cast("Raw", tuple(scope.get("headers", ())))
        raw = scope.get("raw_path") or str(scope.get("path", "/")).encode()
        target = raw.decode("latin-1").partition("?")[0]
        query = cast("bytes", scope.get("query_string", b"")).decode("latin-1")
        recording = self.recorder.begin(
            str(scope.get("method", "GET")), f"{target}?{query}" if query else target, headers, _client(scope)
        )
        exchange = _Exchange(recording, receive, send, self.recorder.limits.kept_bytes)
        if scope["type"] == "websocket":
            recording.request(extra={"messages": []})
        token = CURRENT.set(recording)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except asyncio.CancelledError:
            recording.finish("cancelled")
            raise
        except BaseException as error:
            recording.finish("error", type(error).__name__)
            raise
        finally:
            CURRENT.reset(token)
            recording.finish("cancelled" if exchange.gone and not exchange.whole else "ok")


class _Exchange:
    """The channel between server and application, with the recording in its middle."""

    __slots__ = ("_body", "_most", "_receive", "_send", "_size", "gone", "recording", "whole")

    def __init__(self, recording: Recording | Relayed, receive: Receive, send: Send, most: int) -> None:
        self.recording = recording
        self.gone = False
        self.whole = False
        self._receive = receive
        self._send = send
        self._most = most
        self._size = 0
        self._body = b""

    async def receive(self) -> Message:
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            data = message.get("body", b"")
            self._size += len(data)
            if room := max(0, self._most - len(self._body)):
                self._body += data[:room]
            if not message.get("more_body"):
                self._requested()
        elif kind == "http.disconnect":
            self.gone = True
        elif kind == "websocket.receive":
            said = message.get("text")
            self.recording.said(said if said is not None else message.get("bytes") or b"")
        elif kind == "websocket.disconnect":
            self.whole = message.get("code", 1005) != 1006
            self.gone = True
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._requested()
            self.recording.respond(message["status"], tuple(message.get("headers", ())))
        elif kind == "http.response.body":
            if message.get("more_body"):
                self.recording.part(message.get("body", b""))
            else:
                self.whole = True
                self.recording.finish(last=message.get("body", b""))
        elif kind == "websocket.accept":
            self.recording.respond(101, (), streamed=True)
        elif kind == "websocket.send":
            text = message.get("text")
            self.recording.part(text if text is not None else message.get("bytes") or b"")
        elif kind == "websocket.close":
            self.whole = True
            self.recording.finish()
        await self._send(message)

    def _requested(self) -> None:
        if not self.recording.started:
            cut = self._size - len(self._body)
            self.recording.request(self._body, {"cut_bytes": cut} if cut else None)
        self._body = b""


def _client(scope: Message) -> str:
    client = scope.get("client")
    return f"connection-{client[0]}-{client[1]}" if client else f"connection-{next(_connections)}"
