"""A reverse proxy that records: it stands between clients and a service, and changes nothing that passes.

Bodies pass as they come, in both directions, compressed as they are; server-sent events are never held back. A client
that goes away is recorded as such and its request upstream is ended. What the service answers, errors too, is passed
on unchanged; only where it cannot be reached does the proxy answer itself, with 502.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from typing import TYPE_CHECKING, Any, cast

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from ..errors import CrosslaneError

if TYPE_CHECKING:
    from aiohttp.web_request import BaseRequest

    from .recorder import Recorder, Recording

_HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect")
)  # RFC 9110, 7.6.1
_SMALL = 64 << 10
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Proxy:
    """Listens on `host:port`, passes everything on to `to`, and records it.

    Use as an async context manager.

    Raises:
        CrosslaneError: on entry, where the address is taken or `to` is no URL of a service.
    """

    def __init__(self, to: str, recorder: Recorder, host: str = "127.0.0.1", port: int = 0) -> None:
        self.to = URL(to.rstrip("/"))
        if self.to.scheme not in ("http", "https") or not self.to.host:
            raise CrosslaneError(f"cannot record in front of {to!r}", remedy="give a URL such as http://127.0.0.1:8000")
        self.recorder = recorder
        self.host = host
        self.port = port
        self.failures = 0
        self._connections = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.ServerRunner | None = None
        # A service on this machine sees the name its clients used; a remote one answers only to its own.
        self._keeps_host = self.to.host in LOOPBACK

    async def __aenter__(self) -> Proxy:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        server = web.Server(self._serve, handler_cancellation=True, access_log=None, auto_decompress=False)
        self._runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            site = web.TCPSite(self._runner, self.host, self.port)
            await site.start()
        except OSError as error:
            await self.__aexit__()
            why = "is taken" if error.errno in (98, 48, 10048) else f"cannot be listened on: {error.strerror}"
            raise CrosslaneError(
                f"port {self.port} of {self.host} {why}", remedy="choose another with --port"
            ) from None
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    # ---- one exchange

    async def _serve(self, request: BaseRequest) -> web.StreamResponse:
        connection = getattr(request.protocol, "crosslane_name", None)
        if connection is None:
            connection = f"connection-{next(self._connections)}"
            with contextlib.suppress(AttributeError):
                cast("Any", request.protocol).crosslane_name = connection
        headers = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in request.raw_headers]
        target = request.raw_path
        recording = self.recorder.begin(request.method, target, headers, connection)
        try:
            if request.headers.get("Upgrade", "").lower() == "websocket":
                return await self._websocket(request, recording)
            return await self._exchange(request, headers, recording)
        except asyncio.CancelledError:
            recording.finish("cancelled")
            raise
        except (aiohttp.ClientConnectorError, aiohttp.ServerDisconnectedError, TimeoutError) as error:
            self.failures += 1
            recording.request()
            recording.respond(502, ())
            recording.finish("error", type(error).__name__)
            return web.Response(status=502, text=f"crosslane: {self.to} cannot be reached: {type(error).__name__}\n")
        except (aiohttp.ClientError, ConnectionError) as error:
            # The response had begun: its end cannot be made up, so the client's connection breaks as ours did.
            self.failures += 1
            recording.finish("cancelled" if isinstance(error, ConnectionResetError) else "error", type(error).__name__)
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None
        finally:
            recording.finish("error")

    async def _exchange(
        self, request: BaseRequest, headers: list[tuple[str, str]], recording: Recording
    ) -> web.StreamResponse:
        assert self._session is not None
        length = request.content_length
        body: Any = None
        kept = bytearray()
        if length is not None and length <= _SMALL:
            body = await request.read() if length else None
            recording.request(body or b"")
        elif request.body_exists:
            body = self._passing(request, kept, recording)
        else:
            recording.request()
        async with self._session.request(
            request.method,
            self._url(request.raw_path),
            headers=self._forwarded(headers),
            data=body,
            allow_redirects=False,
        ) as answer:
            recording.request(bytes(kept))  # an answer may come before the request has ended
            given = [(key.decode("latin-1"), value.decode("latin-1")) for key, value in answer.raw_headers]
            recording.respond(answer.status, given)
            passed = CIMultiDict((name, value) for name, value in given if name.lower() not in _HOP_BY_HOP)
            size = answer.content_length
            if size is not None and size <= _SMALL and request.method != "HEAD":
                data = await answer.read()
                recording.part(data)
                # On disk before the client has it: whoever saw an answer finds it in the trace.
                recording.finish()
                response = web.Response(status=answer.status, reason=answer.reason, headers=passed, body=data)
                return self._finished(response, passed)
            return await self._stream(request, answer, passed, recording)

    async def _stream(
        self, request: BaseRequest, answer: aiohttp.ClientResponse, passed: CIMultiDict[str], recording: Recording
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=passed)
        if "Content-Length" not in passed and request.version >= aiohttp.HttpVersion11 and answer.status >= 200:
            response.enable_chunked_encoding()
        self._finished(response, passed)
        await response.prepare(request)
        async for data in answer.content.iter_any():
            recording.part(data)
            await response.write(data)
        recording.finish()
        await response.write_eof()
        return response

    async def _passing(self, request: BaseRequest, kept: bytearray, recording: Recording) -> Any:
        async for data in request.content.iter_any():
            if len(kept) < self.recorder.limits.kept_bytes:
                kept += data
            yield data
        recording.request(bytes(kept))

    async def _websocket(self, request: BaseRequest, recording: Recording) -> web.StreamResponse:
        assert self._session is not None
        recording.request(extra={"messages": []})
        offered = [
            name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()
        ]
        headers = CIMultiDict(
            (name, value)
            for name, value in self._forwarded(
                [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.raw_headers]
            ).items()
            if not name.lower().startswith("sec-websocket-")
        )
        try:
            upstream = await self._session.ws_connect(
                self._url(request.raw_path), protocols=offered, headers=headers, max_msg_size=0, autoping=False
            )
        except aiohttp.WSServerHandshakeError as refused:
            recording.respond(refused.status, ())
            recording.finish()
            return web.Response(status=refused.status, text=refused.message)
        chosen = [upstream.protocol] if upstream.protocol else []
        client = web.WebSocketResponse(protocols=chosen, max_msg_size=0, autoping=False)
        await client.prepare(request)
        recording.respond(101, (), streamed=True)

        async def to_service() -> None:
            async for message in client:
                if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    recording.said(message.data)
                await _pass_on(message, upstream)

        async def to_client() -> None:
            async for message in upstream:
                if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    recording.part(message.data)
                await _pass_on(message, client)

        sides = {asyncio.ensure_future(to_service()), asyncio.ensure_future(to_client())}
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # A client that has said goodbye may break the connection at once, which is no cancellation.
            left = client.close_code in (None, 1006) and upstream.close_code is None
            recording.finish("cancelled" if left else "ok")
            for side in sides:
                side.cancel()
            await asyncio.gather(*sides, return_exceptions=True)
            await upstream.close(code=client.close_code if client.close_code not in (None, 1006) else 1000)
        await client.close(code=upstream.close_code or 1000)
        return client

    def _url(self, target: str) -> URL:
        return URL(str(self.to) + (target if target.startswith("/") else "/" + target), encoded=True)

    def _forwarded(self, headers: list[tuple[str, str]]) -> CIMultiDict[str]:
        passed = CIMultiDict((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)
        if not self._keeps_host:
            passed.popall("Host", None)
        return passed

    @staticmethod
    def _finished(response: web.StreamResponse, passed: CIMultiDict[str]) -> Any:
        # aiohttp would add its own where the service sent none.
        if "Content-Type" not in passed:
            response.headers.popall("Content-Type", None)
        return response


async def _pass_on(message: aiohttp.WSMessage, other: web.WebSocketResponse | aiohttp.ClientWebSocketResponse) -> None:
    if message.type == aiohttp.WSMsgType.TEXT:
        await other.send_str(message.data)
    elif message.type == aiohttp.WSMsgType.BINARY:
        await other.send_bytes(message.data)
    elif message.type == aiohttp.WSMsgType.PING:
        await other.ping(message.data)
    elif message.type == aiohttp.WSMsgType.PONG:
        await other.pong(message.data)


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]
