"""Access logs of nginx and Envoy: who was in flight when, and nothing of what was said.

They give the arrivals to lay over bodies from elsewhere. nginx writes a line when a request has ended, so it began its
duration before; its usual format knows neither a duration nor parts of a second.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from ..trace.identity import claims_of, places_of
from ..trace.model import Exchange, Json, Request, Response
from .found import Dropped, Format, Found
from .record import Recorded, owner, request_of, rules_with, strict_json
from .source import lines
from .times import unix_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .found import Item, Reading, Source

_COMBINED = re.compile(
    r'(?P<address>\S+) \S+ (?P<user>\S+) \[(?P<local>[^\]]{20,32})\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) '
    r'(?:\d+|-)(?: "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*")?(?P<rest>.*)'
)
_ENVOY = re.compile(
    r'\[(?P<start>\d{4}-\d\d-\d\dT[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d{1,3}) \S+(?: \S+)?? \d+ \d+ '
    r'(?P<duration>\d+) \S+ "[^"]*" "[^"]*" "(?P<id>[^"]*)"'
)
_LOCAL = re.compile(r"(\d\d)/(\w{3})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SECONDS = re.compile(r'(?:^|[\s="])(\d{1,6}\.\d{3})(?=$|[\s"])')
_ENVOY_JSON = ("response_code", "response_flags", "upstream_host", "upstream_service_time", "upstream_cluster")
_NGINX_JSON = ("msec", "time_iso8601", "time_local")
_CONTENT = ("body", "request_body", "response", "response_body", "message", "input", "prompt")
_TO_THE_SECOND = "times to the second only"
_NO_DURATION = "no duration: taken as over at once"


def detects(source: Source) -> bool:
    """One of the first lines is of a known shape; JSON counts where it has the proxy's own names and no content."""
    for line in source.head.split(b"\n", 10)[:10]:
        text = line.decode("utf-8", "replace").strip()
        if _COMBINED.fullmatch(text) or _ENVOY.match(text):
            return True
        record = strict_json(text) if text.startswith("{") else None
        if isinstance(record, dict) and _is_access(record) and record.keys().isdisjoint(_CONTENT):
            return True
    return False


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every line, in the order of the file, which for nginx is the order in which requests ended."""
    with source.opened() as stream:
        for number, line in lines(stream):
            place = f"{source.name}:{number}"
            text = "" if line is None else line.decode("utf-8", "replace").strip()
            try:
                yield _found(place, text, reading)
            except (ValueError, TypeError, KeyError, ArithmeticError, AttributeError, IndexError, RecursionError):
                yield Dropped(place, "is no line of an access log")


FORMAT = Format("access-log", detects, read)


def _is_access(record: dict[str, Json]) -> bool:
    envoy = "start_time" in record and "duration" in record and not record.keys().isdisjoint(_ENVOY_JSON)
    return envoy or ("request_time" in record and not record.keys().isdisjoint(_NGINX_JSON))


def _found(place: str, text: str, reading: Reading) -> Found:
    if text.startswith("{"):
        record = strict_json(text)
        if not isinstance(record, dict):
            raise TypeError("no object")
        return _json_line(place, record, reading)
    match = _ENVOY.match(text)
    if match:
        start_ns = unix_ns(match["start"])
        if start_ns is None:
            raise ValueError("no start")
        end_ns = start_ns + int(match["duration"]) * 10**6
        identity = match["id"] if match["id"] != "-" else ""
        return _made(place, match["request"], match["status"], start_ns, end_ns, {}, reading, identity)
    match = _COMBINED.fullmatch(text)
    if match is None:
        raise ValueError("no line")
    end_ns = _local_ns(match["local"])
    took = _SECONDS.search(match["rest"])
    lossy = (_TO_THE_SECOND,) if took else (_TO_THE_SECOND, _NO_DURATION)
    start_ns = end_ns - (round(float(took[1]) * 1000) * 10**6 if took else 0)
    fields = {"user": match["user"]} if match["user"] != "-" else {}
    return _made(place, match["request"], match["status"], start_ns, end_ns, fields, reading, "", lossy)


def _json_line(place: str, record: dict[str, Json], reading: Reading) -> Found:
    status = str(record.get("response_code", record.get("status", "")))
    target = record.get("path", record.get("request_uri", record.get("uri", "/")))
    line = str(record.get("request") or f"{record.get('method', record.get('request_method', 'GET'))} {target}")
    identity = record.get("x_request_id", record.get("request_id"))
    lossy: tuple[str, ...] = ()
    if "start_time" in record:
        start_ns = unix_ns(record["start_time"])
        end_ns = None if start_ns is None else start_ns + int(float(record["duration"]) * 1e6)
    else:
        end_ns = unix_ns(record.get("msec")) or unix_ns(record.get("time_iso8601"))
        if "msec" not in record:
            lossy = (_TO_THE_SECOND,)
        if end_ns is None:
            end_ns = _local_ns(str(record["time_local"]))
        start_ns = end_ns - int(float(record["request_time"]) * 1e9)
    if start_ns is None or end_ns is None:
        raise ValueError("no time")
    name = identity if isinstance(identity, str) and identity != "-" else ""
    fields = {key: value for key, value in record.items() if value not in ("", "-")}
    if isinstance(record.get("remote_user"), str) and "remote_user" in fields:
        fields.setdefault("user", record["remote_user"])
    return _made(place, line, status, start_ns, max(start_ns, end_ns), fields, reading, name, lossy)


def _made(
    place: str,
    line: str,
    status: str,
    start_ns: int,
    end_ns: int,
    fields: Mapping[str, Json],
    reading: Reading,
    identity: str,
    lossy: tuple[str, ...] = (),
) -> Found:
    words = line.split(" ")
    method, target = (words[0], words[1]) if len(words) > 1 else ("GET", words[0])
    wire = Recorded(place, method, target, (), None, start_ns, end_ns, None)
    request = request_of(wire)
    claims = claims_of(places_of(request, fields=fields), rules_with(reading.rules, reading.mapping))
    session, user, guessed = owner(claims, reading.fallback, place)
    made = Request(identity[:200], session, user, start_ns, None, request, 1, claims, "timing-only", place)
    code = int(status) if re.fullmatch(r"[1-9]\d\d", status) else None
    # A proxy writes 499 or 0 where the client went away before the answer.
    end = "cancelled" if status in ("499", "0") else "ok"
    return Found(Exchange(made, Response(end_ns, code, (), None, (), end)), (*lossy, *guessed))


def _local_ns(text: str) -> int:
    match = _LOCAL.fullmatch(text)
    if match is None:
        raise ValueError("no time")
    day, month, year, hour, minute, second, sign, hours, minutes = match.groups()
    zone = timezone(timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1))
    at = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=zone)
    return int(at.timestamp()) * 10**9
