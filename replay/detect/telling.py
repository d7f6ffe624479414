"""The telling values of recorded text: what is worth searching for in other lanes' answers.

Where a handler can be run, a difference against its solo run says what is foreign. Recorded traffic has no solo run, so
an ordinary word proves nothing here: only secrets, addresses, ids, names and longer phrases count, each of which is
unlikely to stand in two users' traffic by chance. A stand-in of a redacted trace counts as what it stands for.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import binascii
import json
import re
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from ..trace.secrets import (
    JWT_CLAIMS,
    NO_NAMES,
    SECRET_HEADERS,
    STAND_IN,
    assigned_secrets,
    header_secrets,
    is_secret_key,
    is_telling,
    jwt_claims,
    shaped_secrets,
)
from .folding import folded, grouped_numbers, whole_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..trace.identity import Claim
    from ..trace.model import Request

WEIGHTS = {"secret": 90, "email": 80, "account": 68, "id": 65, "name": 55, "phrase": 40}
"""How telling each kind is, of 100. An account is an id that a member of an answer calls one."""
_ACCOUNT = re.compile(
    r"(?:^|[._])(?:(?:account|acct|iban|passport|ssn)(?:[_-]?(?:id|no|nr|num|number))?|"
    r"(?:card|customer|policy|patient|member|tax|contract|insurance)[_-]?(?:id|no|nr|num|number))(?:\[\d+\])?$",
    re.IGNORECASE,
)
# A member of this name says a person's in full, in whatever case; `name` alone may be a tool's or a shirt's.
_NAMED = re.compile(
    r"(?:^|[._-])(?:full|customer|patient|contact|guest|member|employee|client|holder|recipient|passenger)[_-]?names?$",
    re.IGNORECASE,
)
_FULL_NAME = re.compile(r"[^\W\d_]{2,}(?:[ .'’-]{1,2}[^\W\d_]+){1,3}")
_STAND_IN_AS = {
    "email": "email",
    "user": "id",
    "session": "id",
    "phone": "id",
    "card": "id",
    "iban": "id",
    "value": "id",
}

EMAIL = re.compile(r"[A-Za-z0-9][\w.+%-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,8}[A-Za-z]{2,24}(?![\w-])")
_COMPOUND = re.compile(r"[^\W_]+(?:[-_.][^\W_]+)*")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
# Dates, times, epochs, versions, amounts, percentages, ordinals, sizes: numbers that many users have.
_PLAIN_NUMBER = re.compile(
    r"\d{1,5}|\d+\.\d+|(?:19|20)\d\d[-_.]?\d\d(?:[-_.]?\d\d)?(?:t\d{2,6}.*)?|\d\d[-_.]\d\d[-_.](?:\d\d){1,2}|1[5-9]\d{8}(?:\d{3}){0,3}|"
    r"v?\d{1,3}(?:\.\d{1,5}){1,3}(?:[-.]?[a-z]+\d*)?|\d+(?:st|nd|rd|th|[kmg]b|px|ms|am|pm|usd|eur)|"
    r"(?:gpt|claude|gemini|llama|mistral|mixtral|qwen|deepseek|o\d|text-embedding|phi|command|grok)\b.*|"
    r"(?:utf|iso|sha|md|http|ipv|es|h|base|rfc|python|html|mp|oauth|cp|windows|x86|covid|top|p|s|u|q|r|t|user|item|step|room|page|line)[-_.]?\d{1,5}(?:[-_.]\d+)*",
    re.IGNORECASE,
)  # fmt: skip
_NAME = (
    r"(?:user_[a-z2-7]{12}|"
    r"(?:[^\W\d_a-z][^\W\d_]+|[DLMNO]['’][^\W\d_a-z][^\W\d_]*)(?:[-'’][^\W\d_]+){0,3})"
)
_INTRODUCED = re.compile(
    r"\b(?i:my name is|name'?s|i am called|call me|this is|i am|i'm|name:|ich heiße|ich heisse|mein name ist|"
    r"je m['’]appelle|mon nom est|me llamo|mi nombre es|mi chiamo|me chamo|meu nome é|mijn naam is|ik heet|меня зовут|"
    rf"اسمي)\s+({_NAME}(?:\s+{_NAME}){{0,3}})"
)
# Looking for a few letters is many times quicker than trying every introduction at every word.
_INTRODUCTIONS = (
    "name", "i am", "i'm", "call", "this is", "ich hei", "appelle", "nom est", "llamo", "nombre es", "chiamo", "chamo",
    "nome é", "naam is", "heet", "зовут", "اسمي",
)  # fmt: skip
_NUMBERED = re.compile(r"\d[A-Za-z]?,? \w| \d")
_STREETS = r"(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|court|ct|square|sq|place|pl|terrace|close)"
_ADDRESS = re.compile(
    rf"\b\d{{1,5}}[A-Za-z]?,? (?:[^\W\d_a-z][^\W\d_]*\.? ){{1,3}}(?i:{_STREETS})\b|"
    r"\b[^\W\d_a-z][^\W\d_]*(?:straße|strasse|str\.|weg|gasse|allee|platz) \d{1,4}[A-Za-z]?\b|"
    r"\b\d{1,4},? (?:rue|avenue|boulevard|place|via|calle) (?:[^\W\d_]+ ){0,3}[^\W\d_a-z][^\W\d_]+"
)
# What has a digit in it, up to the next space. The possessive repeat keeps a text without digits linear.
_WITH_DIGIT = re.compile(r"(?<!\S)[^\s\d]*+\d\S*")
_WORD = re.compile(r"\x00|[^\W\d_]+(?:['’.-][^\W_]+)*")
_WORD_OR_STAND_IN = re.compile(f"{STAND_IN.pattern}|{_WORD.pattern}")
PHRASE_WORDS = 5
_PHRASE_LETTERS = 20
_NAME_LONG = 5
_SAID_BY_OTHERS = frozenset({"system", "assistant", "tool", "developer", "function", "model"})
_PROTOCOL_HEADERS = frozenset({
    "accept", "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age", "allow", "alt-svc",
    "anthropic-version", "cache-control", "cf-ray", "connection", "content-encoding", "content-length", "content-type",
    "date", "dnt", "etag", "expect", "expires", "forwarded", "host", "if-modified-since", "if-none-match", "keep-alive",
    "last-modified", "openai-processing-ms", "openai-version", "origin", "pragma", "priority", "referer", "server",
    "strict-transport-security", "te", "traceparent", "tracestate", "transfer-encoding", "upgrade",
    "upgrade-insecure-requests", "user-agent", "vary", "via", "x-amzn-trace-id", "x-content-type-options",
    "x-correlation-id", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
    "x-frame-options", "x-powered-by", "x-real-ip", "x-request-id",
})  # fmt: skip
_LONGEST_VALUE = 256
_CACHED = 16_384  # a session's names and headers come with each of its requests
_LONGEST_TEXT = 200_000  # of one text; what is longer is a document, and its beginning tells enough


class Value(NamedTuple):
    """A telling value, in lower case."""

    kind: str
    text: str


def values_in(text: str) -> Iterator[Value]:
    """The telling values of a free text: what identifies, names that somebody gave, and phrases of the rest."""
    text = text[:_LONGEST_TEXT]
    lines = list(_sure(text))
    for start, end, kind in lines:
        yield Value(kind, _as_searched(text[start:end]))
    told = folded(text)
    yield from _numbers(told)
    yield from _names(told)
    if _NUMBERED.search(told):
        yield from (Value("id", match[0].lower()) for match in _ADDRESS.finditer(told))
    if told != text:
        text, lines = told, list(_sure(told))
        yield from (Value(kind, text[start:end].lower()) for start, end, kind in lines)
    taken = lines
    position = 0
    # A name is a word of a phrase, whether it stands there itself or as a stand-in; other values end a phrase.
    ends = [(start, end) for start, end, _ in taken if not text.endswith(("user_", "session_"), 0, start)]
    for start, end in [*sorted(ends), (len(text), len(text))]:
        if start > position:
            yield from _phrases(text[position:start])
        position = max(position, end)


def _as_searched(value: str) -> str:
    plain = value.isascii() and "&" not in value and "\n" not in value
    return (value if plain else folded(value)).lower()


def identifying_in(text: str) -> Iterator[Value]:
    """The values of a text that identify somebody by themselves: secrets, addresses and ids; no names, no phrases."""
    text = text[:_LONGEST_TEXT]
    for start, end, kind in _sure(text):
        yield Value(kind, _as_searched(text[start:end]))
    yield from _numbers(text)


def accounts_in(texts: Iterable[tuple[str, str]]) -> Iterator[Value]:
    """The ids among (path, text) that stand in a member which is called an account, a customer, a policy, …"""
    for path, text in texts:
        if _is_account(path.rpartition(".")[2]) and len(text) <= _LONGEST_VALUE:
            yield from (Value("account", value.text) for value in identifying_in(text) if value.kind == "id")


@lru_cache(maxsize=_CACHED)
def _is_full_name(key: str) -> bool:
    return _NAMED.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key)) is not None


@lru_cache(maxsize=_CACHED)
def _is_account(key: str) -> bool:
    return _ACCOUNT.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key)) is not None


def _numbers(text: str) -> Iterator[Value]:
    return (Value("id", compact) for _, _, compact in grouped_numbers(text))


def values_sent(request: Request, claims: Iterable[Claim]) -> Iterator[Value]:
    """The telling values of a request: who sent it, its credentials, and what it says."""
    for name in (request.session, request.user):
        if name is not None:
            yield from _named(name)
    for claim in claims:
        yield from _named(claim.value)
    if request.message is not None:
        yield from values_in(request.message)
    sent = request.request
    if not isinstance(sent, dict) or not ({"headers", "path"} & sent.keys()):
        yield from _in_json(sent)
        return
    for name, value in header_pairs(sent.get("headers")):
        yield from header_values(name, value)
    yield from _in_path(f"{sent.get('path', '')}?{sent.get('query', '')}")
    for key, value in sent.items():
        if key == "b64":
            yield from values_in(decoded(value))
        elif key not in ("headers", "path", "query", "method"):
            yield from _in_json(value)


@lru_cache(maxsize=_CACHED)
def header_values(name: str, value: str) -> tuple[Value, ...]:
    """The telling values of a header: credentials whole, the identity in a JWT, ids elsewhere."""
    return tuple(_in_header(name, value))


def _in_header(name: str, value: str) -> Iterator[Value]:
    lowered = name.lower()
    if lowered in SECRET_HEADERS:
        for start, end, kind in header_secrets(lowered, value):
            yield from _whole(value[start:end], kind)
            if kind == "jwt":
                for claim, told in (jwt_claims(value[start:end]) or {}).items():
                    if claim in JWT_CLAIMS and isinstance(told, str):
                        yield from _named(told)
    elif lowered not in _PROTOCOL_HEADERS:
        yield from identifying_in(value)


@lru_cache(maxsize=_CACHED)
def _in_path(path: str) -> tuple[Value, ...]:
    found: list[Value] = []
    for part in re.split(r"[/?&]", path):
        key, equals, value = part.partition("=")
        told = unquote_plus(value if equals else part)
        found += _whole(told) if equals and is_secret_key(key) else identifying_in(told)
    return tuple(found)


def header_pairs(headers: Any) -> Iterator[tuple[str, str]]:
    """Headers as recorded, pairs or an object, as pairs."""
    items = headers.items() if isinstance(headers, dict) else headers if isinstance(headers, (list, tuple)) else ()
    for item in items:
        if isinstance(item, (list, tuple)) and len(item) == 2:
            yield str(item[0]), str(item[1])


def decoded(b64: Any) -> str:
    """The text of a base64 body, empty where it is none."""
    try:
        return base64.b64decode(str(b64), validate=False).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""


def opened(text: str) -> Any:
    """A text that holds a JSON object or list, decoded; else None."""
    if text[:1] not in "{[" or len(text) < 3:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _in_json(value: Any) -> Iterator[Value]:
    if isinstance(value, str):
        inner = opened(value)
        yield from values_in(value) if inner is None else _in_json(inner)
    elif isinstance(value, dict):
        if value.get("role") in _SAID_BY_OTHERS:
            return  # a resent history holds what the service itself said
        named = ((key, item) for key, item in value.items() if isinstance(item, str))
        yield from (Value("name", folded(name).lower()) for _, name in whole_names(named))
        for key, item in value.items():
            if isinstance(item, str) and _is_full_name(key) and _FULL_NAME.fullmatch(name := folded(item)):
                yield Value("name", name.lower())
            if is_secret_key(key) and isinstance(item, (str, int)):
                yield from _whole(str(item))
            else:
                yield from _in_json(item)
    elif isinstance(value, list):
        for item in value:
            yield from _in_json(item)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from identifying_in(str(value))


def _whole(secret: str, kind: str = "secret") -> Iterator[Value]:
    if STAND_IN.fullmatch(secret.rpartition(".")[2]):
        yield Value("secret", secret[-12:])
    elif is_telling(secret, kind):
        yield Value("secret", secret.lower())


@lru_cache(maxsize=_CACHED)
def _named(name: str) -> tuple[Value, ...]:
    """A user's or session's name: whatever identifies in it, else itself where it is long enough."""
    found = tuple(identifying_in(name))
    if not found and is_telling(name, "user") and _DIGIT.search(name) is None:
        return (Value("name", name.lower()),)
    return found


def _names(text: str) -> Iterator[Value]:
    lowered = text.lower()
    if not any(hint in lowered for hint in _INTRODUCTIONS):
        return
    for match in _INTRODUCED.finditer(text):
        words = list(takewhile(_is_name, match[1].split()))
        name = " ".join(words)
        # A script without capitals does not show where a name ends.
        for count in range(2, len(words)) if name.lower() == name.upper() else ():
            yield Value("name", " ".join(words[:count]))
        if len(name) >= 3 and not NO_NAMES.intersection(name.lower().split()):
            yield Value("name", name.lower())


def _is_name(word: str) -> bool:
    return not word[0].islower() or word.startswith("user_")


def _sure(text: str) -> Iterator[tuple[int, int, str]]:
    """Secrets, addresses and ids, in no order; none overlaps another."""
    taken: list[tuple[int, int, str]] = []
    if "_" in text:
        # The hash alone: what is a cookie to one recorder may be a token to another.
        taken += [(m.end() - 12, m.end(), _STAND_IN_AS.get(m[0][:-13], "secret")) for m in STAND_IN.finditer(text)]
    taken += [(a, b, "secret") for a, b, _ in shaped_secrets(text) if not _inside(a, b, taken)]
    taken += [(a, b, "secret") for a, b, _ in assigned_secrets(text) if not _inside(a, b, taken)]
    if "@" in text:
        taken += [(*m.span(), "email") for m in EMAIL.finditer(text) if not _inside(*m.span(), taken)]
    for word in _WITH_DIGIT.finditer(text):
        for match in _COMPOUND.finditer(text, *word.span()):
            if _DIGIT.search(match[0]) and _is_id(match[0]) and not _inside(*match.span(), taken):
                taken.append((*match.span(), "id"))
    yield from taken


def _is_id(token: str) -> bool:
    if not 5 <= len(token) <= _LONGEST_VALUE or _PLAIN_NUMBER.fullmatch(token):
        return False
    return len(token) >= 6 or _LETTER.search(token) is not None


def _inside(start: int, end: int, taken: list[tuple[int, int, str]]) -> bool:
    return any(start < b and a < end for a, b, _ in taken)


def words_in(lowered: str) -> Iterator[re.Match[str]]:
    """The words that phrases are made of; a stand-in is one. A NUL, which separates texts, is one too."""
    return (_WORD_OR_STAND_IN if "_" in lowered else _WORD).finditer(lowered)


def word_list(lowered: str) -> list[str]:
    """The same as texts, many times quicker."""
    return (_WORD_OR_STAND_IN if "_" in lowered else _WORD).findall(lowered)


def _phrases(text: str) -> Iterator[Value]:
    """Five words in a row, again and again: a copy of nine words in a row holds one of them whole."""
    words = word_list(text.lower())
    for first in range(0, len(words) - PHRASE_WORDS + 1, PHRASE_WORDS):
        piece = words[first : first + PHRASE_WORDS]
        told = " ".join(piece)
        letters = len(told) if "_" not in told else sum(_NAME_LONG if "_" in word else len(word) for word in piece)
        if _PHRASE_LETTERS <= letters <= _LONGEST_VALUE:
            yield Value("phrase", told)
