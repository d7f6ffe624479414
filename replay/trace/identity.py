"""Whose request it was: the places of a request that name its session or its user, and which of them to believe.

A recorded identity is a claim, not the truth: applications mix up the identity in their own traces too. So every place
that names one is kept, the most trusted is used, and `disagreements` tells where the places of one trace contradict
each other. Nothing here verifies a token: the claims of a JWT are read as they stand, and reports say so.

The default places are those of common proxies, SDKs and frameworks: Langfuse's `OtelIngestionProcessor.ts`, LiteLLM's
and Helicone's header pages, MCP, OpenAI, Anthropic, LangGraph, AG-UI, Rasa and A2A request bodies.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import binascii
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias
from urllib.parse import parse_qs, unquote

from ..errors import SettingsError
from .header_text import as_meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .model import Json, Request

Role: TypeAlias = Literal["session", "user"]
ROLES: tuple[Role, ...] = ("session", "user")
KINDS = ("header", "body", "query", "path", "jwt", "cookie", "baggage", "attribute", "field")
"""Kinds of places, most trusted first; `field` is a column of a log that is not part of the request."""

_HEADERS: dict[Role, tuple[str, ...]] = {
    "session": (
        "x-session-id", "x-conversation-id", "x-thread-id", "x-chat-id", "x-client-session-id", "mcp-session-id",
        "helicone-session-id", "x-litellm-session-id", "x-claude-code-session-id", "x-opencode-session",
        "x-openwebui-chat-id",
    ),
    "user": (
        "x-user-id", "x-user", "x-forwarded-user", "x-forwarded-email", "x-auth-request-user", "helicone-user-id",
        "x-litellm-end-user-id", "x-openwebui-user-id", "x-openwebui-user-email",
    ),
}  # fmt: skip
_BODY: dict[Role, tuple[str, ...]] = {
    "session": (
        "session_id", "sessionId", "session", "conversation_id", "conversationId", "conversation.id", "conversation",
        "thread_id", "threadId", "chat_id", "chatId", "config.configurable.thread_id", "contextId",
        "litellm_session_id", "metadata.session_id", "sender_id",
    ),
    "user": (
        "user_id", "userId", "user", "safety_identifier", "metadata.user_id", "from.id", "sender_id",
    ),
}  # fmt: skip
_QUERY: dict[Role, tuple[str, ...]] = {
    "session": ("session_id", "sessionId", "session", "conversation_id", "thread_id", "chat_id"),
    "user": ("user_id", "userId", "user"),
}
_COOKIES: dict[Role, tuple[str, ...]] = {
    "session": (
        "session", "sessionid", "session_id", "connect.sid", "JSESSIONID", "PHPSESSID", "sid",
        "__Secure-next-auth.session-token", "next-auth.session-token", "authjs.session-token",
        "__Secure-authjs.session-token",
    ),
    "user": (),
}  # fmt: skip
_JWT: dict[Role, tuple[str, ...]] = {
    "session": ("sid",),
    "user": ("sub", "uid", "oid", "email", "preferred_username"),
}
_ATTRIBUTES: dict[Role, tuple[str, ...]] = {
    "session": (
        "langfuse.session.id", "session.id", "gen_ai.conversation.id", "langfuse.trace.metadata.langfuse_session_id",
        "traceloop.association.properties.session_id", "mlflow.trace.session", "langsmith.metadata.thread_id",
        "ai.telemetry.metadata.sessionId", "_ml_obs.session_id",
    ),
    "user": (
        "langfuse.user.id", "user.id", "enduser.id", "enduser.pseudo.id", "user.hash",
        "langfuse.trace.metadata.langfuse_user_id", "traceloop.association.properties.user_id", "mlflow.trace.user",
        "ai.telemetry.metadata.userId",
    ),
}  # fmt: skip
_FIELDS: dict[Role, tuple[str, ...]] = {
    "session": ("session_id", "sessionId", "session", "conversation_id", "thread_id", "chat_id"),
    "user": ("user_id", "userId", "user", "username", "tenant_id"),
}
_TABLES: dict[str, dict[Role, tuple[str, ...]]] = {
    "header": _HEADERS,
    "body": _BODY,
    "query": _QUERY,
    "jwt": _JWT,
    "cookie": _COOKIES,
    "baggage": _ATTRIBUTES,
    "attribute": _ATTRIBUTES,
    "field": _FIELDS,
}


def _by_first_key(table: dict[Role, tuple[str, ...]]) -> dict[str, list[tuple[int, Role, str]]]:
    """For each first key of a dotted name, and each whole name, the names with their rank in the table."""
    known: dict[str, list[tuple[int, Role, str]]] = defaultdict(list)
    for role, names in table.items():
        for rank, name in enumerate(names):
            for key in {name, name.partition(".")[0]}:
                known[key].append((rank, role, name))
    return dict(known)


_KNOWN = {kind: _by_first_key(table) for kind, table in _TABLES.items()}
_LONGEST = 256  # a longer text is no name; later turns must never become an anchor


@dataclass(frozen=True, slots=True)
class Claim:
    """One place that names the session or the user, such as `Claim("user", "u-1", "header:x-user-id")`."""

    role: Role
    value: str
    place: str

    def to_json(self) -> list[str]:
        return [self.role, self.value, self.place]


@dataclass(frozen=True, slots=True)
class Rules:
    """Places to look at before the usual ones, most trusted first: `header:x-tenant`, `body:meta.user`, `path:2`."""

    session: tuple[str, ...] = ()
    user: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for place in (*self.session, *self.user):
            kind, _, name = place.partition(":")
            if kind not in KINDS or not name or (kind == "path" and not re.fullmatch(r"\d+|.*\{\w+\}.*", name)):
                raise SettingsError(
                    f"cannot read the place {place!r}",
                    "identity",
                    "write it like header:x-session-id, body:user_id or path:/chat/{session}; "
                    f"kinds: {', '.join(KINDS)}",
                )


@dataclass(frozen=True, slots=True)
class Places:
    """What a request carries, taken apart once. Each member but `path` is looked up by name or dotted path.

    Attributes:
        header: names in lower case, values as they were meant; of a repeated one the last.
        body: the decoded JSON body, None where it is none.
        jwt: the claims of the bearer token, unverified.
        attribute: of the span, for imported traces. field: columns of a log record.
    """

    path: str = ""
    header: Mapping[str, str] = field(default_factory=dict[str, str])
    body: Json = None
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    cookie: Mapping[str, str] = field(default_factory=dict[str, str])
    jwt: Json = None
    baggage: Mapping[str, str] = field(default_factory=dict[str, str])
    attribute: Mapping[str, str] = field(default_factory=dict[str, str])
    field: Mapping[str, Json] = field(default_factory=dict[str, "Json"])

    def at(self, place: str) -> str | None:
        """The value at a place, None where there is none or it is no name."""
        kind, _, name = place.partition(":")
        if kind == "path":
            return _in_path(self.path, name)
        return _text(_dotted(getattr(self, kind), name.lower() if kind == "header" else name))


def places_of(
    request: Json, attributes: Mapping[str, str] | None = None, fields: Mapping[str, Json] | None = None
) -> Places:
    """The places of a `request` object as the trace model has it: method, path, query, headers, and json or text."""
    if not isinstance(request, dict):
        return Places(attribute=attributes or {}, field=fields or {})
    headers = request.get("headers")
    pairs = headers.items() if isinstance(headers, dict) else headers if isinstance(headers, (list, tuple)) else ()
    body = request.get("json")
    if body is None and isinstance(request.get("text"), str):
        body = _json(request["text"])
    path, _, query = str(request.get("path", "")).partition("?")
    given = request.get("query")
    header = {str(pair[0]).lower(): str(pair[1]) for pair in pairs if _is_pair(pair)}
    return Places(
        path,
        {name: as_meant(value) for name, value in header.items()},
        body,
        _query(query) | ({str(k): str(v) for k, v in given.items()} if isinstance(given, dict) else _query(given)),
        _cookies(header["cookie"]) if "cookie" in header else {},
        _jwt(header["authorization"]) if "authorization" in header else None,
        _baggage(header["baggage"]) if "baggage" in header else {},
        attributes or {},
        fields or {},
    )


def claims_of(places: Places, rules: Rules | None = None) -> tuple[Claim, ...]:
    """Every claim that the places make, each role's most trusted first: the rules, then `KINDS` in order."""
    found: dict[tuple[Role, str], Claim] = {}

    def take(role: Role, place: str) -> None:
        value = places.at(place)
        if value is not None and (role, place) not in found:
            found[role, place] = Claim(role, value, place)

    for role in ROLES:
        for place in () if rules is None else rules.session if role == "session" else rules.user:
            take(role, place)
    for kind, known in _KNOWN.items():
        members = getattr(places, kind)
        if members and hasattr(members, "keys"):
            # Few of the known names are ever there: asking only for those keeps a recorder quick.
            for _, role, name in sorted(rank for top in known.keys() & members.keys() for rank in known[top]):
                take(role, f"{kind}:{name}")
    return tuple(sorted(found.values(), key=lambda claim: ROLES.index(claim.role)))


def chosen(claims: Iterable[Claim], role: Role) -> Claim | None:
    """The claim that is used for a role: the first."""
    return next((claim for claim in claims if claim.role == role), None)


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two places of one request that name different sessions or users, of which the second is somebody else's name."""

    request: str
    used: Claim
    other: Claim


class Names:
    """The names by which the requests of a trace go, and where its places contradict each other.

    A cookie and a header may name the same session differently, which is no contradiction. It is one when the other
    place holds the name by which another request of the trace goes, or a value that elsewhere stood beside another
    name (the same cookie with two users). So all requests are added before the first is asked about.
    """

    def __init__(self) -> None:
        self._names: dict[Role, set[str]] = {role: set() for role in ROLES}
        self._beside: dict[tuple[str, str], set[str]] = defaultdict(set)

    def add(self, claims: Iterable[Claim]) -> None:
        claims = tuple(claims)
        for role in ROLES:
            used = chosen(claims, role)
            if used is None:
                continue
            self._names[role].add(used.value)
            for claim in claims:
                if claim.role == role and claim.place != used.place:
                    self._beside[claim.place, claim.value].add(used.value)

    def contradictions(self, request: str, claims: Iterable[Claim]) -> list[Disagreement]:
        """Where the places of one request contradict each other."""
        claims = tuple(claims)
        found: list[Disagreement] = []
        for role in ROLES:
            used = chosen(claims, role)
            for claim in claims:
                if used is None or claim.role != role or claim.value == used.value:
                    continue
                if claim.value in self._names[role] or len(self._beside[claim.place, claim.value]) > 1:
                    found.append(Disagreement(request, used, claim))
        return found

    def shared(self, kinds: tuple[str, ...] = ("cookie", "jwt")) -> dict[str, int]:
        """Places of a credential of which one value stood beside several names (one token, two users), with how many
        such values there are."""
        counts: dict[str, int] = {}
        for (place, _), names in self._beside.items():
            if len(names) > 1 and place.partition(":")[0] in kinds:
                counts[place] = counts.get(place, 0) + 1
        return counts


def disagreements(requests: Iterable[Request]) -> tuple[Disagreement, ...]:
    """Requests whose own places contradict each other; see `Names`."""
    requests = tuple(requests)
    names = Names()
    for request in requests:
        names.add(request.claims)
    return tuple(found for request in requests for found in names.contradictions(request.id, request.claims))


def used_places(requests: Iterable[Request]) -> dict[Role, dict[str, int]]:
    """For each role how many requests were named by which place, most used first; `none` where nothing named it."""
    counts: dict[Role, dict[str, int]] = {"session": {}, "user": {}}
    for request in requests:
        for role, of in counts.items():
            used = chosen(request.claims, role)
            place = used.place if used else "none"
            of[place] = of.get(place, 0) + 1
    return {role: dict(sorted(of.items(), key=lambda item: -item[1])) for role, of in counts.items()}


def _is_pair(value: Json) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2


def _text(value: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    text = str(value).strip()
    return text if text and len(text) <= _LONGEST else None


def _dotted(value: Json, path: str) -> Json:
    """The value at a dotted path; a key that has dots itself is preferred."""
    if not hasattr(value, "get"):
        return None
    if path in value:
        return value[path]
    head, _, rest = path.partition(".")
    return _dotted(value.get(head), rest) if rest else None


def _in_path(path: str, name: str) -> str | None:
    segments = [unquote(part) for part in path.strip("/").split("/")]
    if name.isdigit():
        return _text(segments[int(name)]) if int(name) < len(segments) else None
    template = name.strip("/").split("/")
    if len(template) > len(segments):
        return None
    value = None
    for wanted, part in zip(template, segments, strict=False):
        if wanted.startswith("{"):
            value = part
        elif wanted not in ("*", part):
            return None
    return _text(value)


def _query(text: Json) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(text).items()} if text and isinstance(text, str) else {}


def _cookies(header: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in header.split(";"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs if name.strip()}


def _baggage(header: str) -> dict[str, str]:
    """W3C Baggage: comma-separated `key=value;property`, percent-encoded."""
    pairs = (part.partition(";")[0].partition("=") for part in header.split(","))
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}


def _jwt(header: str) -> Json:
    """The claims of a bearer token (RFC 7519), unverified; None where it is no JWT."""
    match = re.fullmatch(r"(?i:bearer)\s+[\w-]+\.([\w-]+)\.[\w-]*", header.strip())
    if match is None:
        return None
    try:
        return _json(base64.urlsafe_b64decode(match[1] + "=" * (-len(match[1]) % 4)).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None


def _json(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
