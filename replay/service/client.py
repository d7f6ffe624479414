"""HTTP/1.1 by hand: one connection a request, of which all but the last byte can be sent before its time has come.

No server can begin to answer a request whose last byte it does not have, so requests that were sent in advance meet
when their last bytes go out together, however long their way was (the gate of James Kettle's Turbo Intruder). A client
library would decide itself when bytes leave.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ..errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..handler.http import HttpRequest

_CONNECT_S = 10.0
_LINE_LIMIT = 1 << 20
_MOST_BYTES = 64 << 20
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUES = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_OURS = frozenset(
    (
        *("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
        *("host", "content-length", "accept-encoding"),
    )
)
"""Headers that belong to the connection (RFC 9110, 7.6.1), and `accept-encoding`: an answer is to be read as it is."""
PASSING = frozenset(("connection", "keep-alive", "transfer-encoding", "date", "trailer"))
"""Headers of an answer that say nothing of its content."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens. `path` is put before the path of every request."""

    host: str
    port: int
    tls: bool = False
    path: str = ""

    @property
    def shown(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{self.path}"


def address_of(url: str, allow_remote: bool) -> Address:
    """The address that a URL names.

    Raises:
        HandlerError: it is no URL of a service, or one of another machine: requests that were recorded in production
            have effects there.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        port, parts = None, urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise HandlerError("is no URL of a service", url, "write it like http://127.0.0.1:8000")
    if not allow_remote and not is_loopback(parts.hostname):
        raise HandlerError(
            "is not on this machine, and replaying recorded requests there would have effects there",
            url,
            "run the service here, or say --allow-remote",
        )
    tls = parts.scheme == "https"
    return Address(parts.hostname, (443 if tls else 80) if port is None else port, tls, parts.path.rstrip("/"))


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Received:
    """An answer. `parts` are the events or lines of a stream, empty for an answer in one piece.

    `cut` says why it is not whole; "" where it is.
    """

    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: bytes
    parts: tuple[str, ...] = ()
    cut: str = ""

    @property
    def content_type(self) -> str:
        return next((value for name, value in self.headers if name == "content-type"), "")


def on_the_wire(request: HttpRequest, address: Address, added: Iterable[tuple[str, str]] = ()) -> bytes:
    """The bytes of a request. What a recorded header or query could smuggle into the next line is left out."""
    target = address.path + (request.raw_path or "/")
    if request.query:
        target += "?" + quote(request.query, safe="/%:@!$&'()*+,;=~?-._[]{}|")
    head = [f"{request.method if _NAME.fullmatch(request.method) else 'POST'} {target} HTTP/1.1"]
    host = f"[{address.host}]" if ":" in address.host else address.host
    head += [f"host: {host}:{address.port}", "connection: close"]
    for name, value in (*request.headers, *added):
        if name not in _OURS and _NAME.fullmatch(name):
            head.append(f"{name}: {_NOT_IN_VALUES.sub('', value).strip()}")
    if request.body or request.method in ("POST", "PUT", "PATCH"):
        head.append(f"content-length: {len(request.body)}")
    return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + request.body


class Connection:
    """One request on its way. `release` sends its last byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last: bytes) -> None:
        self._reader = reader
        self._writer = writer
        self._last = last

    @classmethod
    async def opened(cls, address: Address, data: bytes) -> Connection:
        """Connect, and send all of `data` but its last byte.

        Raises:
            HandlerError: nothing listens there.
        """
        try:
            reader, writer = await asyncio.wait_for(
                asyncio.open_connection(address.host, address.port, ssl=address.tls or None, limit=_LINE_LIMIT),
                _CONNECT_S,
            )
        except TimeoutError:
            raise HandlerError("does not accept connections", address.shown, "is the service overloaded?") from None
        except OSError as error:
            why = "nothing listens there" if isinstance(error, ConnectionRefusedError) else f"cannot connect: {error}"
            raise HandlerError(
                why, address.shown, "start the service, or let Crosslane start it with --launch"
            ) from None
        writer.write(data[:-1])
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        return cls(reader, writer, data[-1:])

    def release(self) -> None:
        self._writer.write(self._last)

    def close(self) -> None:
        self._writer.close()

    async def answer(self, on_part: Callable[[str], None]) -> Received:
        """The whole answer; `on_part` hears of each part of a stream as it comes."""
        status: int | None = None
        headers: tuple[tuple[str, str], ...] = ()
        stream = _Parts(on_part)
        try:
            status, headers = await self._head()
            await self._body(status, dict(headers), stream)
            cut = ""
        except asyncio.IncompleteReadError:
            cut = "the service closed the connection in the middle of its answer"
        except (OSError, ValueError, asyncio.LimitOverrunError) as error:
            cut = f"the answer is no HTTP ({type(error).__name__})" if not isinstance(error, OSError) else str(error)
        finally:
            self.close()
        if status is None:
            cut = cut if "no HTTP" in cut else "the service closed the connection without an answer"
        kept = tuple((name, value) for name, value in headers if name not in PASSING)
        return Received(status, kept, _plain(bytes(stream.body), dict(headers)), stream.parts(), cut)

    async def _head(self) -> tuple[int, tuple[tuple[str, str], ...]]:
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode("latin-1")
            match = re.match(r"HTTP/1\.\d (\d{3})", line)
            if match is None:
                raise ValueError("no status line")
            headers: list[tuple[str, str]] = []
            while (raw := await self._reader.readuntil(b"\r\n")) != b"\r\n":
                name, _, value = raw.decode("utf-8", "backslashreplace").partition(":")
                headers.append((name.strip().lower(), value.strip()))
            if int(match[1]) >= 200 or int(match[1]) == 101:
                return int(match[1]), tuple(headers)

    async def _body(self, status: int, headers: dict[str, str], stream: _Parts) -> None:
        stream.begin(headers.get("content-type", ""), "content-encoding" in headers)
        if status in (101, 204, 304):
            return
        if headers.get("transfer-encoding", "").lower().endswith("chunked"):
            while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
                stream.take(await self._reader.readexactly(size))
                await self._reader.readexactly(2)
            return
        length = headers.get("content-length")
        left = _MOST_BYTES if length is None else int(length)
        while left > 0:
            piece = await self._reader.read(min(left, 1 << 16))
            if not piece:
                if length is not None:
                    raise asyncio.IncompleteReadError(b"", left)
                return
            left -= len(piece)
            stream.take(piece)


class _Parts:
    """The body so far, cut where the service itself cut it: what a network packs together differs each time."""

    def __init__(self, on_part: Callable[[str], None]) -> None:
        self.body = bytearray()
        self._on_part = on_part
        self._end = b""
        self._told = 0
        self._found: list[str] = []

    def begin(self, content_type: str, encoded: bool) -> None:
        if not encoded:
            lines = ("ndjson" in content_type) or ("jsonl" in content_type)
            self._end = b"\n\n" if "event-stream" in content_type else b"\n" if lines else b""

    def take(self, piece: bytes) -> None:
        if len(self.body) + len(piece) > _MOST_BYTES:
            raise ValueError("too long")
        self.body += piece
        while self._end and (at := self.body.find(self._end, self._told)) >= 0:
            self._tell(at + len(self._end))

    def parts(self) -> tuple[str, ...]:
        if self._end and self._told < len(self.body):
            self._tell(len(self.body))
        return tuple(self._found)

    def _tell(self, end: int) -> None:
        text = self.body[self._told : end].decode("utf-8", "backslashreplace")
        self._told = end
        self._found.append(text)
        self._on_part(text)


def _plain(body: bytes, headers: dict[str, str]) -> bytes:
    """The body without its compression, which some services apply unasked."""
    wbits = {"gzip": 31, "x-gzip": 31, "deflate": 15}.get(headers.get("content-encoding", "").lower())
    if wbits is None:
        return body
    try:
        return zlib.decompressobj(wbits).decompress(body, _MOST_BYTES)
    except zlib.error:
        return body
