"""Noninterference by self-composition: does what one lane observes depend on the content of another's requests?

Two executions follow the same schedule and differ only in what the source says (Barthe, D'Argenio and Rezk, "Secure
Information Flow by Self-Composition", CSFW 2004). Where the sink's answers differ too, something of that content
reached it, in whatever shape: a count, a hash, base64, a fragment. Neither version equals anything that the sink itself
sends, so that an answer shared because two users asked the same is no finding; and the source sends as many requests
in both, so that counters and rate limits are none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import TYPE_CHECKING

from .confirm import rewritten, stand_in, with_numbers
from .values import leaves

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..trace.lanes import Lane

# What says how an answer was made rather than what is in it.
OPERATIONAL_HEADERS = frozenset(
    {
        *("age", "date", "etag", "expires", "last-modified", "content-length", "server-timing", "via"),
        *("cache-status", "x-cache", "x-cache-hit", "x-cache-status", "cf-cache-status", "x-process-time"),
        *("x-response-time", "retry-after"),
    }
)
# Of such a header the number may well be counted in tokens, and so tell of what all have said.
_RATE_LIMIT = re.compile(r"rate-?limit")
_TEXT = re.compile(r"[^\W_]{3,}")
_WORD = re.compile(r"[^\W_]+")
_RENAMINGS = 7
# Not a part of a date, a time, a version, an address or a path.
_SHORT_NUMBER = re.compile(r"(?<![\w.,:/@#-])(?<!id=)\d{1,2}(?![\w:/@-]|[.,]\d)", re.ASCII)
_SHIFTS = (3, 6, 5, 8, 4, 7, 2, 1)
_BETWEEN_WORDS = re.compile(r"(?<=\w) (?=\w)")


def is_operational(path: str) -> bool:
    """Whether a place in an answer is a header that says how the answer was made."""
    header = path.removeprefix("headers.")
    return header != path and (header in OPERATIONAL_HEADERS or _RATE_LIMIT.search(header) is not None)


def numbered(lane: Lane) -> tuple[Lane, Lane]:
    """The lane twice, with other numbers in its requests: an amount, an age. What its texts say stays."""
    return with_numbers(lane, lambda number: 2 * number + 3), with_numbers(lane, lambda number: 3 * number + 7)


def figured(lane: Lane, taken: frozenset[str]) -> tuple[Lane, Lane]:
    """The lane twice, with other short numbers within its texts, of as many digits: "I am 42" as "I am 75". They are
    too short to be told from others' by themselves, so that no word need change for them to matter.

    Args:
        taken: short numbers of the others, which it must not get.
    """
    own = short_numbers(lane)

    def changed(times: int) -> Lane:
        return rewritten(lane, lambda text: _SHORT_NUMBER.sub(lambda match: _another(match.group(), times), text))

    free = (times for times in _SHIFTS if taken.isdisjoint(_another(number, times) for number in own))
    first, second = next(free, 0), next(free, 0)
    return changed(first), changed(second)


def short_numbers(lane: Lane) -> frozenset[str]:
    """The numbers of one or two digits that stand by themselves in its texts."""
    return frozenset(number for text in texts_of(lane) for number in _SHORT_NUMBER.findall(text))


def _another(number: str, times: int) -> str:
    """It never begins with a zero that was not there."""
    digits = [(int(digit) + times) % 10 for digit in number]
    if number[0] != "0":
        digits[0] = (int(number[0]) - 1 + times) % 9 + 1
    return "".join(map(str, digits))


def named(lane: Lane, names: frozenset[str], taken: frozenset[str]) -> tuple[Lane, Lane]:
    """The lane twice, under other names: its user, its session, and wherever its requests mention them.

    Args:
        names: tokens in lower case of its identities that are no other lane's.
        taken: tokens of the others, whose names it must not get.
    """

    def renamed(times: int) -> Lane:
        def change(text: str) -> str:
            return _WORD.sub(
                lambda match: again(match.group(), times if match.group().casefold() in names else 0), text
            )

        return rewritten(lane, change)

    free = (times for times in range(1, _RENAMINGS) if taken.isdisjoint(again(name, times) for name in names))
    first, second = next(free, 0), next(free, 0)
    return renamed(first), renamed(second)


def again(word: str, times: int) -> str:
    """The stand-in of the stand-in …, so many times."""
    for _ in range(times):
        word = stand_in(word)
    return word


def versions(lane: Lane, kept: frozenset[str]) -> tuple[Lane, Lane]:
    """The lane twice, with other content of its own: in the second it is also longer, and has more words.

    Args:
        kept: tokens in lower case that stay: identities, and the words that choose what the program does.
    """

    def changed(times: int, longer: bool) -> Lane:
        def change(text: str) -> str:
            def one(word: str) -> str:
                if word.casefold() in kept:
                    return word
                made = again(word, times)
                return made + made if longer else made

            made = _TEXT.sub(lambda match: one(match.group()), text)
            return _with_one_more(made, text, one) if longer else made

        return rewritten(lane, change)

    return changed(1, False), changed(2, True)


def _with_one_more(made: str, text: str, one: Callable[[str], str]) -> str:
    """A text of several words with one more of its new words, beside one of those that were changed."""
    new = next((one(word) for word in _TEXT.findall(text) if one(word) != word), "")
    at = made.find(new) if new else -1
    spaces = [match.end() for match in _BETWEEN_WORDS.finditer(made)]
    if at < 0 or not spaces:
        return made
    space = max((each for each in spaces if each <= at), default=spaces[0])
    return f"{made[:space]}{new} {made[space:]}"


def in_words(value: str, texts: Iterable[str], request: str) -> str:
    """How `value` is made of one of the source's texts, where that can be told; else ""."""
    for text in texts:
        for name, made in _derivations(text):
            if made and made in value:
                return f"it contains the {name} of {request}'s “{text[:60]}”"
    for piece in re.findall(r"[A-Za-z0-9+/_-]{12,}={0,2}", value):
        try:
            clear = base64.b64decode(piece + "=" * (-len(piece) % 4), altchars=b"-_").decode("utf-8")
        except (binascii.Error, ValueError):
            continue
        if any(text and text in clear for text in texts):
            return f"it contains base64 of {request}'s text"
    return ""


def _derivations(text: str) -> Iterator[tuple[str, str]]:
    raw = text.encode("utf-8", "surrogatepass")
    if len(text) >= 4:
        yield "reversal", text[::-1]
        yield "base64", base64.b64encode(raw).decode()
        yield "hexadecimal", raw.hex()
    for name in ("md5", "sha1", "sha256"):
        digest = hashlib.new(name, raw, usedforsecurity=False).hexdigest()
        yield name, digest
        yield f"start of the {name}", digest[:8]


def texts_of(lane: Lane) -> list[str]:
    """Everything that the lane sent, longest first, whole and in words."""
    found: dict[str, None] = {}
    for request in lane.requests:
        for text in (request.message or "", *(text for _, text in leaves(request.request, ""))):
            found.setdefault(text)
            for word in _TEXT.findall(text):
                found.setdefault(word)
    return sorted(filter(None, found), key=len, reverse=True)
