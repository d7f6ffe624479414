"""Values and who owns them: the telling words in what a lane sent, and in what it was answered when alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .spelled import is_events, spelled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..run import Outcome
    from ..trace.model import Request

# A word, and compounds such as alice@example.com, ORD-1234 or O'Brien.
_TOKEN = re.compile(r"[^\W_]+(?:[-_.@+'’:/]+[^\W_]+)*")
_WORD = re.compile(r"[^\W_]+")
_LONG = 6
# `id()` and the default repr show where an object lies in memory, which moves with the size of everything before it:
# hexadecimal, or as a number in the ranges where Linux and macOS put a heap (0x55…, 0x7f…).
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{8,16}\b|\b(?:139[6-9]\d{11}|140[0-7]\d{11}|9[3-5]\d{12})\b")


def leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every string and number in a JSON value, and every key, with its path (`body.items[0].name`)."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            inner = f"{path}.{key}" if path else key
            yield inner, key
            yield from leaves(item, inner)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from leaves(item, f"{path}[{index}]")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, str(value)


def observations(outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    """Everything that was made for a request and leaves the program: (where, path, text)."""
    for path, text in leaves(outcome.body, "body"):
        yield "response", path, text
    if isinstance(outcome.body, str) and is_events(outcome.body):
        for path, text in spelled(outcome.body, "body"):
            yield "response", path, text
    for name, value in outcome.headers:
        if name not in ("content-length", "date"):
            yield "response", f"headers.{name}", value
    if outcome.error is not None:
        yield "exception", "error", outcome.error
    for index, (name, text) in enumerate(outcome.logs):
        yield "log", f"log.{name}[{index}]", text
    for index, (name, sent) in enumerate(outcome.upstream):
        for path, text in leaves(sent, f"upstream.{name}[{index}]"):
            yield "upstream", path, text


def tokens(text: str) -> set[str]:
    """The words of a text of two characters or more, and their compounds, in lower case."""
    # A long answer says most of its words many times: only what differs is looked at one by one.
    found = set(map(str.casefold, set(_TOKEN.findall(text))))
    for token in list(found):
        if not (token.isascii() and token.isalnum()):
            found.update(_WORD.findall(token))
    return {token for token in found if len(token) > 1}


def is_telling(token: str) -> bool:
    """Whether a token is long enough not to stand in two answers by chance: four digits, three letters, or two of
    another script. What a lane sent may be shorter, because changing it proves where it came from."""
    if ADDRESS.fullmatch(token):
        return False
    if token.isdigit():
        return len(token) >= 4
    return len(token) >= (3 if token.isascii() else 2)


@dataclass(frozen=True, slots=True)
class Material:
    """What one lane owns.

    Attributes:
        sent: tokens of its requests. `seen`: tokens of what it was answered alone.
        texts: all of it, for showing evidence in its context.
    """

    sent: frozenset[str]
    seen: frozenset[str]
    texts: tuple[str, ...]

    @property
    def all(self) -> frozenset[str]:
        return self.sent | self.seen

    @property
    def telling(self) -> frozenset[str]:
        """What can be evidence when it turns up elsewhere."""
        return self.sent | frozenset(filter(is_telling, self.seen))


def material_of(requests: Iterable[Request], alone: Iterable[Outcome]) -> Material:
    """What a lane owns, given its requests and the outcomes of its solo runs."""
    sent_texts: list[str] = []
    for request in requests:
        sent_texts += [request.session, request.user or "", request.message or ""]
        sent_texts += [text for _, text in leaves(request.request, "")]
        # What its own LLM said to it is its content too, and is changed with it to make sure.
        sent_texts += [text for _, _, answered in request.answers for _, text in leaves(answered, "")]
    seen_texts = [text for outcome in alone for _, _, text in observations(outcome)]
    seen_texts += ["".join(outcome.chunks) for outcome in alone]
    sent = frozenset[str]().union(*map(tokens, dict.fromkeys(sent_texts)))
    seen = frozenset[str]().union(*map(tokens, dict.fromkeys(seen_texts)))
    return Material(sent, seen, tuple(dict.fromkeys(text for text in (*sent_texts, *seen_texts) if text)))


def foreign_tokens(text: str, private: frozenset[str]) -> set[str]:
    """Which of the private tokens stand in `text`: as words, and long ones also inside other words."""
    found = tokens(text) & private
    folded = text.casefold()
    found.update(token for token in private if len(token) >= _LONG and token not in found and token in folded)
    return found


def phrase_around(text: str, found: tuple[str, ...], sources: tuple[str, ...]) -> str:
    """The evidence as a reader wants it: the longest piece of `text` around the first token of `found` that stands in
    one of `sources` too, from the first to the last foreign token in it."""
    token = found[0]
    start = text.casefold().find(token)
    if start < 0 or len(text.casefold()) != len(text):
        return token
    end = start + len(token)
    best = (start, end)
    for source in sources:
        at = source.find(text[start:end])
        while at >= 0:
            left, right = 0, end - start
            while left < min(start, at) and text[start - left - 1] == source[at - left - 1]:
                left += 1
            while start + right < len(text) and at + right < len(source) and text[start + right] == source[at + right]:
                right += 1
            if left + right > best[1] - best[0]:
                best = (start - left, start + right)
            at = source.find(text[start:end], at + 1)
    piece = text[best[0] : best[1]]
    spans = [(i, i + len(t)) for t in found if (i := piece.casefold().find(t)) >= 0]
    spans += [(i, i + len(t)) for t in found if (i := piece.casefold().rfind(t)) >= 0]
    return piece[min(a for a, _ in spans) : max(b for _, b in spans)] if spans else token
