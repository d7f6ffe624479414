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

from .confirm import rewritten, stand_in
from .values import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..trace.lanes import Lane

# What says how an answer was made rather than what is in it.
OPERATIONAL_HEADERS = frozenset(
    {
        *("age", "date", "etag", "expires", "last-modified", "content-length", "server-timing", "via"),
        *("cache-status", "x-cache", "x-cache-hit", "x-cache-status", "cf-cache-status", "x-process-time"),
        *("x-response-time", "retry-after"),
    }
)
_TEXT = re.compile(r"[^\W_]{3,}")


def versions(lane: Lane, kept: frozenset[str]) -> tuple[Lane, Lane]:
    """The lane twice, with other content of its own: in the second it is also longer.

    Args:
        kept: tokens in lower case that stay: identities, and the words that choose what the program does.
    """

    def changed(times: int, longer: bool) -> Lane:
        def change(text: str) -> str:
            def one(word: str) -> str:
                if word.casefold() in kept:
                    return word
                for _ in range(times):
                    word = stand_in(word)
                return word + word if longer else word

            return _TEXT.sub(lambda match: one(match.group()), text)

        return rewritten(lane, change)

    return changed(1, False), changed(2, True)


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
