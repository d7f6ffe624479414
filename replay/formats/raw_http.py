"""One HTTP/1 message as it went over the wire, taken apart: first line, headers, and the body without its encodings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .record import decoded, header

if TYPE_CHECKING:
    from .record import Headers

CUT_OFF = "a body was cut off"


@dataclass(frozen=True, slots=True)
class RawMessage:
    """The parts of a message. `first` has the three words of its first line."""

    first: tuple[str, str, str]
    headers: Headers
    body: bytes
    lossy: tuple[str, ...]


def raw_message(raw: bytes) -> RawMessage:
    """The parts of a message.

    Raises:
        ValueError: it is none.
    """
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("utf-8", "backslashreplace").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2:
        raise ValueError("no first line")
    pairs = (line.partition(":") for line in rest if ":" in line)
    headers: Headers = tuple((name.strip(), value.strip()) for name, _, value in pairs)
    lossy: tuple[str, ...] = ()
    length = header(headers, "content-length")
    if "chunked" in header(headers, "transfer-encoding").lower():
        body, whole = _unchunked(body)
        lossy = () if whole else (CUT_OFF,)
    elif length.isdigit() and len(length) < 16:
        lossy = (CUT_OFF,) if len(body) < int(length) else ()
        body = body[: int(length)]
    if body and (encoding := header(headers, "content-encoding")):
        body, more = decoded(body, encoding)
        lossy = (*lossy, *more)
        if not more:
            headers = tuple(pair for pair in headers if pair[0].lower() != "content-encoding")
    return RawMessage((words[0], words[1], words[2] if len(words) > 2 else ""), headers, body, lossy)


def _unchunked(body: bytes) -> tuple[bytes, bool]:
    """(the body, whether its last chunk was there) of RFC 9112, 7.1."""
    found: list[bytes] = []
    at = 0
    while True:
        end = body.find(b"\r\n", at)
        try:
            size = int(body[at:end].partition(b";")[0], 16) if end > at else -1
        except ValueError:
            size = -1
        if size <= 0:
            return b"".join(found), size == 0
        found.append(body[end + 2 : end + 2 + size])
        at = end + 4 + size
