"""JSON records out of a file: one a line, or anywhere inside documents of any size, with bounded memory.

A line that is no JSON costs only itself. What is too large to decode whole (a document, a line of a gigabyte) is parsed
as a stream, and only the records inside it are ever built.
"""

# Decoded JSON is taken apart here, and ijson has no types.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import json
import re
import zlib
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from .found import MOST_DIGITS, TOO_LONG, Dropped, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..trace.model import Json

Record: TypeAlias = tuple[str, str, Any]
"""Where it stood (`file:line` or `file`), the path at which it was found, and the record itself."""

REST = "*"
_WHOLE = 1 << 20  # a longer line is parsed as a stream
_DEEPEST = 256
_PIECE = min(4096, MOST_DIGITS)
_MOST_EVENTS = 2_000_000  # of one record; more is no record but an attack on memory
_DIGITS = b"0123456789"
_BEFORE_NUMBERS = (b"", b" ", b"\t", b"\r", b"\n", b":", b",", b"[")
_BOM = b"\xef\xbb\xbf"
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_READ_ERRORS = (OSError, EOFError, zlib.error)


def records(source: Source, paths: Iterable[str]) -> Iterator[Record | Dropped]:
    """Every record at one of the paths (`resourceSpans.item.scopeSpans.item.spans.item`), in the order of the file.

    The path "" is a document (or line) itself; it is given only where no other path is in it, unless it is asked for
    as `REST`: then what stands beside the other paths is given after them.
    """
    wanted = tuple(paths)
    try:
        with _opened(source) as stream:
            if _is_pretty(source.head):
                yield from _streamed(stream, wanted, source.name)
            else:
                yield from _lines(stream, wanted, source.name)
    except _READ_ERRORS:
        yield Dropped(source.name, "the file cannot be read further; what came before is kept")


def samples(source: Source) -> list[Json]:
    """The first JSON values in the head of a source, for detection. The last may be incomplete."""
    head = source.head.removeprefix(_BOM)
    if not _is_pretty(head):
        found = [value for line in head.split(b"\n")[:40] if isinstance(value := _loose(line), (dict, list))]
        if found:
            return found
    if head.lstrip()[:1] not in (b"{", b"["):
        return []
    return _partial(head)


def objects(values: Iterable[Json], *names: str) -> Iterator[dict[str, Json]]:
    """The objects among values: themselves, those of a list, or those in the lists called `names` in them."""
    for value in values:
        inner = value if isinstance(value, list) else [value]
        for item in inner[:40]:
            if isinstance(item, dict):
                yield item
                for name in names:
                    if isinstance(item.get(name), list):
                        yield from (part for part in item[name][:40] if isinstance(part, dict))


def decoded(text: str | bytes) -> Json:
    """A JSON text. `NaN` and infinities become None, since a trace file cannot hold them.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))


def _opened(source: Source) -> IO[bytes]:
    stream = source.opened()
    if stream.read(3) != _BOM:
        stream.close()
        stream = source.opened()
    return stream


def _is_pretty(head: bytes) -> bool:
    """Whether a document is spread over lines: it begins with half a value, and no line by itself is a record."""
    lines = head.removeprefix(_BOM).lstrip().split(b"\n")[:40]
    if len(lines) < 2 or lines[0][:1] not in (b"{", b"[") or _loose(lines[0]) is not None:
        return False
    return not any(line[:1] in (b"{", b"[") and _loose(line) for line in lines[1:])


def _loose(line: bytes) -> Json:
    """The object or list on a line, which may end in the comma of a list; None where there is none."""
    text = line.strip().removesuffix(b",")
    if text[:1] not in (b"{", b"["):
        return None
    try:
        return decoded(text)
    except (ValueError, RecursionError):
        return None


# ---- lines


def _lines(stream: IO[bytes], paths: tuple[str, ...], name: str) -> Iterator[Record | Dropped]:
    trie = _trie(paths)
    number = 0
    while line := stream.readline(_WHOLE):
        number += 1
        where = f"{name}:{number}"
        if len(line) == _WHOLE and not line.endswith(b"\n"):
            rest = _Line(line, stream)
            yield from _streamed(rest, paths, where)
            rest.skip()
            continue
        text = line.strip().removesuffix(b",")
        if not text or text in (b"[", b"]"):
            continue
        try:
            value = decoded(text)
        except (ValueError, RecursionError) as error:
            yield Dropped(where, _why(error))
            continue
        found = False
        for path, record in _walk(value, trie, ""):
            found = True
            yield where, path, record
        if REST in paths and isinstance(value, dict):
            yield where, REST, {key: inner for key, inner in value.items() if key not in trie}
        elif not found and "" in paths:
            yield where, "", value
        elif not found and not isinstance(value, (dict, list)):
            yield Dropped(where, "is not a JSON object")


class _Line:
    """The rest of one line as a file of its own."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._ready = start
        self._stream = stream
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        if self._ready:
            part, self._ready = self._ready[:size], self._ready[size:] if size >= 0 else b""
            return part if size >= 0 else part + b""
        if self._ended or size == 0:
            return b""
        part = self._stream.readline(size if size > 0 else _WHOLE)
        self._ended = not part or part.endswith(b"\n")
        return part

    def skip(self) -> None:
        self._ready = b""
        while self.read(_WHOLE):
            pass


def _trie(paths: Iterable[str]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for path in paths:
        if path == REST:
            continue
        node = root
        for key in path.split(".") if path else ():
            node = node.setdefault(key, {})
    return root


def _walk(value: Json, trie: Mapping[str, Any], path: str) -> Iterator[tuple[str, Json]]:
    if not trie:
        if path:
            yield path, value
    elif isinstance(value, list):
        if "item" in trie:
            for item in value:
                yield from _walk(item, trie["item"], f"{path}.item" if path else "item")
    elif isinstance(value, dict):
        for key, inner in trie.items():
            if key in value and key != "item":
                yield from _walk(value[key], inner, f"{path}.{key}" if path else key)


# ---- streams


def _streamed(stream: Any, paths: tuple[str, ...], where: str) -> Iterator[Record | Dropped]:
    """Records of one or more JSON documents, by their events."""
    import ijson

    count = 0
    try:
        # All events of a piece are made before the first can be looked at, each with its whole path: a piece must be so
        # small that brackets alone in it do no harm.
        events = ijson.parse(_Digits(stream), multiple_values=True, buf_size=_PIECE)
        for item in _built(events, frozenset(paths)):
            count += 1
            yield where, *item
    except (ijson.JSONError, ValueError, ArithmeticError) as error:
        why = str(error) if isinstance(error, _Unbearable) else "is cut off or not JSON"
        yield Dropped(where, f"{why} after {count} records; those are kept")


class _Unbearable(ValueError):  # noqa: N818 - says what it is
    """A document that is JSON and still cannot be taken."""


class _Digits:
    """A stream in which no number is longer than Python takes: ijson's parser in C does not survive one.

    Pieces are no longer than that limit, so such a number reaches over the end of one, and only the ends are looked at.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._run = 0  # digits at the end of what was read, where they could be a number
        self._last = b""

    def read(self, size: int = -1) -> bytes:
        piece: bytes = self._stream.read(size)
        if self._run:
            self._run += len(piece) - len(piece.lstrip(_DIGITS))
            if self._run > MOST_DIGITS:
                raise _Unbearable(TOO_LONG)
        before = piece.rstrip(_DIGITS)
        if before or not self._run:
            self._last = (self._last + before)[-2:]
            begins = self._last.rstrip(b"-")[-1:] in _BEFORE_NUMBERS
            self._run = len(piece) - len(before) if begins else 0
            self._last += piece[len(before) :][-2:]
        return piece


def _built(events: Iterable[tuple[str, str, Any]], paths: frozenset[str]) -> Iterator[tuple[str, Json]]:
    import ijson

    # A whole document is only wanted where it is the record: not below the names of an envelope.
    envelopes = {path.partition(".")[0] for path in paths if path}
    whole = REST if REST in paths else "" if "" in paths else None
    builder: Any = None
    rest: Any = None
    place, depth, built, top, enveloped = "", 0, 0, 0, False
    for prefix, event, given in events:
        value = float(given) if isinstance(given, Decimal) else given
        begins = event in ("start_map", "start_array")
        if begins:
            depth += 1
            if depth > _DEEPEST:
                raise _Unbearable("is nested too deeply")
        if builder is None and prefix in paths and prefix and event not in ("end_map", "end_array", "map_key"):
            builder, place, top, built = ijson.ObjectBuilder(), prefix, depth - begins, 0
            enveloped = True
        open_ = whole == REST or not enveloped
        if builder is None and whole is not None and open_ and prefix.partition(".")[0] not in envelopes:
            if depth == 1 and begins:
                rest, built = ijson.ObjectBuilder(), 0
            if rest is not None and not (event == "map_key" and depth == 1 and value in envelopes):
                rest.event(event, value)
        if event in ("end_map", "end_array"):
            depth -= 1
        if builder is not None:
            builder.event(event, value)
            if depth == top:
                yield place, builder.value
                builder = None
        if builder is not None or rest is not None:
            built += 1
            if built > _MOST_EVENTS:
                raise _Unbearable("holds a record that is too large")
        if depth == 0:
            if rest is not None and whole is not None and open_ and (whole == "" or isinstance(rest.value, dict)):
                yield whole, rest.value
            rest, enveloped = None, False


def _partial(head: bytes) -> list[Json]:
    """The JSON values in a piece of a file, the last as far as it goes."""
    import io

    import ijson

    found: list[Json] = []
    builder: Any = ijson.ObjectBuilder()
    depth = 0
    try:
        for event, given in ijson.basic_parse(_Digits(io.BytesIO(head)), multiple_values=True, buf_size=_PIECE):
            depth += event in ("start_map", "start_array")
            depth -= event in ("end_map", "end_array")
            builder.event(event, float(given) if isinstance(given, Decimal) else given)
            if depth == 0:
                found.append(builder.value)
                builder = ijson.ObjectBuilder()
            if depth > _DEEPEST:
                break
    except (ijson.JSONError, ValueError, ArithmeticError):
        pass
    if getattr(builder, "value", None):
        found.append(builder.value)
    return found


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"is not UTF-8 (byte {error.start})"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {re.sub(r'[^ -~]', '?', error.msg.lower())} at column {error.colno}"
    return TOO_LONG if "digits" in str(error) else "is not usable"
