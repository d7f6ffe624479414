"""Redaction that keeps contamination visible: private values become stand-ins, the same wherever they appear.

A constant such as `[REDACTED]` would hide every leak. Here user A's token and its copy in user B's answer get one
stand-in, made with a key that never leaves the user's machine. `Redactor.event` works on one event at a time, so that a
recorder can call it before a byte reaches the disk; `stream_redaction` around it also finds what a stream cut in
pieces.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import base64
import binascii
import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from .identity import Claim, claims_of, places_of
from .parts import joints_of, json_lines, texts_of
from .personal import PERSONAL, checks_out
from .pseudonyms import MOST_REMEMBERED, Pseudonyms, claim_kind
from .redaction_key import key_id
from .redaction_rules import RedactionRules
from .secrets import STAND_IN, assigned_secrets, header_secrets, is_secret_header, is_secret_member, shaped_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .model import Json
    from .redaction_rules import Sought

SCHEME = "hmac-v1"
_KEPT = frozenset({"k", "t", "dt", "status", "v", "n", "end", "grade", "crc"})
_ROOTS = frozenset(
    {"json", "text", "message", "request", "in", "out", "path", "query", "session", "user", "id", "parent"}
)
"""Where the path of a rule begins."""
_ENVELOPE = frozenset({"name", "method", "source", "error", "ref", "cut_bytes"})
"""Members of an event that are the trace's own: no path of a rule leads there."""
_BASE64 = re.compile(r"(?<![A-Za-z0-9])(?:[A-Za-z0-9+/]{12,}|[A-Za-z0-9_-]{12,})={0,2}")
_WINDOW, _OVERLAP = 50_000, 1_000  # of a text that a user's pattern is tried on at once
_DEEPEST = 3
_OFTEN_SEEN = 80
"""Keys, header values and names come again and again; those without a secret are remembered, so many at most."""
_PLAIN_KEPT = 4_096
_OPEN_ENDED = frozenset({"key", "jwt", "token"})
"""Kinds of values whose shape allows more letters behind them."""
_SHORTEST = 3  # nothing shorter is ever remembered

Edit = tuple[int, int, str]


class Redactor:
    """Replaces what the rules name, and remembers it, so that it is replaced wherever it appears later.

    `counts` says how many replacements there were of each kind. With `most`, how many values are remembered.
    """

    def __init__(self, key: bytes, rules: RedactionRules | None = None, most: int = MOST_REMEMBERED) -> None:
        self.rules = RedactionRules() if rules is None else rules
        self.counts: Counter[str] = Counter()
        self.pseudonyms = Pseudonyms(key, most)
        self.key_id = key_id(key)
        self._depth = 0
        self._plain: dict[str, int] = {}
        self._met: set[Sought] = set()

    @property
    def unmet(self) -> list[str]:
        """The rules, as the user wrote them, that nothing matched so far."""
        return [text for text, sought in self.rules.asked if sought not in self._met]

    def event(self, event: dict[str, Json]) -> dict[str, Json]:
        """An event of a trace with stand-ins in it; the one given stays as it is."""
        kind = event.get("k", "req")
        if kind == "header":
            told = {"scheme": SCHEME, "key_id": self.key_id, "fields": self.rules.fields()}
            return {**event, "redaction": told}
        names = self._names(event) if kind == "req" else {}
        redacted: dict[str, Json] = {}
        for key, value in event.items():
            if key in _KEPT:
                redacted[key] = value
            elif key in ("session", "user") and str(value) in names:
                redacted[key] = names[str(value)]
            elif key == "claims":
                redacted[key] = self._claims(value, names)
            else:
                redacted[key] = self._part(key, value)
        return redacted

    def text(self, text: str) -> str:
        """A text with stand-ins in it."""
        if self._plain.get(text) == self.pseudonyms.version:
            return text
        edits = self.edits(text)
        return _edited(text, edits) if edits else text

    def edits(self, text: str, joints: Sequence[int] = ()) -> list[Edit]:
        """What to replace in a text: (start, end, stand-in), in order, none overlapping another.

        `joints` are the places at which the parts of a stream were put together.
        """
        if len(text) < _SHORTEST and not self.rules.patterns:
            return []
        pseudonyms = self.pseudonyms
        short = len(text) <= _OFTEN_SEEN
        if short and self._plain.get(text) == pseudonyms.version:
            return []
        done = [match.span() for match in STAND_IN.finditer(text)] if "_" in text else []
        spans: list[tuple[int, int, str]] = []
        for start, end, kind in self._parted(text, joints) if joints else self._shaped(text):
            if not _touches(start, end, done):
                pseudonyms.remember(text[start:end], kind)
                spans.append((start, end, text[start:end]))
        known = (span for span in pseudonyms.known_in(text) if not _touches(span[0], span[1], done))
        spans += (span for span in known if self._own_end(text, span[0], span[1], joints) is None)
        edits = [edit for edit in self._in_base64(text) if not _touches(edit[0], edit[1], spans)]
        for start, end, value in _united(spans):
            kind = pseudonyms.kind_of(value)
            edits.append((start, end, pseudonyms.stand_in(value, kind)))
            self.counts[kind] += 1
        if short and not edits and not self._depth:
            if len(self._plain) >= _PLAIN_KEPT:
                self._plain.clear()
            self._plain[text] = pseudonyms.version
        return sorted(edits)

    def chunks(self, texts: list[str]) -> list[str]:
        """The parts of one stream, in which a value may be cut anywhere; as many parts as before."""
        whole = "".join(texts)
        events = self._stream_edits(whole)
        return _spread(texts, self.edits(whole, joints_of(texts)) if events is None else events)

    def messages(self, texts: list[str]) -> list[str]:
        """Messages of a websocket, each a text of its own that is still to be redacted: here only what is surely one
        value cut over several of them is replaced, since an answer may be spelled out in messages too."""
        whole, joints = "".join(texts), joints_of(texts)
        pseudonyms = self.pseudonyms
        known = [(start, end) for start, end, _ in pseudonyms.known_in(whole)]
        spans = [(a, b, whole[a:b]) for a, b in known if _crosses(a, b, joints)]
        if self.rules.secrets:
            own = [
                (begin + start, begin + end, kind)
                for begin, text in zip((0, *joints), texts, strict=True)
                for start, end, kind in shaped_secrets(text)
            ]
            for start, end, kind in shaped_secrets(whole):
                if _crosses(start, end, joints) and not _touches(start, end, own) and not _touches(start, end, known):
                    pseudonyms.remember(whole[start:end], kind)
                    spans.append((start, end, whole[start:end]))
        return _spread(texts, [(a, b, self._stand_in(v, pseudonyms.kind_of(v))) for a, b, v in _united(spans)])

    # ---- events

    def _names(self, event: dict[str, Json]) -> dict[str, str]:
        """Stand-ins for the session and user that came out of a cookie or a token."""
        body = event.get("body")
        request = event.get("request") or {**event, **(body if isinstance(body, dict) else {})}
        recorded = event.get("claims")
        claims = [
            Claim(claim[0], str(claim[1]), str(claim[2]))
            for claim in (recorded if isinstance(recorded, list) else ())
            if isinstance(claim, list) and len(claim) == 3
        ] or claims_of(places_of(request))
        found: dict[str, str] = {}
        for claim in claims:
            where, _, name = claim.place.partition(":")
            header = {"cookie": "cookie", "jwt": "authorization", "header": name.lower()}.get(where, "")
            if header in self.rules.headers:
                kind = claim_kind(name, claim.value) if where == "jwt" else "cookie" if where == "cookie" else "token"
                found[claim.value] = self._stand_in(claim.value, kind)
        return found

    def _claims(self, value: Json, names: dict[str, str]) -> Json:
        if not isinstance(value, list):
            return self._json(value, ())
        return [
            [claim[0], names.get(str(claim[1])) or self.text(str(claim[1])), claim[2]]
            for claim in value
            if isinstance(claim, list) and len(claim) == 3
        ]

    def _part(self, key: str, value: Json) -> Json:
        """One member of an event, of its `request`, or of its `body`."""
        if key == "headers":
            return self._headers(value)
        if key == "b64" and isinstance(value, str):
            return self._decoded(value)
        if key == "body" and isinstance(value, dict):
            return {inner: self._part(inner, item) for inner, item in value.items()}
        if key == "request" and isinstance(value, dict) and {"headers", "path"} & value.keys():
            return {inner: self._part(inner, item) for inner, item in value.items()}
        if key in _ROOTS or key in _ENVELOPE:
            return self._json(value, ())
        return self._member(key, value, (key,))

    def _headers(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {str(name): self._header(str(name), text) for name, text in value.items()}
        if not isinstance(value, list):
            return self._json(value, ())
        pairs = (item if isinstance(item, list) else [item] for item in value)
        return [[p[0], self._header(str(p[0]), p[1])] if len(p) == 2 else self._json(p, ()) for p in pairs]

    def _header(self, name: str, value: Json) -> Json:
        if name.lower() in self.rules.headers:
            self._met.add(name.lower())
        if not self._is_secret_header(name) or not isinstance(value, str):
            return self._json(value, ())
        edits = [
            (start, end, self._stand_in(value[start:end], kind)) for start, end, kind in header_secrets(name, value)
        ]
        return _edited(value, edits)

    def _json(self, value: Json, path: tuple[str, ...]) -> Json:
        if isinstance(value, str):
            return value if self._plain.get(value) == self.pseudonyms.version else self._string(value, path)
        if isinstance(value, dict):
            return {self.text(key): self._member(key, item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._member("", item, (*path, str(index))) for index, item in enumerate(value)]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            text = self.text(str(value))
            return value if text == str(value) else text
        return value

    def _is_secret_header(self, name: str) -> bool:
        return name.lower() in self.rules.headers or (self.rules.secrets and is_secret_header(name))

    def _member(self, key: str, value: Json, path: tuple[str, ...]) -> Json:
        if self.rules.paths and (wanted := next((w for w in self.rules.paths if _on_path(path, w)), None)):
            self._met.add(wanted)
            return self._all_of(value)
        if isinstance(value, str) and self._is_secret_header(key):
            return self._header(key, value) if header_secrets(key, value) else self._string(value, path)
        holds = isinstance(value, (str, int)) and not isinstance(value, bool)
        if self.rules.secrets and holds and is_secret_member(key, str(value)):
            return self._stand_in(str(value), "secret") if value != "" else value
        return self._json(value, path)

    def _all_of(self, value: Json) -> Json:
        """Every text and number in what a rule's path points at."""
        if isinstance(value, dict):
            return {key: self._all_of(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._all_of(item) for item in value]
        if value is None or isinstance(value, bool) or value == "":
            return value
        return self._stand_in(str(value), "email" if PERSONAL["email"].fullmatch(str(value)) else "value")

    def _string(self, text: str, path: tuple[str, ...]) -> str:
        if text[:1] in ("{", "[") and self._depth < _DEEPEST:
            try:
                inner = json.loads(text)
            except (ValueError, RecursionError):
                return self.text(text)
            self._depth += 1
            changed = self._json(inner, path)
            self._depth -= 1
            return text if changed == inner else json.dumps(changed, ensure_ascii=False)
        return self.text(text)

    def _decoded(self, text: str) -> str:
        try:
            inner = base64.b64decode(text, validate=False).decode("utf-8")
        except (binascii.Error, ValueError):
            return text
        changed = self._string(inner, ())
        return text if changed == inner else base64.b64encode(changed.encode("utf-8", "surrogatepass")).decode("ascii")

    def _stand_in(self, value: str, kind: str) -> str:
        self.counts[kind] += 1
        return self.pseudonyms.stand_in(value, kind)

    # ---- texts

    def _shaped(self, text: str) -> Iterator[tuple[int, int, str]]:
        if self.rules.secrets:
            yield from shaped_secrets(text)
            yield from assigned_secrets(text)
        for kind in self.rules.kinds:
            for match in PERSONAL[kind].finditer(text):
                if checks_out(kind, match[0]):
                    self._met.add(f"kind:{kind}")
                    yield *match.span(), kind
        for pattern in self.rules.patterns:
            for begin in range(0, max(1, len(text) - _OVERLAP), _WINDOW):
                for match in pattern.finditer(text, begin, begin + _WINDOW + _OVERLAP):
                    if match[0]:
                        self._met.add(pattern)
                        yield *match.span(), "value"

    def _parted(self, text: str, joints: Sequence[int]) -> Iterator[tuple[int, int, str]]:
        """What is shaped like a secret in a stream; what followed one that reached too far is looked at once more."""
        for start, end, kind in self._shaped(text):
            own = self._own_end(text, start, end, joints)
            if own is None:
                yield start, end, kind
                continue
            yield start, own, kind
            rest = self._parted(text[own : end + _OVERLAP], [joint - own for joint in joints if joint > own])
            yield from ((own + first, own + last, what) for first, last, what in rest)

    def _own_end(self, text: str, start: int, end: int, joints: Sequence[int]) -> int | None:
        """Where a match ends that ran into the next part of a stream: a key that is known and ends with its part is
        over there, though the next word would do as a piece of a longer key."""
        inside = [joint for joint in joints if start < joint < end]
        known_kind = self.pseudonyms.known_kind
        return next((joint for joint in reversed(inside) if known_kind(text[start:joint]) in _OPEN_ENDED), None)

    def _in_base64(self, text: str) -> Iterator[Edit]:
        """Base64 of text that holds something to replace, encoded again."""
        if self._depth >= _DEEPEST or len(text) < 12:
            return
        for match in _BASE64.finditer(text):
            run = match[0]
            if len(run.rstrip("=")) % 4 == 1:
                continue
            url = "-" in run or "_" in run
            try:
                padded = run.rstrip("=") + "=" * (-len(run.rstrip("=")) % 4)
                raw = base64.b64decode(padded, altchars=b"-_" if url else None, validate=True)
                coding = "utf-8" if b"\0" not in raw else "utf-16-be" if raw[:1] == b"\0" else "utf-16-le"
                inner = raw.decode(coding)
            except (binascii.Error, ValueError):
                continue
            self._depth += 1
            changed = self._string(inner, ())
            self._depth -= 1
            if changed != inner:
                raw = changed.encode(coding, "surrogatepass")
                encoded = base64.b64encode(raw, b"-_" if url else None).decode("ascii")
                yield *match.span(), encoded if run.endswith("=") or len(run) % 4 == 0 else encoded.rstrip("=")

    def _stream_edits(self, whole: str) -> list[Edit] | None:
        """What to replace in a stream of events, each a JSON object on a line; None where it is another stream."""
        lines = json_lines(whole)
        if not lines:
            return None
        edits: list[Edit] = []
        members: dict[str, list[tuple[Any, Any, str]]] = {}
        events = [event for _, _, event in lines]
        before = [json.dumps(event) for event in events]
        for event in events:
            for holder, key, path in texts_of(event, ""):
                members.setdefault(path, []).append((holder, key, holder[key]))
        for parts in members.values():
            if len(parts) > 1:
                texts = [text for _, _, text in parts]
                changed = _spread(texts, self.edits("".join(texts), joints_of(texts)))
                for (holder, key, _), text in zip(parts, changed, strict=True):
                    holder[key] = text
        position = 0
        for (start, end, _), event, was in zip(lines, events, before, strict=True):
            edits += [(position + a, position + b, text) for a, b, text in self.edits(whole[position:start])]
            changed = self._json(event, ())
            if (text := json.dumps(changed)) != was:
                edits.append((start, end, text))
            position = end
        edits += [(position + a, position + b, text) for a, b, text in self.edits(whole[position:])]
        return edits


def _edited(text: str, edits: list[Edit]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end, stand_in in edits:
        pieces += (text[position:start], stand_in)
        position = end
    return "".join((*pieces, text[position:]))


def _crosses(start: int, end: int, joints: Sequence[int]) -> bool:
    return any(start < joint < end for joint in joints)


def _spread(texts: list[str], edits: list[Edit]) -> list[str]:
    """Edits of the joined texts, made in each: a stand-in goes where its value began."""
    out: list[str] = []
    position = 0
    for text in texts:
        end = position + len(text)
        own = [
            (max(a, position) - position, min(b, end) - position, stand_in if a >= position else "")
            for a, b, stand_in in edits
            if a < end and b > position
        ]
        out.append(_edited(text, own))
        position = end
    return out


def _united(spans: list[tuple[int, int, str]]) -> Iterator[tuple[int, int, str]]:
    """Spans that overlap become one, with the value of the longest: nothing of the others may stay."""
    spans.sort(key=lambda span: (span[0], -span[1]))
    start, end, value, longest = -1, -1, "", -1
    for a, b, text in spans:
        if a < end:
            end = max(end, b)
            if b - a > longest:
                value, longest = text, b - a
            continue
        if longest >= 0:
            yield start, end, value
        start, end, value, longest = a, b, text, b - a
    if longest >= 0:
        yield start, end, value


def _touches(start: int, end: int, spans: Sequence[tuple[Any, ...]]) -> bool:
    return any(start < span[1] and span[0] < end for span in spans)


def _on_path(path: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    return len(path) == len(wanted) and all(w in ("*", p) for p, w in zip(path, wanted, strict=True))
