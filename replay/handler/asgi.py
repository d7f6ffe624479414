"""Handlers that are ASGI applications (FastAPI, Starlette): called in memory, without a socket.

Implements the server side of https://asgi.readthedocs.io/en/latest/specs/www.html: HTTP, websockets and lifespan.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextvars
import importlib
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from .http import HttpRequest, decoded

if TYPE_CHECKING:
    from .reply import Reply

CLIENTS_PATIENCE_S = 30.0
"""How long the client of a websocket waits for more before it says good-bye, in virtual time."""
_ANYIO_THREADS = 40
"""How many there are at once where the program has not said otherwise."""


class Lifespan:
    """The application's start-up and shutdown. An application without lifespan support is simply not told."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self._inbox: asyncio.Queue[dict[str, Any]] | None = None
        self._answers: asyncio.Queue[dict[str, Any]] | None = None
        self._task: asyncio.Task[None] | None = None

    async def startup(self) -> None:
        """Run start-up.

        Raises:
            RuntimeError: the application said `lifespan.startup.failed`; the message is its own.
        """
        self._inbox, self._answers = asyncio.Queue(), asyncio.Queue()
        self._task = asyncio.create_task(self._serve(), name="lifespan")
        answer = await self._ask("lifespan.startup")
        if answer["type"] == "lifespan.startup.failed":
            raise RuntimeError(answer.get("message") or "the application's start-up failed")

    async def shutdown(self) -> None:
        if self._task is not None and not self._task.done():
            await self._ask("lifespan.shutdown")

    async def _ask(self, question: str) -> dict[str, Any]:
        assert self._inbox is not None
        assert self._answers is not None
        self._inbox.put_nowait({"type": question})
        return await self._answers.get()

    async def _serve(self) -> None:
        assert self._inbox is not None
        assert self._answers is not None
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        started = False

        async def send(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            assert self._answers is not None
            self._answers.put_nowait(message)

        try:
            await self.app(scope, self._inbox.get, send)
        except Exception as error:
            if started:
                raise
            # The specification: an exception here means that the application does not do lifespan. Starlette reports
            # a failing start-up itself, so what arrives here without an answer is a refusal of the scope.
            self._answers.put_nowait({"type": "lifespan.unsupported", "message": str(error)})
        else:
            if not started:  # it returned without a word: no support either
                self._answers.put_nowait({"type": "lifespan.unsupported"})


def scope_of(request: HttpRequest, state: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of a request; a websocket's where the record has messages."""
    scope: dict[str, Any] = {
        "type": "http" if request.messages is None else "websocket",
        # As uvicorn says, and does: up to 2.3 what is sent to a client that is gone is dropped, and Starlette itself
        # listens for its leaving and cancels the stream; from 2.4 on the sending fails.
        "asgi": {"version": "3.0", "spec_version": "2.3" if request.messages is None else "2.4"},
        "http_version": "1.1",
        "scheme": "http" if request.messages is None else "ws",
        "path": request.path,
        "raw_path": request.raw_path.encode("ascii"),
        "query_string": request.query.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "headers": [(k.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for k, v in request.headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": dict(state),
        "extensions": {},
    }
    if request.messages is None:
        scope["method"] = request.method
    else:
        scope["subprotocols"] = []
    return scope


async def call_asgi(app: Any, request: HttpRequest, state: dict[str, Any], reply: Reply) -> None:
    """Send one request through the application and collect the response in `reply`."""
    take_over_anyio_threads()
    if request.messages is None:
        await _call_http(app, request, state, reply)
    else:
        await _call_websocket(app, request, state, reply)


async def _call_http(app: Any, request: HttpRequest, state: dict[str, Any], reply: Reply) -> None:
    parts = request.parts()
    inbox = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)} for number, part in enumerate(parts, 1)
    ]
    inbox.reverse()
    # No future of ours is awaited by the program itself: who stops waiting (`Request.is_disconnected` of Starlette
    # does at once) would cancel it, and the client would be taken for gone.
    gone = asyncio.Event()
    pieces: list[bytes] = []
    complete = False

    def leave() -> None:
        inbox.clear()
        gone.set()

    reply.gone = leave

    async def receive() -> dict[str, Any]:
        if inbox:
            message = inbox.pop()
            if len(parts) > 1:
                await asyncio.sleep(0)  # the rest is still on its way
            return message
        if not complete:
            await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal complete
        if gone.is_set() and not complete:
            return  # as servers do: nobody reads it
        if message["type"] == "http.response.start":
            reply.status = int(message["status"])
            reply.headers = [
                (bytes(k).decode("latin-1").lower(), bytes(v).decode("latin-1")) for k, v in message.get("headers", ())
            ]
        elif message["type"] == "http.response.body":
            piece = bytes(message.get("body", b""))
            pieces.append(piece)
            if message.get("more_body", False):
                if piece:
                    reply.chunk(piece.decode("utf-8", "backslashreplace"))
                    await asyncio.sleep(0)  # a server waits here while the client reads
            else:
                if reply.chunks and piece:
                    reply.chunk(piece.decode("utf-8", "backslashreplace"))
                complete = True
                reply.body = decoded(b"".join(pieces), dict(reply.headers).get("content-type", ""))
                gone.set()

    try:
        await app(scope_of(request, state), receive, send)
    finally:
        if not complete and pieces:
            reply.body = decoded(b"".join(pieces), dict(reply.headers).get("content-type", ""))
    if reply.status is None and not gone.is_set():
        raise RuntimeError("the application returned without an answer")


async def _call_websocket(app: Any, request: HttpRequest, state: dict[str, Any], reply: Reply) -> None:
    """The client sends its messages one after another, as the application receives them. It leaves when nothing more
    has come for a while: what answers may be another task than the one that receives."""
    inbox: list[dict[str, Any]] = [{"type": "websocket.connect"}]
    for message in request.messages or ():
        key = "text" if isinstance(message, str) else "bytes"
        inbox.append({"type": "websocket.receive", key: message})
    inbox.append({"type": "websocket.disconnect", "code": 1000, "reason": ""})
    inbox.reverse()

    left = gone = False

    def leave() -> None:
        nonlocal left
        left = True
        inbox[:] = [{"type": "websocket.disconnect", "code": 1006, "reason": ""}]

    def lose() -> None:
        nonlocal gone
        gone = True
        leave()

    reply.gone = lose

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0 if len(inbox) > 1 or left else CLIENTS_PATIENCE_S)
        return inbox.pop() if len(inbox) > 1 else inbox[0]

    async def send(message: dict[str, Any]) -> None:
        if gone:
            raise OSError("the client is gone")
        if message["type"] == "websocket.accept":
            reply.status = 101
            reply.headers = [
                (bytes(k).decode("latin-1").lower(), bytes(v).decode("latin-1")) for k, v in message.get("headers", ())
            ]
        elif message["type"] == "websocket.send":
            text = message.get("text")
            reply.chunk(text if text is not None else bytes(message["bytes"]).decode("utf-8", "backslashreplace"))
            await asyncio.sleep(0)
        elif message["type"] == "websocket.close":
            reply.status = reply.status or 403
            leave()

    try:
        await app(scope_of(request, state), receive, send)
    finally:
        reply.body = list(reply.chunks)


def take_over_anyio_threads() -> None:
    """Let the loop run what anyio would give to its thread pool (`def` endpoints of FastAPI and Starlette)."""
    if "anyio" not in sys.modules:
        return
    # anyio itself imports its backend only when it is first used.
    backend = importlib.import_module("anyio._backends._asyncio")
    if getattr(backend, "crosslane_threads", False):
        return

    async def run_sync_in_worker_thread(
        cls: Any, func: Any, args: Any, abandon_on_cancel: bool = False, limiter: Any = None
    ) -> Any:
        limiter = limiter or cls.current_default_thread_limiter()
        if limiter.total_tokens < _ANYIO_THREADS:  # the program wants it so: often one, in place of a lock
            async with limiter:
                return await _in_anyio_thread(backend, func, args, abandon_on_cancel)
        return await _in_anyio_thread(backend, func, args, abandon_on_cancel)

    backend.AsyncIOBackend.run_sync_in_worker_thread = classmethod(run_sync_in_worker_thread)
    backend.crosslane_threads = True  # type: ignore[attr-defined]


async def _in_anyio_thread(backend: Any, func: Any, args: Any, abandon_on_cancel: bool) -> Any:
    """As anyio does: the way back to the loop is known in the thread, and cancelled scopes wait for its end."""
    loop = asyncio.get_running_loop()
    with backend.CancelScope(shield=not abandon_on_cancel) as scope:
        outer = getattr(scope, "_parent_scope", None)
        context = contextvars.copy_context()
        job = partial(_known_to_anyio, backend, loop, scope if abandon_on_cancel else outer or scope, func, args)
        return await loop.run_in_executor(None, partial(context.run, job))


def _known_to_anyio(backend: Any, loop: Any, scope: Any, func: Any, args: Any) -> Any:
    with backend.claim_worker_thread(backend.AsyncIOBackend, loop):
        backend.threadlocals.current_cancel_scope = scope
        try:
            return func(*args)
        finally:
            del backend.threadlocals.current_cancel_scope
