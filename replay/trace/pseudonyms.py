"""Values and their stand-ins: keyed, so that nobody can guess back, and the same wherever the value appears.

What was once seen as a secret is remembered, in memory only and only so many, and found again in every shape it may
stand in: in another case, escaped as in JSON, HTML or an address, with every character as a code, inside a longer text,
inside base64.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections import OrderedDict
from contextlib import suppress
from html.entities import codepoint2name
from importlib import import_module
from typing import Any, cast
from urllib.parse import quote, quote_plus

from .secrets import JWT_CLAIMS, STAND_IN, is_telling, jwt_claims, stands_free

MOST_REMEMBERED = 20_000
_FRESH = 64
_SHORTEST_ENCODED = 5  # what is shorter could be a piece of any number
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_HTML_NUMBERED: dict[int, str] = {code: f"&#{code};" for code in (*_HTML, *codepoint2name)}
_HTML_HEX: dict[int, str] = {code: f"&#x{code:x};" for code in _HTML_NUMBERED}
_HTML_NAMED: dict[int, str] = {39: "&#39;"} | {code: f"&{name};" for code, name in codepoint2name.items()}
_GROUPED = re.compile(r"(?:[a-z]{2}\d\d[a-z\d]{0,4}|\+?\(?\d+\)?)(?:[ .-]{1,2}\(?[a-z]{0,4}\d+\)?)*")
_BETWEEN = re.compile(r"[ .()-]+")


class Pseudonyms:
    """The stand-ins of one key, and the values that were seen so far.

    Attributes:
        version: goes up with every value that is looked for from then on.
    """

    def __init__(self, key: bytes, most: int = MOST_REMEMBERED) -> None:
        self._key = key
        self._most = most
        self._kinds: OrderedDict[str, str] = OrderedDict()
        self._values: dict[str, str] = {}
        self._fresh: dict[str, str] = {}
        self._shapes: dict[str, str] = {}
        self._encoded: set[str] = set()
        self._automaton: Any = None
        self._fresh_automaton: Any = None
        self._changed = False
        self._made: dict[tuple[str, str], str] = {}
        self.version = 0

    @property
    def kinds(self) -> dict[str, str]:
        """The kind of each value seen, by the value."""
        return {self._values[normal]: kind for normal, kind in self._kinds.items()}

    def stand_in(self, value: str, kind: str) -> str:
        """The stand-in of a value, which is remembered; a stand-in stands for itself."""
        made = self._made.get((value, kind))
        if made is None:
            made = self._make(value, kind)
            if len(self._made) >= MOST_REMEMBERED:
                self._made.clear()
            self._made[value, kind] = made
        elif (normal := _normal(value)) in self._kinds:
            self._kinds.move_to_end(normal)
        else:  # forgotten in the meantime
            self.remember(value, kind)
        return made

    def _make(self, value: str, kind: str) -> str:
        if STAND_IN.fullmatch(value) or STAND_IN.fullmatch(value.rpartition(".")[2]):
            return value
        kind = self.remember(value, kind)
        claims = jwt_claims(value) if kind == "jwt" else None
        token = self._token(value, kind)
        return token if claims is None else self._unsigned(claims, token)

    def remember(self, value: str, kind: str) -> str:
        """Note a value, to be found again; the kind that its stand-in has."""
        normal = _normal(value)
        known = self._kinds.get(normal)
        best = known or kind  # the first kind stays, so that one value has one stand-in
        if known is None:
            self._kinds[normal] = best
            self._values[normal] = value
            # What is short or ordinary is replaced where it stands, not wherever its letters do.
            if is_telling(value, kind):
                for shape in _shapes_of(value):
                    self._fresh[shape] = value
                encoded = _encodings_of(value)
                self._fresh |= dict.fromkeys(encoded, value)
                self._encoded.update(encoded)
                self._changed = True
                self.version += 1
        self._kinds.move_to_end(normal)
        if len(self._kinds) > self._most:
            oldest, _ = self._kinds.popitem(last=False)
            forgotten = self._values.pop(oldest)
            for shape in (*_shapes_of(forgotten), *_encodings_of(forgotten)):
                self._fresh.pop(shape, None)
                self._shapes.pop(shape, None)
                self._encoded.discard(shape)
        return best

    def known_in(self, text: str) -> list[tuple[int, int, str]]:
        """(start, end, value) of every remembered value in a text, in whatever shape; they may overlap."""
        if not self._kinds:
            return []
        lowered = lowercase(text)
        self._settle()
        found: list[tuple[int, int, str]] = []
        for automaton, shapes in ((self._automaton, self._shapes), (self._fresh_automaton, self._fresh)):
            if automaton is not None:
                for last, shape in automaton.iter(lowered):
                    value = shapes.get(shape)
                    if value is None:
                        continue
                    start, end = last - len(shape) + 1, last + 1
                    # In an encoded text a digit beside it belongs to the code of a neighbour.
                    if shape in self._encoded or stands_free(lowered, start, end, self.kind_of(value)):
                        found.append((start, end, value))
        return found

    def kind_of(self, value: str) -> str:
        return self._kinds.get(_normal(value), "value")

    def known_kind(self, value: str) -> str | None:
        """The kind of a value that was seen before, None where it was not."""
        return self._kinds.get(_normal(value))

    def _settle(self) -> None:
        """New values go into a small automaton at first: building the large one for each of them would be slow."""
        if not self._changed:
            return
        self._changed = False
        if len(self._fresh) >= max(_FRESH, len(self._shapes) // 20):
            self._shapes |= self._fresh
            self._fresh.clear()
            self._automaton = _automaton(self._shapes)
        self._fresh_automaton = _automaton(self._fresh)

    def _token(self, value: str, kind: str) -> str:
        digest = hmac.new(self._key, _normal(value).encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
        return f"{kind}_{base64.b32encode(digest).decode('ascii')[:12].lower()}"

    def _unsigned(self, claims: dict[str, Any], signature: str) -> str:
        """A token of the same form: who it names stays told, as stand-ins, and everything else is gone."""
        kept: dict[str, str] = {}
        for name in JWT_CLAIMS:
            told = claims.get(name)
            if isinstance(told, (str, int)) and not isinstance(told, bool):
                kept[name] = self.stand_in(str(told), claim_kind(name, str(told)))
        parts = ({"alg": "none", "typ": "JWT"}, kept)
        encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        return ".".join((*encoded, signature))


def _automaton(shapes: dict[str, str]) -> Any:
    """What finds any of the shapes in a text, None where there is none."""
    if not shapes:
        return None
    automaton: Any = cast("Any", import_module("ahocorasick")).Automaton()
    for shape in shapes:
        automaton.add_word(shape, shape)
    automaton.make_automaton()
    return automaton


def claim_kind(name: str, value: str) -> str:
    """What a claim of a JWT says: whom, or which session."""
    return "email" if "@" in value else "session" if name == "sid" else "user"


def lowercase(text: str) -> str:
    """In lower case, and just as long: a few characters would become two."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(small if len(small := character.lower()) == 1 else character for character in text)


def _normal(value: str) -> str:
    """One form for a value however it is written. Numbers that people write in groups lose the groups."""
    text = value.strip().lower()
    if _GROUPED.fullmatch(text):
        return _BETWEEN.sub("", text)
    return text


def _shapes_of(value: str) -> set[str]:
    escaped = json.dumps(value)[1:-1]
    shapes = {value, escaped, json.dumps(escaped)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    if value.translate(_HTML) != value or not value.isascii():
        shapes |= {value.translate(table) for table in (_HTML, _HTML_NUMBERED, _HTML_HEX, _HTML_NAMED)}
        shapes |= {value.translate(_HTML | {39: quoted}) for quoted in ("&#39;", "&#039;", "&apos;", "'")}
        shapes.add(value.translate(_HTML | {34: '"', 39: "'"}))
        with suppress(UnicodeEncodeError):
            shapes |= {shape.encode("ascii", "xmlcharrefreplace").decode("ascii") for shape in tuple(shapes)}
    with suppress(UnicodeEncodeError):  # a lone surrogate has no percent-encoding
        shapes |= {quote(value), quote(value, safe=""), quote_plus(value), quote(quote(value, safe=""), safe="")}
    return {lowercase(shape) for shape in shapes}


def _encodings_of(value: str) -> set[str]:
    """A value with every character written as a code, in lower case."""
    if len(value) < _SHORTEST_ENCODED:
        return set()
    raw = value.encode("utf-8", "surrogatepass")
    wide = value.encode("utf-16-be", "surrogatepass").hex()
    units = [wide[at : at + 4] for at in range(0, len(wide), 4)]
    lowered = lowercase(value).encode("utf-8", "surrogatepass")
    return {
        raw.hex(),
        lowered.hex(),
        "".join(f"\\u{unit}" for unit in units),
        "".join(f"\\\\u{unit}" for unit in units),
        "".join(f"\\x{byte:02x}" for byte in raw),
        "".join(f"%{byte:02x}" for byte in raw),
        "".join(f"&#{ord(character)};" for character in value),
        "".join(f"&#x{ord(character):x};" for character in value),
    }
