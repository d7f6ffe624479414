"""GoReplay's `.gor` files: raw HTTP messages with a line of numbers before each and a line of monkeys between them.

Requests and responses are joined by the id in those lines. They stand in the order in which they were captured, which
is not the order of their times.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING

from .found import Dropped, Format
from .raw_http import RawMessage, raw_message
from .record import Recorded
from .ties import Records, exchanges

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .found import Item, Reading, Source

_HEAD = re.compile(rb"\s*[123] [0-9a-f]{8,64} \d{1,20}(?: -?\d{1,20})?\r?\n")
_LINE = re.compile(rb"([123]) ([0-9a-f]{8,64}) (\d{1,20})(?: (-?\d{1,20}))?\r?\n")
_SEPARATOR = "\n🐵🙈🙉\n".encode()
_AT_ONCE = 1 << 18
_LARGEST = 256 << 20
_MOST_WAITING = 10_000


def detects(source: Source) -> bool:
    """The line of numbers of a first message."""
    return _HEAD.match(source.head) is not None


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every request, once its response was read, or at the end."""
    records: Records = lambda: _records(source)  # noqa: E731
    return exchanges(records, reading)


FORMAT = Format("gor", detects, read)


def _records(source: Source) -> Iterator[Recorded | Dropped]:
    """Requests that wait for their response are few; where responses were lost, the oldest go without."""
    waiting: dict[str, tuple[str, int, RawMessage]] = {}
    early: dict[str, tuple[int, RawMessage]] = {}
    for number, raw in enumerate(_messages(source), 1):
        place = f"{source.name}#{number}"
        line = None if raw is None else _LINE.match(raw)
        if raw is None or line is None:
            yield Dropped(place, "is no message of a capture" if raw is not None else "is larger than 256 MB")
            continue
        kind, identity, at_ns = line[1], line[2].decode(), int(line[3])
        try:
            message = raw_message(raw[line.end() :])
        except ValueError:
            yield Dropped(place, "is no HTTP message")
            continue
        if kind == b"3":
            yield Dropped(place, "is the answer of a replay, not of the recording")
        elif kind == b"1":
            answer = early.pop(identity, None)
            if answer is not None:
                yield _record(place, at_ns, message, answer)
                continue
            if identity in waiting:
                yield _record(*waiting.pop(identity), None)
            waiting[identity] = (place, at_ns, message)
            if len(waiting) > _MOST_WAITING:
                yield _record(*waiting.pop(next(iter(waiting))), None)
        elif identity in waiting:
            yield _record(*waiting.pop(identity), (at_ns, message))
        else:
            early[identity] = (at_ns, message)
            if len(early) > _MOST_WAITING:
                early.pop(next(iter(early)))
                yield Dropped(place, "is a response without a request")
    for request in waiting.values():
        yield _record(*request, None)
    for _ in early:
        yield Dropped(source.name, "is a response without a request")


def _record(place: str, at_ns: int, request: RawMessage, answer: tuple[int, RawMessage] | None) -> Recorded:
    method, target, _ = request.first
    lossy = request.lossy
    if answer is None:
        return Recorded(place, method, target, request.headers, request.body, at_ns, None, None, end="cut", lossy=lossy)
    answered_ns, response = answer
    status = response.first[1]
    return Recorded(
        place,
        method,
        target,
        request.headers,
        request.body,
        at_ns,
        # Old versions wrote how long it took in place of when.
        answered_ns if answered_ns >= at_ns else at_ns + answered_ns,
        int(status) if re.fullmatch(r"\d{3}", status) else None,
        response.headers,
        response.body,
        lossy=(*lossy, *response.lossy),
    )


def _messages(source: Source) -> Iterator[bytes | None]:
    """The bytes between separators; None for what is larger than any message."""
    with source.opened() as stream:
        yield from _split(stream)


def _split(stream: IO[bytes]) -> Iterator[bytes | None]:
    rest = bytearray()
    looked = 0
    too_large = False
    while part := stream.read(_AT_ONCE):
        rest += part
        while (at := rest.find(_SEPARATOR, looked)) >= 0:
            yield None if too_large else bytes(rest[:at]).lstrip(b"\r\n")
            del rest[: at + len(_SEPARATOR)]
            looked, too_large = 0, False
        looked = max(0, len(rest) - len(_SEPARATOR))
        if len(rest) > _LARGEST:
            too_large = True
            del rest[:looked]
            looked = 0
    if rest.strip():
        yield None if too_large else bytes(rest).lstrip(b"\r\n")
