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

    from .recorder import Recorder, Recording

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

    def __init__(self, app: Any, path: str = "trace.jsonl", recorder: Recorder | None = None, **options: Any) -> None:
        self.app = app
        self.recorder = recorder or recorder_for(path, "asgi", **options)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope.get("headers", ())]
        raw = scope.get("raw_path") or str(scope.get("path", "/")).encode()
        target = raw.decode("latin-1").partition("?")[0]
        query = cast("bytes", scope.get("query_string", b"")).decode("latin-1")
        recording = self.recorder.begin(
            str(scope.get("method", "GET")), f"{target}?{query}" if query else target, headers, _client(scope)
        )
        exchange = _Exchange(recording, receive, send, scope["type"] == "websocket")
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

    def __init__(self, recording: Recording, receive: Receive, send: Send, websocket: bool) -> None:
        self.recording = recording
        self.gone = False
        self.whole = False
        self._receive = receive
        self._send = send
        self._body: list[bytes] = []
        if websocket:
            recording.request(extra={"messages": []})

    async def receive(self) -> Message:
        message = await self._receive()
        kind = message["type"]
        if kind == "http.request":
            self._body.append(message.get("body", b""))
            if not message.get("more_body"):
                self.recording.request(b"".join(self._body))
                self._body = []
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
            self.recording.request(b"".join(self._body))
            headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message.get("headers", ())]
            self.recording.respond(message["status"], headers)
        elif kind == "http.response.body":
            self.recording.part(message.get("body", b""))
            if not message.get("more_body"):
                self.whole = True
                self.recording.finish()
        elif kind == "websocket.accept":
            self.recording.respond(101, (), streamed=True)
        elif kind == "websocket.send":
            text = message.get("text")
            self.recording.part(text if text is not None else message.get("bytes") or b"")
        elif kind == "websocket.close":
            self.whole = True
            self.recording.finish()
        await self._send(message)


def _client(scope: Message) -> str:
    client = scope.get("client")
    return f"connection-{client[0]}-{client[1]}" if client else f"connection-{next(_connections)}"
