"""Redaction that keeps contamination visible: every secret becomes a keyed pseudonym, the same one everywhere.

The same value gets the same stand-in in every request, response, stream and upstream call, inside longer texts, in
URL and JSON escapes and in base64, whatever its case. So a value that crossed can still be seen to cross, and without
the key nothing leads back to it (HMAC-SHA256; a plain hash of a phone number can be guessed, a salt for each
occurrence would hide every crossing).

What is replaced: credentials by header, cookie and key names, known token shapes in any text, and what the user's rules
name. A value once replaced is remembered and replaced wherever it comes up again. This works on one event of a trace
at a time, so that a recorder can use it before a byte reaches the disk.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import SettingsError
from .redaction_key import key_id, redaction_key
from .secrets import HEADERS, KEYS, MARKERS, PERSONAL, SHAPES, is_card
from .streams import Edit, edited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Json

SCHEME = "hmac-v1"
_KINDS = ("header", "query", "cookie", "json", "pattern", "kind")
_ESCAPE = r"%(?:25)*[0-9a-fA-F]{2}|\\+(?:u[0-9a-fA-F]{4}|.)"
_WORD = re.compile(rf"{_ESCAPE}|[^\W_]+", re.DOTALL)
"""Words, with the escapes of URLs and JSON apart, so that `%20` and `\\n` are not taken for the start of one."""
_AFTER_ESCAPE = re.compile(rf"(?:{_ESCAPE})\Z", re.DOTALL)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_TAIL = re.compile(r"[\w\-.+/=@%~]{1,256}\Z")
_OWN = re.compile(r"(?:secret|card)_[a-z2-7]{12}|redacted-[a-z2-7]{12}@redacted\.invalid")
_LONGEST_TEXT = 1 << 20
"""A user's expression is tried on at most so many characters of one text, so that none can stop a recording."""
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Rules:
    """What is replaced.

    Attributes:
        defaults: credentials by header, cookie and key, and known token shapes.
        header, query, cookie: further names, in lower case.
        paths: JSON paths as segments, `*` for any one, from the root of a body.
        patterns: expressions, whose first group is replaced where there is one.
    """

    defaults: bool = True
    header: frozenset[str] = frozenset()
    query: frozenset[str] = frozenset()
    cookie: frozenset[str] = frozenset()
    paths: tuple[tuple[str, ...], ...] = ()
    patterns: tuple[tuple[str, re.Pattern[str]], ...] = ()
    texts: tuple[str, ...] = ()

    @classmethod
    def of(cls, rules: Iterable[str], defaults: bool = True) -> Rules:
        """From texts such as `header:X-Tenant`, `query:key`, `json:$.user.email`, `pattern:ACC-\\d+`, `kind:email`.

        Raises:
            SettingsError: one of them cannot be read.
        """
        texts = tuple(rules)
        names: dict[str, set[str]] = {"header": set(), "query": set(), "cookie": set()}
        paths: list[tuple[str, ...]] = []
        patterns: list[tuple[str, re.Pattern[str]]] = []
        for rule in texts:
            kind, _, value = rule.partition(":")
            if kind in names and value:
                names[kind].add(value.strip().lower())
            elif kind == "json" and value.startswith("$") and value.strip("$. "):
                paths.append(tuple(re.findall(r"[^.\[\]'\"]+", value.removeprefix("$"))))
            elif kind == "pattern" and value:
                try:
                    patterns.append(("pattern", re.compile(value)))
                except re.error as error:
                    raise SettingsError(f"the expression {value!r} cannot be read: {error}", "redact") from None
            elif kind == "kind" and value in PERSONAL:
                patterns.append((value, PERSONAL[value]))
            else:
                raise SettingsError(
                    f"cannot read the rule {rule!r}",
                    "redact",
                    "write it like header:X-Tenant, query:key, cookie:cart, json:$.user.email, pattern:ACC-[0-9]+ "
                    f"or kind:{'|'.join(PERSONAL)}",
                )
        return cls(
            defaults,
            frozenset(names["header"]),
            frozenset(names["query"]),
            frozenset(names["cookie"]),
            tuple(paths),
            tuple(patterns),
            texts,
        )


def redactor_for(rules: Iterable[str] = (), defaults: bool = True) -> Redactor:
    """A redactor with the user's own key.

    Raises:
        SettingsError: a rule cannot be read, or there can be no key.
    """
    return Redactor(redaction_key(), Rules.of(rules, defaults), _REMEMBERED)


@dataclass(frozen=True, slots=True)
class _Known:
    """One way in which a replaced value may be written: all in lower case, with the place of its longest word."""

    written: str
    offset: int
    stand_in: str


class Redactor:
    """Replaces secrets in events, one at a time, and remembers what it replaced. Safe to call from several threads.

    Attributes:
        counts: how many values were replaced, by what made them secret.
        stand_ins: value to stand-in, in memory only.
    """

    def __init__(self, key: bytes, rules: Rules | None = None, most: int = 1 << 60) -> None:
        self.rules = rules or Rules()
        self.counts: Counter[str] = Counter()
        self.stand_ins: dict[str, str] = {}
        self._key = key
        self._most = most
        self._known: dict[str, list[_Known]] = {}
        self._tails: dict[str, dict[str, Json]] = {}
        self._lock = threading.Lock()

    def header(self) -> dict[str, Json]:
        """The `redaction` member of a trace's header: how, and with which key, but not the key."""
        return {
            "scheme": SCHEME,
            "key_id": key_id(self._key),
            "fields": [*(("credentials", "tokens") if self.rules.defaults else ()), *self.rules.texts],
        }

    def stand_in(self, value: str) -> str:
        """The pseudonym of a value. An e-mail address becomes one, so that what checks for one still passes."""
        normal = value.strip().lower()
        if _OWN.fullmatch(normal):
            return value
        digest = hmac.new(self._key, normal.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        token = base64.b32encode(digest).decode("ascii")[:12].lower()
        if PERSONAL["email"].fullmatch(value.strip()):
            return f"redacted-{token}@redacted.invalid"
        digits = re.sub(r"[ -]", "", value)
        return f"card_{token}" if digits.isdigit() and is_card(digits) else f"secret_{token}"

    def events(self, event: dict[str, Json]) -> list[dict[str, Json]]:
        """What is written in place of an event; the one given stays as it is.

        It is one event, but for the end of a stream, before which comes what was held back of the stream's last part.
        """
        with self._lock:
            kind, identity = event.get("k"), str(event.get("id"))
            if kind == "chunk" and isinstance(event.get("text"), str):
                return [self._chunk(identity, event)]
            held = self._tails.pop(identity, None) if kind == "res" else None
            rest = [] if held is None else [{**held, "text": self.text(held["text"])}]
            return [*rest, self._members(event)]

    def text(self, text: str) -> str:
        """A text with the secrets in it replaced."""
        edits = self.edits(text)
        return edited((text,), edits)[0] if edits else text

    def nested(self, text: str) -> str:
        """JSON inside a text, such as the arguments of a tool call."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return self.text(text)
        told = self._value(value, self.rules.paths)
        return text if told == value else json.dumps(told, ensure_ascii=False)

    # ---- the parts of an event

    def _members(self, event: dict[str, Json]) -> dict[str, Json]:
        """An event, or the `request` or `body` in it. Headers come first, since they say what is secret."""
        found: dict[str, Json] = {}
        if "headers" in event:
            found["headers"] = self._headers(event["headers"])
        cookies = [c[1] for c in event.get("claims") or () if isinstance(c, list) and str(c[2]).startswith("cookie:")]
        for name, value in event.items():
            if name in ("k", "id", "t", "dt", "parent", "ref", "status", "grade", "end", "headers", "chunks_at"):
                found.setdefault(name, value)
            elif name in ("session", "user"):
                cookie = self.rules.defaults and value in cookies
                found[name] = self._secret(value, "cookie") if cookie else self._value(value, ())
            elif name == "claims" and isinstance(value, list):
                found[name] = [self._claim(claim) for claim in value]
            elif name == "query":
                found[name] = self._query(value)
            elif name == "b64" and isinstance(value, str):
                found[name] = self._base64(value) or value
            elif name in ("request", "body") and isinstance(value, dict) and event.get("k") is not None:
                shaped = {"headers", "query", "json", "text", "b64"} & value.keys()
                found[name] = self._members(value) if shaped else self._value(value, self.rules.paths)
            else:
                found[name] = self._value(value, self.rules.paths)
        return {name: found[name] for name in event}

    def _headers(self, headers: Json) -> Json:
        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        if not isinstance(pairs, (list, tuple)):
            return headers
        told = [
            [pair[0], self._header(str(pair[0]).lower(), str(pair[1]))]
            for pair in pairs
            if isinstance(pair, (list, tuple)) and len(pair) == 2
        ]
        return {str(name): value for name, value in told} if isinstance(headers, dict) else told

    def _header(self, name: str, value: str) -> str:
        if name in self.rules.header:
            return self._secret(value, f"header {name}")
        if name in ("cookie", "set-cookie"):
            return self._cookies(value, name == "set-cookie")
        if not self.rules.defaults or name not in HEADERS:
            return self.text(value)
        scheme, space, credentials = value.partition(" ")
        if space and scheme.isalpha():
            return f"{scheme} {self._secret(credentials, f'header {name}')}"
        return self._secret(value, f"header {name}")

    def _cookies(self, header: str, set_cookie: bool) -> str:
        """Each cookie by itself: names stay, so that the one that names the session still does."""
        parts = header.split(";")
        for index, part in enumerate(parts[:1] if set_cookie else parts):
            name, equals, value = part.partition("=")
            wanted = self.rules.defaults or name.strip().lower() in self.rules.cookie
            if equals and value.strip() and wanted:
                bare = value.strip().strip('"')
                parts[index] = f"{name}={self._secret(bare, 'cookie', _telling(bare))}" if bare else part
            else:
                parts[index] = self.text(part)
        return ";".join(parts)

    def _claim(self, claim: Json) -> Json:
        if not isinstance(claim, list) or len(claim) != 3:
            return claim
        role, value, place = claim
        if self.rules.defaults and str(place).startswith("cookie:"):
            return [role, self._secret(str(value), "cookie", _telling(str(value))), place]
        return [role, self._value(value, ()), place]

    def _query(self, query: Json) -> Json:
        if not isinstance(query, str):
            return self._value(query, ())
        parts = query.split("&")
        for index, part in enumerate(parts):
            name, equals, value = part.partition("=")
            known = name.lower() in self.rules.query or (self.rules.defaults and _is_key(name))
            if equals and value and known:
                parts[index] = f"{name}={self._secret(value, 'key')}"
            else:
                parts[index] = self.text(part)
        return "&".join(parts)

    def _value(self, value: Json, paths: tuple[tuple[str, ...], ...]) -> Json:
        if isinstance(value, str):
            if () in paths:
                return self._secret(value, "path")
            return self.nested(value) if value[:1] in ("{", "[") else self.text(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and () in paths:
            return self._secret(str(value), "path")
        if isinstance(value, dict):
            return {key: self._member(str(key), of, paths) for key, of in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._value(item, _below(paths, str(index))) for index, item in enumerate(value)]
        return value

    def _member(self, key: str, value: Json, paths: tuple[tuple[str, ...], ...]) -> Json:
        if self.rules.defaults and isinstance(value, (str, int)) and not isinstance(value, bool) and _is_key(key):
            text = str(value)
            return self._secret(text, "key", _telling(text)) if text.strip() else value
        return self._value(value, _below(paths, key) if paths else ())

    # ---- streams

    def _chunk(self, identity: str, event: dict[str, Json]) -> dict[str, Json]:
        """A part of a stream. What could be the beginning of a secret waits for the part that follows."""
        held = self._tails.pop(identity, None)
        text: str = event["text"] if held is None else held["text"] + event["text"]
        tail = _TAIL.search(text[-256:])
        if tail is not None:
            cut = len(text) - len(tail[0])
            self._tails[identity] = {**event, "text": text[cut:]}
            text = text[:cut]
        return {**event, "text": self.text(text)}

    # ---- values in a text

    def edits(self, text: str) -> list[Edit]:
        """What of a text is replaced by what; edits may overlap, and the first then counts."""
        edits: list[Edit] = []
        if self.rules.defaults and any(marker in text for marker in MARKERS):
            edits += [Edit(m.start(), m.end(), self._secret(m[0], "token")) for m in SHAPES.finditer(text)]
        for kind, pattern in self.rules.patterns:
            for match in pattern.finditer(text[:_LONGEST_TEXT]):
                group = 1 if pattern.groups else 0
                value = match[group]
                if value and (kind != "card" or is_card(value)):
                    edits.append(Edit(match.start(group), match.end(group), self._secret(value, kind)))
        if self._known:
            edits += self._remembered(text)
        if len(text) >= 12:
            edits += self._encoded(text)
        return edits

    def _remembered(self, text: str) -> list[Edit]:
        lower = text.lower()
        if len(lower) != len(text):
            lower = text
        hits = self._known.keys() & set(_WORD.findall(lower))
        if not hits:
            return []
        edits: list[Edit] = []
        for match in _WORD.finditer(lower):
            for known in self._known[match[0]] if match[0] in hits else ():
                start = match.start() - known.offset
                end = start + len(known.written)
                if start >= 0 and lower.startswith(known.written, start) and _bounded(lower, start, end, known.offset):
                    edits.append(Edit(start, end, known.stand_in))
                    self.counts["seen again"] += 1
        return edits

    def _encoded(self, text: str) -> list[Edit]:
        """Secrets inside base64 that holds text."""
        edits: list[Edit] = []
        for match in _BASE64.finditer(text):
            told = self._base64(match[0])
            if told is not None:
                edits.append(Edit(match.start(), match.end(), told))
        return edits

    def _base64(self, run: str) -> str | None:
        """A base64 text with the secrets in what it decodes to replaced; None where there are none."""
        bare = run.rstrip("=")
        if len(bare) % 4 == 1 or len(run) > _LONGEST_TEXT:
            return None
        url = "-" in bare or "_" in bare
        try:
            decoded = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_" if url else None).decode("utf-8")
        except (binascii.Error, ValueError):
            return None
        if not decoded.replace("\n", " ").replace("\t", " ").isprintable():
            return None
        told = self.nested(decoded) if decoded[:1] in ("{", "[") else self.text(decoded)
        if told == decoded:
            return None
        raw = (base64.urlsafe_b64encode if url else base64.b64encode)(told.encode("utf-8", "surrogatepass"))
        encoded = raw.decode("ascii")
        return encoded if run != bare or len(bare) % 4 == 0 else encoded.rstrip("=")

    # ---- what is known

    def _secret(self, value: Json, why: str, remember: bool = True) -> str:
        text = str(value)
        if _OWN.fullmatch(text):
            return text
        self.counts[why] += 1
        stand_in = self.stand_in(text)
        if remember and text not in self.stand_ins and len(text.strip()) > 2:
            self._remember(text, stand_in)
        return stand_in

    def _remember(self, value: str, stand_in: str) -> None:
        if len(self.stand_ins) >= self._most:
            self._forget()
        self.stand_ins[value] = stand_in
        for written, shown in _ways(value.strip(), stand_in):
            words = sorted(_WORD.finditer(written), key=lambda match: -len(match[0]))
            if words:
                entry = _Known(written, words[0].start(), shown)
                entries = self._known.setdefault(words[0][0], [])
                if entry not in entries:
                    entries.append(entry)
                    entries.sort(key=lambda known: -len(known.written))

    def _forget(self) -> None:
        """Forget the older half: memory stays bounded, and what is in use comes up again."""
        kept = list(self.stand_ins.items())[len(self.stand_ins) // 2 :]
        self.stand_ins, self._known = {}, {}
        for value, stand_in in kept:
            self._remember(value, stand_in)


def _ways(value: str, stand_in: str) -> set[tuple[str, str]]:
    """The ways in which a value may be written, in lower case, each with its stand-in written the same way."""
    lower = value.lower()
    return {
        (lower, stand_in),
        (quote(value, safe="").lower(), quote(stand_in, safe="")),
        (json.dumps(value)[1:-1].lower(), stand_in),
        (json.dumps(value, ensure_ascii=False)[1:-1].lower(), stand_in),
    }


def _bounded(text: str, start: int, end: int, offset: int) -> bool:
    """Whether a range is no part of a longer word; one whose longest word stands first (`offset` 0) starts with it."""
    if end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        return False
    if offset == 0 or start == 0 or not (text[start - 1].isalnum() and text[start].isalnum()):
        return True
    return _AFTER_ESCAPE.search(text[max(0, start - 8) : start]) is not None


def _telling(value: str) -> bool:
    """Whether a credential would be nothing else in another place; `dark` in a cookie is a word elsewhere."""
    return len(value) >= 20 or (len(value) >= 8 and any(character.isdigit() for character in value))


def _is_key(name: str) -> bool:
    return name.lower().replace("-", "_") in KEYS


def _below(paths: tuple[tuple[str, ...], ...], key: str) -> tuple[tuple[str, ...], ...]:
    return tuple(path[1:] for path in paths if path and path[0] in (key, "*"))
