"""A span, whichever tool wrote it, and how foreign ids, times and nested attributes become plain ones.

Span formats differ in spelling and agree in meaning, so each importer only translates into `Span`; what the spans of a
trace tell about requests is decided once, in `assemble.py`.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Literal, TypeAlias

from .found import keep_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..trace.model import Json

Kind: TypeAlias = Literal["server", "client", "agent", "llm", "tool", "log", ""]
"""What a span is by its own field; `log` is a log record that belongs to the span named as its parent."""
Status: TypeAlias = Literal["ok", "error", ""]

_DEEPEST = 32
_LATEST_NS = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?\s*(Z|z|UTC|[+-]\d\d(?::?\d\d)?)?"
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened inside a span, such as an exception or a message of a conversation."""

    name: str
    at_ns: int
    attributes: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Span:
    """One timed operation of a trace. Its times are Unix nanoseconds.

    Attributes:
        parent_id: None for a root.
        end_ns: None where the span was never ended.
        attributes: flat, keys dotted.
        fields: what stood beside the attributes and may name a session or user: columns, metadata.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: Kind
    start_ns: int
    end_ns: int | None
    attributes: Mapping[str, Json] = field(default_factory=dict[str, "Json"])
    fields: Mapping[str, Json] = field(default_factory=dict[str, "Json"])
    events: tuple[Event, ...] = ()
    status: Status = ""

    def to_json(self) -> list[Json]:
        events = [[event.name, event.at_ns, event.attributes] for event in self.events]
        return [
            self.trace_id, self.span_id, self.parent_id, self.name, self.kind, self.start_ns, self.end_ns,
            self.attributes, self.fields, events, self.status,
        ]  # fmt: skip

    @classmethod
    def from_json(cls, values: list[Json]) -> Span:
        events = tuple(Event(*event) for event in values[9])
        return cls(*values[:9], events, values[10])  # pyright: ignore[reportCallIssue]


def binary_id(value: Json, size: int) -> str | None:
    """An id of `size` bytes in lower hex, whether it was written in hex, base64 or decimal; None where there is none.

    What is none of these stays as it is: an odd id still tells which spans belong together.
    """
    width = 2 * size
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:0{width}x}" if 0 < value < 1 << (8 * size) else None
    if not isinstance(value, str) or not value.strip():
        return None
    text = value.strip()
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) > width:
        return _decimal(digits, size) or text[:128]
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", digits) or (len(digits) == width and re.fullmatch(r"[0-9a-fA-F]+", digits)):
        return digits.lower().zfill(width) if digits.strip("0") else None
    return _base64(text, size) or text[:128]


def opaque_id(value: Json) -> str | None:
    """An id that means nothing but itself: a UUID or any word."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip()[:128] or None


def time_ns(value: Json) -> int | None:
    """Unix nanoseconds of an ISO 8601 text or of a number of seconds, ms, us or ns; None where it is no time.

    A time without a zone is UTC. The unit of a number is told by its size, which is certain from 1971 on.
    """
    if isinstance(value, str):
        match = _ISO.fullmatch(value.strip())
        if match is not None:
            return _iso_ns(match)
        try:
            value = float(value) if "." in value or "e" in value.lower() else int(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 3e7 < value < _LATEST_NS:
        return None
    for limit, factor in ((3e10, 10**9), (3e13, 10**6), (3e16, 10**3)):
        if value < limit:
            # Whole and fraction apart: a float of nanoseconds would lose the last digits.
            value = int(value) * factor + int((value - int(value)) * factor)
            break
    return int(value) if value <= _LATEST_NS else None


def integer(value: Json) -> int | None:
    """An int64 as JSON has it: a number or a text of digits."""
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,20}\s*", value):
        return int(value)
    return (
        int(value) if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 2**63 else None
    )


def unix_ns(value: Json) -> int | None:
    """A count of nanoseconds, as number or text; None for 0, which means unset."""
    number = integer(value)
    return number if number is not None and 0 < number <= _LATEST_NS else None


def flat(value: Mapping[str, Json]) -> dict[str, Json]:
    """Nested attributes with dotted keys. Lists of objects count as objects with keys 0, 1, …; others stay whole."""
    found: dict[str, Json] = {}
    open_: list[tuple[str, Json, int]] = [("", value, 0)]
    while open_:
        prefix, inner, depth = open_.pop()
        if isinstance(inner, list) and inner and all(isinstance(item, dict) for item in inner) and depth < _DEEPEST:
            open_ += [(f"{prefix}.{index}", item, depth + 1) for index, item in enumerate(inner)]
        elif isinstance(inner, dict) and (inner or not depth) and depth < _DEEPEST:
            open_ += [(f"{prefix}.{key}" if depth else str(key), item, depth + 1) for key, item in inner.items()]
        else:
            found[prefix] = inner
    return found


def metadata_of(attributes: Mapping[str, Json]) -> dict[str, Json]:
    """OpenInference's `metadata`, in which applications put what has no attribute of its own, such as a session."""
    found = keep_json(under(attributes, "metadata"))
    return found if isinstance(found, dict) else {}


def under(attributes: Mapping[str, Json], name: str) -> Json:
    """The value of an attribute, put together again where it was flattened; None where there is none."""
    if name in attributes:
        return attributes[name]
    prefix = f"{name}."
    parts = [(key[len(prefix) :].split("."), value) for key, value in attributes.items() if key.startswith(prefix)]
    return _nested(parts) if parts else None


def _nested(parts: Iterable[tuple[list[str], Json]]) -> Json:
    groups: dict[str, list[tuple[list[str], Json]]] = {}
    leaves: dict[str, Json] = {}
    for path, value in parts:
        if len(path) == 1:
            leaves[path[0]] = value
        elif len(path) > _DEEPEST:
            leaves[".".join(path)] = value
        else:
            groups.setdefault(path[0], []).append((path[1:], value))
    members = leaves | {key: _nested(inner) for key, inner in groups.items()}
    if all(re.fullmatch(r"[0-9]{1,9}", key) for key in members):
        return [members[key] for key in sorted(members, key=int)]
    return dict(sorted(members.items()))


def _decimal(digits: str, size: int) -> str | None:
    if not re.fullmatch(r"[0-9]{1,40}", digits) or not 0 < int(digits) < 1 << (8 * size):
        return None
    return f"{int(digits):0{2 * size}x}"


def _base64(text: str, size: int) -> str | None:
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw.hex() if len(raw) == size and any(raw) else None


def _iso_ns(match: re.Match[str]) -> int | None:
    year, month, day, hour, minute = (int(part) for part in match.groups()[:5])
    zone = match[8]
    away = timedelta()
    if zone and zone[0] in "+-":
        sign = -1 if zone[0] == "-" else 1
        away = sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]) if len(zone) > 3 else 0)
    try:
        # A leap second is the next one.
        start = datetime(year, month, day, hour, minute, tzinfo=timezone(away)) + timedelta(seconds=int(match[6] or 0))
        seconds = (start - _EPOCH) // timedelta(seconds=1)
    except (ValueError, OverflowError):
        return None
    nanoseconds = seconds * 10**9 + int((match[7] or "0").ljust(9, "0"))
    return nanoseconds if 0 < nanoseconds <= _LATEST_NS else None
