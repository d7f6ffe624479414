"""The calls to LLMs and tools that a service makes while it serves a request, recorded in that request's lane.

httpx and httpx2, aiohttp's client and requests are observed at the one method each through which a request goes out;
the OpenAI and Anthropic SDKs go through these. The lane is the recording that the calling task or thread works for.
Answers are noted as the caller reads them, so a stream stays a stream; a call is written when its answer has ended. No
headers are kept but the content type: the rest are credentials and noise.

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

# The libraries are the service's own, in whatever version it has.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUntypedBaseClass=false

from __future__ import annotations

import contextlib
import functools
import json
import sys
from typing import TYPE_CHECKING, Any

from .aiohttp_stream import Seen, forget, watch
from .recorder import CURRENT, upstream_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .recorder import Message, Raw, Recording
    from .relay import Relayed

_KEPT = 16 << 20


def observe() -> None:
    """Observe the client libraries that are loaded, each once. Cheap, since a service may load one at any time."""
    for name in [name for name in _pending if name in sys.modules]:
        _pending.remove(name)
        _PATCHES[name](sys.modules[name])


class _Call:
    """One call while it is under way."""

    __slots__ = ("at_ns", "data", "done", "name", "recording", "sent", "size", "status", "type")

    def __init__(self, recording: Recording | Relayed, method: str, url: str, sent: bytes, headers: Raw = ()) -> None:
        self.recording = recording
        self.at_ns = recording.now_ns()
        self.name = upstream_name(method, url)
        told = {"method": method, "url": url.partition("?")[0]}
        self.sent: Message = (told, sent, _readable(headers) if sent else ())
        self.status: int | None = None
        self.type: list[tuple[str, str]] = []
        self.data = bytearray()
        self.size = 0
        self.done = False

    def answered(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self.status = status
        self.type = _readable(headers)

    def part(self, data: bytes) -> None:
        self.size += len(data)
        if len(self.data) < _KEPT:
            self.data += data

    def finish(self, end: str = "ok", unpacked: bool = False) -> None:
        if self.done:
            return
        self.done = True
        if self.status is None:
            self.recording.upstream(self.name, self.sent, ({"error": end}, b"", ()), self.at_ns, "error")
            return
        headers = [pair for pair in self.type if not (unpacked and pair[0].lower() == "content-encoding")]
        kind = next((value for key, value in self.type if key.lower() == "content-type"), "")
        told = {"status": self.status, "content_type": kind}
        self.recording.upstream(self.name, self.sent, (told, bytes(self.data), headers), self.at_ns, end)


def _once(target: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    original = target.__dict__.get(name)
    if original is not None and not hasattr(original, "crosslane_original"):
        wrapped: Any = functools.wraps(original)(wrap(original))
        wrapped.crosslane_original = original
        setattr(target, name, wrapped)


# ---- httpx


def _httpx(module: Any) -> None:
    def asynchronous(original: Any) -> Any:
        async def handle_async_request(self: Any, request: Any) -> Any:
            recording = CURRENT.get()
            if recording is None:
                return await original(self, request)
            call = _Call(recording, request.method, str(request.url), *_httpx_body(request))
            try:
                response = await original(self, request)
            except BaseException as error:
                call.finish(type(error).__name__)
                raise
            call.answered(response.status_code, response.headers.multi_items())
            response.stream = _httpx_stream(module.AsyncByteStream)(response.stream, call)
            return response

        return handle_async_request

    def synchronous(original: Any) -> Any:
        def handle_request(self: Any, request: Any) -> Any:
            recording = CURRENT.get()
            if recording is None:
                return original(self, request)
            call = _Call(recording, request.method, str(request.url), *_httpx_body(request))
            try:
                response = original(self, request)
            except BaseException as error:
                call.finish(type(error).__name__)
                raise
            call.answered(response.status_code, response.headers.multi_items())
            response.stream = _httpx_stream(module.SyncByteStream)(response.stream, call)
            return response

        return handle_request

    _once(module.AsyncHTTPTransport, "handle_async_request", asynchronous)
    _once(module.HTTPTransport, "handle_request", synchronous)


def _httpx_body(request: Any) -> tuple[bytes, Raw]:
    try:
        return request.content, request.headers.multi_items()
    except Exception:  # RequestNotRead: a body that is itself a stream passes unseen
        return b"", ()


@functools.cache
def _httpx_stream(base: type) -> type:
    class Observed(base):
        def __init__(self, stream: Any, call: _Call) -> None:
            self._stream = stream
            self._call = call
            self._end = "cancelled"

        def __iter__(self) -> Iterator[bytes]:
            for data in self._stream:
                self._call.part(data)
                yield data
            self._end = "ok"

        def close(self) -> None:
            self._stream.close()
            self._call.finish(self._end)

        async def __aiter__(self) -> Any:
            async for data in self._stream:
                self._call.part(data)
                yield data
            self._end = "ok"

        async def aclose(self) -> None:
            try:
                await self._stream.aclose()
            finally:
                self._call.finish(self._end)

    return Observed


# ---- requests


def _requests(module: Any) -> None:
    def wrap(original: Any) -> Any:
        def send(self: Any, request: Any, *args: Any, **options: Any) -> Any:
            recording = CURRENT.get()
            if recording is None:
                return original(self, request, *args, **options)
            body = request.body.encode() if isinstance(request.body, str) else request.body
            sent = body if isinstance(body, bytes) else b""
            call = _Call(recording, str(request.method), str(request.url), sent, list(request.headers.items()))
            try:
                response = original(self, request, *args, **options)
            except BaseException as error:
                call.finish(type(error).__name__)
                raise
            call.answered(response.status_code, list(response.headers.items()))
            _tee(response, call)
            return response

        return send

    _once(module.adapters.HTTPAdapter, "send", wrap)


def _tee(response: Any, call: _Call) -> None:
    """Everything that reads a requests response goes through its `iter_content`, which unpacks it."""
    iter_content, close = response.iter_content, response.close

    def observed(*args: Any, **options: Any) -> Iterator[Any]:
        for data in iter_content(*args, **options):
            call.part(data if isinstance(data, bytes) else str(data).encode())
            yield data
        call.finish(unpacked=True)

    def closed() -> None:
        close()
        call.finish("cancelled", unpacked=True)

    response.iter_content, response.close = observed, closed


# ---- aiohttp


def _aiohttp(module: Any) -> None:
    def wrap(original: Any) -> Any:
        async def _request(self: Any, method: str, url: Any, **options: Any) -> Any:
            recording = CURRENT.get()
            if recording is None:
                return await original(self, method, url, **options)
            full = str(self._build_url(url)) if hasattr(self, "_build_url") else str(url)
            call = _Call(recording, method, full, *_aiohttp_body(options))
            try:
                response = await original(self, method, url, **options)
            except BaseException as error:
                call.finish(type(error).__name__)
                raise
            headers = [(str(k), str(v)) for k, v in response.headers.items()]
            call.answered(response.status, headers)
            stream = response.content
            unpacked = bool(getattr(self, "_auto_decompress", True))
            seen = Seen(_KEPT, lambda: ended("ok"))

            def ended(end: str) -> None:
                forget(stream)
                call.data, call.size = seen.data, seen.size
                call.finish(end, unpacked)

            if getattr(stream, "_eof", False):  # it came with the headers
                for data in tuple(getattr(stream, "_buffer", ())):
                    seen.add(bytes(data))
                ended("ok")
            elif watch(stream, seen):
                _on_close(response, lambda: ended("cancelled"))
            else:
                ended("ok")
            return response

        return _request

    _once(module.ClientSession, "_request", wrap)


def _on_close(response: Any, closed: Callable[[], None]) -> None:
    """A caller that gives a response back before its end."""
    for name in ("close", "release"):
        original = getattr(response, name)

        def wrapped(original: Any = original) -> Any:
            closed()
            return original()

        try:
            setattr(response, name, wrapped)
        except AttributeError:
            return


def _aiohttp_body(options: dict[str, Any]) -> tuple[bytes, Raw]:
    if options.get("json") is not None:
        with contextlib.suppress(TypeError, ValueError):  # the session may have a way of its own to write it
            return json.dumps(options["json"]).encode(), [("Content-Type", "application/json")]
    data = options.get("data")
    if isinstance(data, (str, bytes, bytearray)):
        raw = data.encode() if isinstance(data, str) else bytes(data)
        headers = options.get("headers") or {}
        return raw, list(dict(headers).items())
    return b"", ()


def _readable(headers: Raw) -> list[tuple[str, str]]:
    """What tells how to read a body. The other headers are credentials and noise."""
    return [(str(k), str(v)) for k, v in headers if str(k).lower() in ("content-type", "content-encoding")]


_PATCHES: dict[str, Callable[[Any], None]] = {
    "httpx": _httpx,
    "httpx2": _httpx,  # what the SDKs of OpenAI (3.x) and Anthropic (2.x) use
    "requests": _requests,
    "aiohttp": _aiohttp,
}
_pending = list(_PATCHES)
