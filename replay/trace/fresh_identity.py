"""Sessions and tokens that a replay must not take from the recording: what a service issued, and what has expired.

A value that an answer of the recording brought, and that a later request of the same user sent, was issued by the
service: a session cookie, a CSRF token, a conversation's id. On replay the service issues another, at the same place of
the same answer, and that is what must be sent. Sessions that a client had named itself can be minted anew, in the same
shape. Both are written consistently wherever the recorded value stands: headers, cookies, query, path and body.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import hashlib
import json
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from .header_text import as_meant, on_the_wire
from .sent_texts import SentTexts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .model import Exchange, Json, Request

_SHORT = 6
"""Below, a value is no id that could be told from a word or a count: it is replaced only where it stands by itself."""
_LONGEST = 8_192
_DEEPEST = 40
_OF_EVERY_ANSWER = frozenset(
    ("date", "content-type", "content-length", "server", "etag", "last-modified", "set-cookie")
)
_TRIES = 64


@dataclass(frozen=True, slots=True)
class IssuedAt:
    """Where in an answer a value stands: a path into its JSON or into an event of its stream, a cookie, a header."""

    kind: Literal["json", "event", "cookie", "header"]
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Issued:
    """A value that the service issued in its answer to `request`, which a later request sent."""

    request: str
    place: IssuedAt
    value: str

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.place.kind, "path": list(self.place.path), "value": self.value}

    @classmethod
    def from_json(cls, request: str, data: dict[str, Any]) -> Issued:
        return cls(request, IssuedAt(data["kind"], tuple(data["path"])), data["value"])


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, recorded or new, as far as it can hold issued values. `body` is decoded JSON, or text."""

    headers: Sequence[tuple[str, str]]
    body: Json


def places_in(answer: Answered) -> Iterator[tuple[IssuedAt, str]]:
    """Every place of an answer with the value that stands there."""
    for name, value in answer.headers:
        if name.lower() == "set-cookie":
            cookie, _, rest = value.partition("=")
            yield IssuedAt("cookie", (cookie.strip(),)), rest.partition(";")[0].strip().strip('"')
        elif name.lower() not in _OF_EVERY_ANSWER:
            yield IssuedAt("header", (name.lower(),)), value
    if isinstance(answer.body, str):
        seen: set[tuple[str | int, ...]] = set()
        for event in _streamed(answer.body):
            for path, value in _places_below(event):
                if path not in seen:
                    seen.add(path)
                    yield IssuedAt("event", path), value
        return
    for path, value in _places_below(answer.body):
        yield IssuedAt("json", path), value


def answered_with(issued: Iterable[Issued]) -> Answered:
    """The least answer that has these values in their places."""
    headers: list[tuple[str, str]] = []
    members: dict[str | int, Any] = {}
    streamed = False
    for each in issued:
        kind, path = each.place.kind, each.place.path
        if kind in ("cookie", "header"):
            headers.append(
                ("set-cookie", f"{path[0]}={each.value}") if kind == "cookie" else (str(path[0]), each.value)
            )
            continue
        streamed = streamed or kind == "event"
        inner = members
        for key in path[:-1]:
            inner = inner.setdefault(key, {})
        if path:
            inner[path[-1]] = each.value
    body = _listed(members) if members else None
    return Answered(headers, f"data: {json.dumps(body)}\n\n" if streamed else body)


def _listed(value: Any) -> Any:
    """Lists where the keys are positions."""
    if not isinstance(value, dict):
        return value
    members = {key: _listed(item) for key, item in value.items()}
    if not members or not all(isinstance(key, int) for key in members):
        return members
    return [members.get(position) for position in range(max(members) + 1)]


def issued_values(exchanges: Sequence[Exchange]) -> tuple[Issued, ...]:
    """What the service issued to one user, given that user's exchanges in the order in which they were sent.

    A value that the user had sent before is the user's own, whoever repeats it.
    """
    sent = SentTexts([_all_text(exchange.request) for exchange in exchanges])
    found: dict[str, Issued] = {}
    for index, exchange in enumerate(exchanges[:-1]):
        if exchange.response is None:
            continue
        for place, value in places_in(Answered(exchange.response.headers, _recorded_body(exchange))):
            if not _is_id(value) or value in found:
                continue
            first = sent.first(value)
            if first is not None and first > index:
                found[value] = Issued(exchange.request.id, place, value)
    return tuple(found.values())


def minted(value: str, salt: str, taken: Iterable[str]) -> str:
    """Another value of the same shape, the same for the same salt; `value` itself where there is no other left.

    Digits stay digits, letters letters of the same case; a hexadecimal value stays one, and a UUID keeps its version.
    """
    used = {value, *taken}
    for attempt in range(_TRIES):
        made = _minted(value, f"{salt} {attempt}")
        if made not in used:
            return made
    return value


def sessions_to_mint(requests: Iterable[Request], issued: Iterable[Issued]) -> tuple[str, ...]:
    """The session names that clients chose themselves. What stands in a signed token cannot be changed there."""
    given = {each.value for each in issued}
    found: dict[str, None] = {}
    for request in requests:
        claims = [claim for claim in request.claims if claim.role == "session"]
        signed = {claim.value for claim in claims if claim.place.startswith("jwt:")}
        for value in (*(claim.value for claim in claims), *(() if claims else (request.session,))):
            if value not in given and value not in signed and value != request.user:
                found.setdefault(value)
    return tuple(found)


def rewritten(value: Json, changes: Mapping[str, str], depth: int = 0) -> Json:
    """A JSON value in which every recorded value is replaced by its new one; keys stay."""
    if not changes or depth > _DEEPEST:
        return value
    if isinstance(value, str):
        return _in_text(value, changes)
    if isinstance(value, dict):
        return {key: rewritten(item, changes, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rewritten(item, changes, depth + 1) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        changed = changes.get(str(value), "")
        return int(changed) if changed.isdecimal() else value
    return value


def _in_text(text: str, changes: Mapping[str, str]) -> str:
    if text in changes:
        return changes[text]
    if (raw := as_meant(text)) in changes:
        return on_the_wire(changes[raw])
    both = {quote(old, safe=""): quote(new, safe="") for old, new in changes.items()}
    both |= {on_the_wire(old): on_the_wire(new) for old, new in changes.items()}
    both |= changes
    inside = sorted((old for old in both if len(old) >= _SHORT and old in text), key=len, reverse=True)
    if inside:
        pattern = "|".join(rf"(?<!\w){re.escape(old)}(?!\w)" for old in inside)
        text = re.sub(pattern, lambda match: both[match.group()], text)
    short = [old for old in both if len(old) < _SHORT and old in text]
    if short:
        # A segment of a path, a value of a query or of a cookie: never a word within a sentence.
        pattern = "|".join(rf"(?<=[/=]){re.escape(old)}(?=[/?&;#]|$)" for old in sorted(short, key=len, reverse=True))
        text = re.sub(pattern, lambda match: both[match.group()], text)
    return text


def _minted(value: str, salt: str) -> str:
    seed = hashlib.sha256(f"{salt}\0{value}".encode("utf-8", "surrogatepass")).digest()
    hexadecimal = re.fullmatch(r"(?:[0-9a-f-]{8,}|[0-9A-F-]{8,})", value) is not None and not value.isdecimal()
    uuid = re.fullmatch(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", value) is not None
    made: list[str] = []
    for index, character in enumerate(value):
        if index % len(seed) == 0 and index:
            seed = hashlib.sha256(seed).digest()
        byte = seed[index % len(seed)]
        if uuid and index in (14, 19):
            made.append(character)
        elif hexadecimal and character != "-":
            digit = "0123456789abcdef"[byte % 16]
            made.append(digit.upper() if value.isupper() else digit)
        elif character in string.digits:
            # A number keeps its length.
            made.append(str(byte % 9 + 1 if index == 0 else byte % 10))
        elif character in string.ascii_lowercase:
            made.append(string.ascii_lowercase[byte % 26])
        elif character in string.ascii_uppercase:
            made.append(string.ascii_uppercase[byte % 26])
        else:
            made.append(character)
    return "".join(made)


def _is_id(value: str) -> bool:
    return _SHORT <= len(value) <= _LONGEST and not any(character.isspace() for character in value)


def _all_text(request: Request) -> str:
    return json.dumps(request.request, ensure_ascii=False) + (request.message or "")


def _recorded_body(exchange: Exchange) -> Json:
    response = exchange.response
    assert response is not None
    return "".join(response.chunks) if response.chunks else response.body


def _streamed(text: str) -> Iterator[Json]:
    """The JSON in the events or lines of a stream."""
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if data.startswith("{"):
            try:
                yield json.loads(data)
            except (ValueError, RecursionError):
                continue


def _places_below(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if len(path) > _DEEPEST:
        return
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places_below(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places_below(item, (*path, index))
    elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        yield path, str(value)
