"""Which values of a recorded text can be told apart from chance, when nothing can be executed to make sure.

Replaying proves where a word came from; recorded traffic cannot. So only values count that do not come up by
themselves: addresses and ids, long numbers, names by which people introduce themselves, and runs of several words. A
single capitalised word is a hint, which counts only together with others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPOUND = re.compile(r"[^\W_]+(?:[-_.@+'’:/]+[^\W_]+)*")
_EMAIL = re.compile(r"[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+\Z")
_INTRODUCED = re.compile(
    r"\b(?:my name(?: is|'s|’s)|call me|i am called|mein name ist|ich hei(?:ß|ss)e|je m'appelle|me llamo)\s+"
    r"([^\W\d_][\w'’-]+(?:\s+[A-Z][\w'’-]+)?)",
    re.IGNORECASE,
)
_PROPER = re.compile(r"(?<=[a-z,;:] )[A-Z][a-z]{3,}(?:[-'’][A-Za-z]+)*")
_STAND_IN = re.compile(r"(?:secret|card)_[a-z2-7]{12}")
_DATED = re.compile(r"\d{4}-\d\d(?:-\d\d)?(?:t[\d:.]*)?z?|\d{1,2}[:/.]\d\d(?:[:/.]\d{2,4})?|v?\d+(?:\.\d+)+")
_RUN = 5
"""Words in a row that make a phrase. Of a longer text, each fifth word begins one: nine words in a row hold one."""

SECRET, PHRASE, ID, NUMBER, NAME, HINT = 10, 9, 8, 6, 6, 2
"""How telling a value is, by its kind; findings are ranked by it, and `HINT` counts only beside another."""
KINDS = {10: "address or credential", 9: "phrase", 8: "id", 6: "number or name", 2: "word"}


def values(text: str) -> Iterator[tuple[str, int]]:
    """The telling values of a text that a user sent, in lower case, each with its weight."""
    if len(text) > 200_000:
        text = text[:200_000]
    yield from strong(text)
    for match in _INTRODUCED.finditer(text):
        yield match[1].lower(), NAME
    for match in _PROPER.finditer(text):
        yield match[0].lower(), HINT
    yield from _phrases(text.lower())


def strong(text: str) -> Iterator[tuple[str, int]]:
    """Addresses, ids and long numbers; also what makes a value telling that no request holds."""
    lower = (unquote(text) if "%" in text else text).lower()
    for match in _STAND_IN.finditer(lower):
        yield match[0], SECRET
    for match in _COMPOUND.finditer(lower):
        token = match[0]
        weight = weight_of(token)
        if weight:
            yield token, weight
        if len(token) > 12 and ("/" in token or ":" in token):  # an id in a path or behind a label
            for piece in re.split(r"[/:]+", token):
                weight = weight_of(piece)
                if weight and piece != token:
                    yield piece, weight


def weight_of(token: str) -> int:
    """How telling one token is by its shape, 0 where it is an ordinary word."""
    if "@" in token and _EMAIL.match(token):
        return SECRET
    if not any(character.isdigit() for character in token):
        return 0
    if _DATED.fullmatch(token):
        return 0
    bare = re.sub(r"[\W_]", "", token)
    if bare.isdigit():
        return NUMBER if 6 <= len(bare) <= 40 else 0
    digits = sum(character.isdigit() for character in bare)
    return ID if (len(bare) >= 6 and digits >= 2) or len(bare) >= 10 else 0


def named(name: str) -> int:
    """The weight of a session's or user's own name."""
    lower = name.lower()
    if lower in _EVERYBODY or len(name) < 3:
        return 0
    return weight_of(lower) or (NAME if len(name) >= 4 or not name.isdigit() else 0)


_EVERYBODY = frozenset(
    [
        "user",
        "users",
        "admin",
        "test",
        "guest",
        "default",
        "anonymous",
        "anon",
        "demo",
        "root",
        "system",
        "none",
        "null",
        "unknown",
        "session",
        "main",
        "bot",
        "agent",
        "assistant",
        "client",
        "customer",
        "me",
        "you",
    ]
)


def _phrases(lower: str) -> Iterator[tuple[str, int]]:
    words = lower.split()
    if len(words) < _RUN:
        phrase = " ".join(words)
        if len(words) >= 4 and len(phrase) >= 16:
            yield phrase, PHRASE
        return
    for start in range(0, len(words) - _RUN + 1, _RUN):
        phrase = " ".join(words[start : start + _RUN])
        if len(phrase) >= 16:
            yield phrase, PHRASE
