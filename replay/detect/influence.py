"""Answers that differ from the solo run without anyone's data in them: counters, rate limits, conflict answers."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..report import Influence
from .values import ADDRESS, leaves, observations

Shape: TypeAlias = tuple[tuple[str, str], ...]
_DIGITS = re.compile(r"\d+")
_INDEX = re.compile(r"\[\d+\]")

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..run import Outcome


def differences(outcome: Outcome, alone: Outcome) -> dict[str, tuple[str, str]]:
    """The paths at which two answers to one request differ: path -> (alone, together)."""
    one, other = flat(alone), flat(outcome)
    return {
        path: (one.get(path, ""), other.get(path, ""))
        for path in dict.fromkeys((*one, *other))
        if one.get(path) != other.get(path) and _without_addresses(one, path) != _without_addresses(other, path)
    }


def _without_addresses(flat: dict[str, str], path: str) -> str | None:
    text = flat.get(path)
    return None if text is None else ADDRESS.sub("an address", text)


def influence(
    outcome: Outcome, alone: Outcome, unstable: frozenset[str], beside: frozenset[str] = frozenset()
) -> Influence | None:
    """The first difference at a path that two solo runs agree on, or None: of the answer, else of prompts and logs.

    Args:
        beside: places that are left out, see `element`.
    """
    found = [
        (path, texts)
        for path, texts in differences(outcome, alone).items()
        if not varies(path, unstable) and element(path) not in beside
    ]
    for path, (before, after) in sorted(found, key=lambda each: not is_answer(each[0])):
        return Influence(outcome.lane, outcome.request, path, before, after)
    return None


def varies(path: str, unstable: frozenset[str]) -> bool:
    """Whether a place differs by itself. Of a list whose order does, no element is compared: `body.found[]`."""
    return path in unstable or ("[" in path and element(path) in unstable)


def element(path: str) -> str:
    """A place in a list, whichever of its elements it is."""
    return _INDEX.sub("[]", path)


def is_answer(path: str) -> bool:
    """Whether a place is in the answer. A prompt or a log line is none; what it does to the answer shows there."""
    return not path.startswith(("log.", "upstream."))


def shape(outcome: Outcome, alone: Outcome) -> Shape:
    """How an answer differs, whatever the numbers in it are: one that counts has few shapes."""
    return tuple((path, _DIGITS.sub("#", after)) for path, (_, after) in differences(outcome, alone).items())


def flat(outcome: Outcome) -> dict[str, str]:
    """Every place in what was made for a request, with its text."""
    flat = {"error": outcome.error or "", "finished": "" if outcome.finished else "never answered"}
    flat["status"] = str(outcome.status)
    flat.update(leaves(outcome.body, "body"))
    flat.update(_decided(outcome.body, "body"))
    flat.update({f"headers.{name}": value for name, value in outcome.headers})
    flat.update(
        {f"upstream.{name}[]": f"called {n} times" for name, n in Counter(n for n, _ in outcome.upstream).items()}
    )
    flat.update({path: text for where, path, text in observations(outcome) if where in ("log", "upstream")})
    return flat


def _decided(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every truth value and null in a JSON value with its path. They are nobody's words, yet can tell of somebody."""
    if value is None or isinstance(value, bool):
        yield path, {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _decided(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _decided(item, f"{path}[{index}]")
