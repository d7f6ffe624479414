"""Whether a foreign value really came from the other lane, by changing that lane and looking again.

A value that the source sent is replaced by another of the same shape, and the same schedule is run again: if the sink
still shows the first one, it was never the source's (a phrase of the program that both happen to use). For a value
that the source only saw in its answers, the source is run alone under the sink's identity: what still stands in its
answer then is the program's own text and not the source's data (noninterference by self-composition, Barthe et al.,
CSFW 2004).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ..trace.header_text import on_the_wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..trace.lanes import Lane
    from ..trace.model import Request

_NAMING = re.compile(r"(?:^|_)(?:id|version|rev)$|Id$", re.ASCII)
_VOWELS, _CONSONANTS = "aeiou", "bcdfghjklmnpqrstvwxz"


def stand_in(token: str) -> str:
    """Another token of the same shape: digits stay digits, letters letters, everything else where it is."""
    made: list[str] = []
    for character in token:
        lower = character.lower()
        if character.isdigit():
            made.append(str((int(character) + 7) % 10) if character.isascii() else character)
        elif lower in _VOWELS:
            made.append(_VOWELS[(_VOWELS.index(lower) + 2) % 5])
        elif lower in _CONSONANTS:
            made.append(_CONSONANTS[(_CONSONANTS.index(lower) + 11) % len(_CONSONANTS)])
        elif character.isalpha():
            made.append(chr(ord(character) + 1))
        else:
            made.append(character)
        if character.isupper():
            made[-1] = made[-1].upper()
    return "".join(made)


def with_stand_ins(lane: Lane, tokens: Iterable[str]) -> Lane:
    """The lane with each of the tokens replaced throughout its requests, in whatever case they stand."""
    ordered = sorted(tokens, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(token) for token in ordered), re.IGNORECASE)

    def replaced(text: str) -> str:
        return pattern.sub(lambda match: stand_in(match.group()), text)

    return rewritten(lane, replaced)


def with_identity(lane: Lane, other: Lane) -> Lane:
    """The lane's requests, sent as if by the other's user and session."""
    first = other.requests[0]
    pairs: dict[str, str] = {}
    for request in lane.requests:
        pairs[request.session] = first.session
        if request.user is not None and first.user is not None:
            pairs[request.user] = first.user
    pairs = {on_the_wire(old): on_the_wire(new) for old, new in pairs.items()} | pairs
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(key)}(?!\w)" for key in sorted(pairs, key=len, reverse=True)))

    def replaced(text: str) -> str:
        return pattern.sub(lambda match: pairs[match.group()], text)

    return rewritten(lane, replaced)


def rewritten(lane: Lane, change: Callable[[str], str]) -> Lane:
    """The lane with `change` applied to every string value of its requests, and of what its LLM answered; keys stay."""
    return replace(lane, requests=tuple(_rewritten(request, change) for request in lane.requests))


def _rewritten(request: Request, change: Callable[[str], str]) -> Request:
    return replace(
        request,
        session=change(request.session),
        user=None if request.user is None else change(request.user),
        message=None if request.message is None else change(request.message),
        request=_in_values(request.request, change),
        answers=tuple(
            (name, _in_values(sent, change), _in_values(said, change)) for name, sent, said in request.answers
        ),
    )


def with_numbers(lane: Lane, change: Callable[[Any], Any]) -> Lane:
    """The lane with `change` applied to every number in its requests, but for those that are names of things."""

    def changed(value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: changed(item, name) for name, item in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, list):
            return [changed(item, key) for item in cast("list[Any]", value)]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return change(value) if number and not _NAMING.search(key) else value

    return replace(lane, requests=tuple(replace(r, request=changed(r.request, "")) for r in lane.requests))


def _in_values(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _in_values(item, change) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list):
        return [_in_values(item, change) for item in cast("list[Any]", value)]
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1000:
        changed = change(str(value))
        return int(changed) if changed.isdigit() else value
    return value
