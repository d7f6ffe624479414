"""Answers that differ from the solo run without anyone's data in them: counters, rate limits, conflict answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..report import Influence
from .values import ADDRESS, leaves, observations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..run import Outcome


def differences(outcome: Outcome, alone: Outcome) -> dict[str, tuple[str, str]]:
    """The paths at which two answers to one request differ: path -> (alone, together)."""
    one, other = _flat(alone), _flat(outcome)
    return {
        path: (one.get(path, ""), other.get(path, ""))
        for path in dict.fromkeys((*one, *other))
        if one.get(path) != other.get(path) and _without_addresses(one, path) != _without_addresses(other, path)
    }


def _without_addresses(flat: dict[str, str], path: str) -> str | None:
    text = flat.get(path)
    return None if text is None else ADDRESS.sub("an address", text)


def influence(outcome: Outcome, alone: Outcome, unstable: frozenset[str]) -> Influence | None:
    """The first difference at a path that two solo runs agree on, or None."""
    for path, (before, after) in differences(outcome, alone).items():
        # A prompt or a log line that differs is no answer; what it does to the answer shows there.
        if path not in unstable and not path.startswith(("log.", "upstream.")):
            return Influence(outcome.lane, outcome.request, path, before, after)
    return None


def _flat(outcome: Outcome) -> dict[str, str]:
    flat = {"error": outcome.error or "", "finished": "" if outcome.finished else "never answered"}
    flat["status"] = str(outcome.status)
    flat.update(leaves(outcome.body, "body"))
    flat.update(_decided(outcome.body, "body"))
    flat.update({f"headers.{name}": value for name, value in outcome.headers})
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
