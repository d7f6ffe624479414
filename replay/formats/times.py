"""Times as other tools write them, in Unix nanoseconds: ISO 8601, or a number whose size tells its unit."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..trace.model import Json

RELATIVE_BELOW_NS = 10**15
"""A smaller time counts from a start of its own (11 days): it is an order, or seconds since a program began."""

_ISO = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:[.,](\d+))?\s*(Z|z|UTC|[+-]\d\d:?\d\d|[+-]\d\d)?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ns|us|µs|μs|ms|s|m)?")
_NS = {"ns": 1, "us": 1_000, "µs": 1_000, "μs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9}
_UNIT_IN_NAME = re.compile(
    r"(?:[_.\-(]|(?<=[a-z])(?=[A-Z]))"
    r"(?i:(ns|nanos|nanoseconds|us|micros|microseconds|ms|msec|millis|milliseconds|s|sec|secs|seconds))\)?$"
)
_UNIT = {"n": 1, "u": 1_000, "s": 10**9}
_SECONDS = ("request_time", "upstream_response_time")


def unix_ns(value: Json) -> int | None:
    """The time, None where the value is none. Without a zone it is UTC."""
    if isinstance(value, str):
        text = value.strip()
        match = _ISO.fullmatch(text)
        return _iso_ns(match) if match else _number_ns(text)
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None
    return _number_ns(value)


def has_zone(value: Json) -> bool:
    """Whether a time says its zone; a number needs none."""
    match = _ISO.fullmatch(value.strip()) if isinstance(value, str) else None
    return match is None or match[4] is not None


def span_ns(value: Json, name: str) -> tuple[int, bool] | None:
    """(nanoseconds, whether the unit had to be guessed) of a duration; the unit stands in the value or in the name."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        match = _SPAN.fullmatch(value.strip())
        if match is None:
            return None
        if match[2]:
            return int(Decimal(match[1]) * _NS[match[2]]), False
        number: float = float(match[1])
        whole = "." not in match[1]
    elif isinstance(value, (int, float, Decimal)):
        number = float(value)
        whole = isinstance(value, int)
    else:
        return None
    if not math.isfinite(number) or not 0 <= number < 1e18:
        return None
    unit = _unit_of(name)
    if unit is not None:
        return int(number * unit), False
    return int(number * (10**6 if whole else 10**9)), True


def _unit_of(name: str) -> int | None:
    last = name.rpartition(".")[2]
    if last in _SECONDS:
        return 10**9
    match = _UNIT_IN_NAME.search(last)
    if match is None:
        return None
    unit = match[1].lower()
    if unit.startswith("micro"):
        return 1_000
    if unit.startswith(("ms", "mil")):
        return 10**6
    return _UNIT[unit[0]]


def _iso_ns(match: re.Match[str]) -> int | None:
    date, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z", "z", "UTC") else zone
    try:
        at = datetime.fromisoformat(f"{date}T{clock}{zone}")
    except ValueError:
        return None
    seconds = (at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return int(seconds) * 10**9 + int(((fraction or "") + "0" * 9)[:9])


def _number_ns(value: str | float | Decimal) -> int | None:
    try:
        number = float(value)
        if not math.isfinite(number) or not 0 <= number < 1e20:
            return None
        exact = Decimal(value) if not isinstance(value, float) else Decimal(repr(value))
    except (ValueError, OverflowError, InvalidOperation):
        return None
    unit = 10**9 if number < 1e11 else 10**6 if number < 1e14 else 1_000 if number < 1e17 else 1
    return int(exact * unit)
