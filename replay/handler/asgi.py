"""Handlers that are ASGI applications (FastAPI, Starlette): called in memory, without a socket.

Implements the application side of https://asgi.readthedocs.io/en/latest/specs/www.html: HTTP with lifespan.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

if TYPE_CHECKING:
    from .reply import Reply


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


def http_scope(record: dict[str, Any], state: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The ASGI scope and the body of one recorded request (a `req` line of a trace).

    Raises:
        ValueError: the record has no method and path.
    """
    request = record.get("request")
    if not isinstance(request, dict) or "path" not in request:
        raise ValueError(
            f"request {record['id']} has no path, and an application needs one: "
            'write {"request": {"method": "POST", "path": "/chat", "json": {…}}}'
        )
    body, content_type = _body(request)
    headers = [(str(k).lower(), str(v)) for k, v in _pairs(request.get("headers"))]
    names = {name for name, _ in headers}
    if content_type and "content-type" not in names:
        headers.append(("content-type", content_type))
    # The recorded length belongs to the recorded bytes, which may have been redacted or edited since.
    headers = [(k, v) for k, v in headers if k not in ("content-length", "transfer-encoding")]
    if body:
        headers.append(("content-length", str(len(body))))
    if "host" not in names:
        headers.append(("host", "127.0.0.1"))
    url = urlsplit(str(request["path"]))
    query = (
        urlencode(_pairs(request["query"])) if isinstance(request.get("query"), (dict, list)) else request.get("query")
    )
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": str(request.get("method", "POST")).upper(),
        "scheme": "http",
        "path": unquote(url.path),
        "raw_path": quote(url.path, safe="/%:@!$&'()*+,;=~").encode("ascii"),
        "query_string": str(query or url.query).encode("utf-8", "surrogatepass"),
        "root_path": "",
        "headers": [(k.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for k, v in headers],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
        "state": dict(state),
        "extensions": {},
    }
    return scope, body


async def call_asgi(app: Any, scope: dict[str, Any], body: bytes, reply: Reply) -> None:
    """Send one request through the application and collect the response in `reply`."""
    take_over_anyio_threads()
    inbox = [{"type": "http.request", "body": body, "more_body": False}]
    gone = asyncio.get_running_loop().create_future()
    pieces: list[bytes] = []
    complete = False

    async def receive() -> dict[str, Any]:
        if inbox:
            return inbox.pop()
        if not complete:
            await gone
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal complete
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
                reply.body = _decoded(b"".join(pieces), dict(reply.headers).get("content-type", ""))
                if not gone.done():
                    gone.set_result(None)

    try:
        await app(scope, receive, send)
    finally:
        if not complete and pieces:
            reply.body = _decoded(b"".join(pieces), dict(reply.headers).get("content-type", ""))


def take_over_anyio_threads() -> None:
    """Let the loop run what anyio would give to its thread pool (`def` endpoints of FastAPI and Starlette)."""
    if "anyio" not in sys.modules:
        return
    # anyio itself imports its backend only when it is first used.
    backend = importlib.import_module("anyio._backends._asyncio")
    if getattr(backend, "crosslane_threads", False):
        return

    async def run_sync_in_worker_thread(
        cls: Any,  # noqa: ARG001
        func: Any,
        args: Any,
        abandon_on_cancel: bool = False,  # noqa: ARG001
        limiter: Any = None,  # noqa: ARG001
    ) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, lambda: func(*args))

    backend.AsyncIOBackend.run_sync_in_worker_thread = classmethod(run_sync_in_worker_thread)
    backend.crosslane_threads = True  # type: ignore[attr-defined]


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [(k, v) for k, vs in value.items() for v in (vs if isinstance(vs, list) else [vs])]
    return [(pair[0], pair[1]) for pair in value or ()]


def _body(request: dict[str, Any]) -> tuple[bytes, str]:
    if "json" in request:
        return json.dumps(request["json"], ensure_ascii=False).encode("utf-8", "surrogatepass"), "application/json"
    if "b64" in request:
        return base64.b64decode(request["b64"]), ""
    text = request.get("text", request.get("body"))
    return ("" if text is None else str(text)).encode(
        "utf-8", "surrogatepass"
    ), "text/plain; charset=utf-8" if text else ""


def _decoded(body: bytes, content_type: str) -> Any:
    text = body.decode("utf-8", "backslashreplace")
    if "json" in content_type:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
