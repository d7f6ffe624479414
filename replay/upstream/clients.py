"""The HTTP clients of the program, led to what stands in for the network: httpx, httpx2, requests and aiohttp's client.

The SDKs of OpenAI and Anthropic go through these. httpx and requests are replaced at their transport, aiohttp's client
is connected in memory by the replay's own event loop. A library is looked for whenever an execution begins, because a
program may import it late.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The libraries are the program's own, in whatever version it has.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false, reportPrivateUsage=false
# ruff: noqa: SLF001 - this is part of the event loop

from __future__ import annotations

import asyncio
import io
import ssl
import sys
from typing import Any

from ..schedule.actors import ACTOR
from ..schedule.threads import here
from .memory_http import StandInServer
from .stand_in import StandIn, parts_in_thread, parts_of
from .wire import Answer, Call


class Clients:
    """Leads the client libraries to a stand-in, each once. Calls to servers that the program itself runs stay what they
    are."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self._skip_certificates()
        self._pending = {"httpx": self._httpx, "httpx2": self._httpx, "requests": self._requests}

    def take_over(self) -> None:
        """Replace the transports of the libraries that are loaded and were not yet."""
        for name in [name for name in self._pending if name in sys.modules]:
            self._pending.pop(name)(sys.modules[name])

    def _skip_certificates(self) -> None:
        """No TLS is spoken in a replay, and reading the certificates of all authorities costs each client 20 ms."""
        for name in ("load_verify_locations", "load_default_certs"):
            original = getattr(ssl.SSLContext, name)

            def load(context: Any, *args: Any, _original: Any = original, **options: Any) -> None:
                if ACTOR.get(None) is None or self._stand_in.passing:
                    _original(context, *args, **options)

            setattr(ssl.SSLContext, name, load)

    def server_for(self, factory: Any, scheme: str, host: str, port: int) -> StandInServer | None:
        """What a connection of the event loop leads to; None where the protocol is no HTTP client's."""
        maker = getattr(factory, "func", factory)
        module = str(getattr(maker, "__module__", ""))
        return StandInServer(self._stand_in, scheme, host, port) if module.startswith("aiohttp") else None

    def _is_ours(self, url: Any) -> bool:
        """Whether the call is made by a request, and leaves the program."""
        if ACTOR.get(None) is None:
            return False
        me = here()
        loop: Any = asyncio._get_running_loop() or (me.loop if me is not None else None)
        network = getattr(loop, "network", None)
        return not (url.port is not None and network is not None and network.has(url.port))

    def _httpx(self, module: Any) -> None:
        clients, stand_in = self, self._stand_in
        asynchronous = module.AsyncHTTPTransport.handle_async_request
        synchronous = module.HTTPTransport.handle_request

        class Parts(module.AsyncByteStream, module.SyncByteStream):
            def __init__(self, answer: Answer) -> None:
                self._answer = answer

            async def __aiter__(self) -> Any:
                async for part in parts_of(self._answer):
                    yield part

            def __iter__(self) -> Any:
                return parts_in_thread(self._answer)

        def response(answer: Answer, request: Any) -> Any:
            extensions = {"http_version": b"HTTP/1.1"}
            headers = [*answer.headers]
            if len(answer.parts) == 1:
                headers.append(("content-length", str(len(answer.parts[0]))))
            return module.Response(
                answer.status, headers=headers, stream=Parts(answer), request=request, extensions=extensions
            )

        async def handle_async_request(self: Any, request: Any) -> Any:
            if not clients._is_ours(request.url):
                return await asynchronous(self, request)
            await request.aread()
            try:
                return response(await stand_in.answered(_from_httpx(request)), request)
            except ConnectionError as error:
                raise module.ConnectError(str(error), request=request) from error

        def handle_request(self: Any, request: Any) -> Any:
            if not clients._is_ours(request.url):
                return synchronous(self, request)
            request.read()
            try:
                return response(stand_in.answered_in_thread(_from_httpx(request)), request)
            except ConnectionError as error:
                raise module.ConnectError(str(error), request=request) from error

        module.AsyncHTTPTransport.handle_async_request = handle_async_request
        module.HTTPTransport.handle_request = handle_request

    def _requests(self, module: Any) -> None:
        clients, stand_in = self, self._stand_in
        adapter = module.adapters.HTTPAdapter
        original = adapter.send

        def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            from urllib.parse import urlsplit

            from urllib3.response import HTTPResponse  # pyright: ignore[reportMissingImports] # requests brings it

            if not clients._is_ours(urlsplit(request.url)):
                return original(self, request, *args, **options)
            body = request.body
            body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b"".join(body or ())
            headers = tuple((name.lower(), str(value)) for name, value in request.headers.items())
            try:
                answer = stand_in.answered_in_thread(Call(request.method, request.url, headers, body))
            except ConnectionError as error:
                raise module.exceptions.ConnectionError(str(error), request=request) from error
            raw = HTTPResponse(
                body=_Body(answer),
                headers=dict(answer.headers),
                status=answer.status,
                reason="OK" if answer.status < 400 else "Error",
                preload_content=False,
            )
            return self.build_response(request, raw)

        adapter.send = send


class _Body(io.RawIOBase):
    """The parts of an answer as a file, which is what urllib3 reads."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self._parts = parts_in_thread(answer)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = part
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def _from_httpx(request: Any) -> Call:
    headers = tuple((name.lower(), value) for name, value in request.headers.multi_items())
    return Call(request.method, str(request.url), headers, request.content)
