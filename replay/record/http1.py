"""HTTP/1.1 messages as they pass a proxy (RFC 9112): heads taken apart, and the ends of bodies found, without I/O.

Two readers of one stream must never disagree where a message ends, or a request hides in another one's body. So a head
is matched as a whole against the grammar, with nothing of what old servers forgave: folded lines, bare line feeds,
blanks before a colon, two lengths, a length and chunks. What does not match is never passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

Headers: TypeAlias = "tuple[tuple[bytes, bytes], ...]"

MOST_HEAD = 64 << 10
_MOST_LINE = 4_096
_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"
_FIELDS = rb"((?:" + _TOKEN + rb":[^\x00-\x08\x0a-\x1f\x7f]*+\r\n)*+)"
_REQUEST = re.compile(rb"(" + _TOKEN + rb") ([!-~\x80-\xff]++) HTTP/1\.([01])\r\n" + _FIELDS + rb"\r\n")
_RESPONSE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])( [^\x00-\x08\x0a-\x1f\x7f]*+)?\r\n" + _FIELDS + rb"\r\n")
_TRAILERS = re.compile(_FIELDS)
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_BARE = re.compile(rb"(?<!\r)\n")
_DIGITS = re.compile(rb"[0-9]{1,18}")


class Malformed(ValueError):  # noqa: N818 - says what the message is
    """A message that must not be passed on. `status` is what to answer a client that sent it."""

    def __init__(self, what: str, status: int = 400) -> None:
        super().__init__(what)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The request line and headers; `minor` of the HTTP version, `known` the last of each name in lower case."""

    method: bytes
    target: bytes
    minor: int
    headers: Headers
    known: dict[bytes, bytes]


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """The status line and headers, as in `RequestHead`."""

    status: int
    reason: bytes
    minor: int
    headers: Headers
    known: dict[bytes, bytes]


def head_end(data: bytes | bytearray) -> int:
    """Where the head ends that data begins with; -1 where it is not whole yet.

    Raises:
        Malformed: it will never be one.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 and _BARE.search(data):
        raise Malformed("a line of the head ends with a bare line feed")
    if end > MOST_HEAD or (end < 0 and len(data) > MOST_HEAD):
        raise Malformed("the head is too large", 431)
    return end + 4 if end >= 0 else -1


def request_head(data: bytes) -> RequestHead:
    """A whole head.

    Raises:
        Malformed: it is none.
    """
    match = _REQUEST.fullmatch(data)
    if match is None:
        raise Malformed("the head is no request of HTTP/1.1")
    headers, known, repeated = _fields(match[4])
    if repeated & {b"host", b"content-length", b"transfer-encoding"}:
        raise Malformed("a header that may stand once is repeated")
    if b"host" not in known and match[3] == b"1":
        raise Malformed("there is no Host")
    return RequestHead(match[1], match[2], int(match[3]), headers, known)


def response_head(data: bytes) -> ResponseHead:
    """A whole head.

    Raises:
        Malformed: it is none.
    """
    match = _RESPONSE.fullmatch(data)
    if match is None:
        raise Malformed("the head is no response of HTTP/1.1")
    headers, known, repeated = _fields(match[4])
    if repeated & {b"content-length", b"transfer-encoding"}:
        raise Malformed("a header that may stand once is repeated")
    return ResponseHead(int(match[2]), match[3] or b" ", int(match[1]), headers, known)


def _fields(block: bytes) -> tuple[Headers, dict[bytes, bytes], set[bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    known: dict[bytes, bytes] = {}
    repeated: set[bytes] = set()
    for line in block.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        value = value.strip(b" \t")
        headers.append((name, value))
        name = name.lower()
        if name in known:
            repeated.add(name)
        known[name] = value
    return tuple(headers), known, repeated


# ---- bodies


class Body:
    """A body of known length.

    Attributes:
        done: whether its end has been seen. rest: what came after the end.
    """

    __slots__ = ("_left", "done", "rest")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length
        self.rest = b""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """(what to pass on as it came, what it says) of the next bytes."""
        size = len(data)
        if size > self._left:
            self.rest = data[self._left :]
            data = data[: self._left]
            size = self._left
        self._left -= size
        self.done = not self._left
        return data, data


class UntilClose(Body):
    """A body that ends with its connection."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(1)

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        return data, data


class Chunked(Body):
    """A chunked body. Nothing of a line is passed on before it is whole and in order."""

    __slots__ = ("_ends", "_held", "_trailers")

    def __init__(self) -> None:
        super().__init__(1)
        self._left = 0
        self._held = b""
        self._ends = False
        self._trailers: bytes | None = None

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """As for `Body`.

        Raises:
            Malformed: it is not chunked as it should be.
        """
        data = self._held + data if self._held else data
        position = 0
        said: list[bytes] = []
        while True:
            if self._left:
                part = data[position : position + self._left]
                if not part:
                    break
                said.append(part)
                self._left -= len(part)
                position += len(part)
                self._ends = not self._left
                continue
            end = data.find(b"\r\n", position)
            if end < 0:
                if len(data) - position > _MOST_LINE or _BARE.search(data, position):
                    raise Malformed("a line of a chunked body is not in order")
                break
            self._line(data[position:end])
            position = end + 2
            if self.done:
                self.rest = data[position:]
                break
        self._held = b"" if self.done else data[position:]
        return data[:position], b"".join(said)

    def _line(self, line: bytes) -> None:
        if self._ends:  # the one after the bytes of a chunk
            if line:
                raise Malformed("a chunk is longer than it says")
            self._ends = False
        elif self._trailers is not None:
            if not line:
                self.done = True
                return
            self._trailers += line + b"\r\n"
            if len(self._trailers) > MOST_HEAD or not _TRAILERS.fullmatch(self._trailers):
                raise Malformed("a trailer is not in order")
        else:
            match = _CHUNK.fullmatch(line)
            if match is None or len(line) > _MOST_LINE:
                raise Malformed("the size of a chunk is not in order")
            self._left = int(match[1], 16)
            if not self._left:
                self._trailers = b""


def request_body(head: RequestHead) -> Body:
    """How the body of a request ends (RFC 9112, 6.3).

    Raises:
        Malformed: two readers could disagree about it.
    """
    coding, length = head.known.get(b"transfer-encoding"), head.known.get(b"content-length")
    if coding is None:
        return Body(_length(length) if length is not None else 0)
    if length is not None:
        raise Malformed("there is both a length and a transfer coding")
    if coding.lower() != b"chunked" or head.minor == 0:
        raise Malformed("the transfer coding is another than chunked", 501 if head.minor else 400)
    return Chunked()


def response_body(head: ResponseHead, method: bytes) -> Body:
    """How the body of a response ends.

    Raises:
        Malformed: two readers could disagree about it.
    """
    coding, length = head.known.get(b"transfer-encoding"), head.known.get(b"content-length")
    if coding is not None and (length is not None or coding.lower() != b"chunked"):
        raise Malformed("the transfer coding is another than chunked, or there is a length too")
    size = None if length is None else _length(length)
    if method == b"HEAD" or head.status < 200 or head.status in (204, 304):
        return Body(0)
    if coding is not None:
        return Chunked()
    return UntilClose() if size is None else Body(size)


def _length(value: bytes) -> int:
    if not _DIGITS.fullmatch(value):
        raise Malformed("the length is no number")
    return int(value)


def options_of(known: dict[bytes, bytes]) -> frozenset[bytes]:
    """What the Connection header names, in lower case."""
    value = known.get(b"connection")
    if value is None:
        return frozenset()
    return frozenset(option.strip().lower() for option in value.split(b","))


def stays_open(minor: int, options: frozenset[bytes]) -> bool:
    """Whether a connection is for further messages (RFC 9112, 9.3)."""
    return b"close" not in options if minor else b"keep-alive" in options
