"""The parts of a stream: where they were put together, what events they spell out, and where a value may go on."""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import json
import re
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_BREAK = re.compile(r"[\s\"'<>(){}\[\],;|]")


def joints_of(texts: list[str]) -> list[int]:
    """Where each text but the first begins in all of them together."""
    return list(accumulate(map(len, texts[:-1])))


def json_lines(whole: str) -> list[tuple[int, int, Any]]:
    """(start, end, event) of each line of a stream that holds a JSON object, as server-sent `data:` or alone."""
    if "{" not in whole:
        return []
    found: list[tuple[int, int, Any]] = []
    for match in re.finditer(r"(?m)^(?:data:[ ]?)?(\{.*\})[ \r]*$", whole):
        try:
            found.append((match.start(1), match.end(1), json.loads(match[1])))
        except (ValueError, RecursionError):
            continue
    return found


def texts_of(value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """(holder, key, path) of every text in an event; the elements of a list share one path."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in members:
        inner = f"{path}.{key}" if isinstance(value, dict) else f"{path}[]"
        if isinstance(item, str):
            yield value, key, inner
        else:
            yield from texts_of(item, inner)


def closed_joints(texts: Sequence[str]) -> list[int]:
    """The numbers of the parts before which no value without a break goes on: of these, one may be the first to wait.

    In a stream of events it is what the events spell out that goes on, not the events themselves.
    """
    whole, joints = "".join(texts), joints_of(list(texts))
    lines = json_lines(whole)
    if not lines:
        return [part for part, at in enumerate(joints, 1) if _breaks(whole[at - 1 : at], whole[at : at + 1])]
    spelled: dict[str, list[tuple[int, str]]] = {}
    for start, _, event in lines:
        for holder, key, path in texts_of(event, ""):
            if holder[key]:
                spelled.setdefault(path, []).append((bisect_right(joints, start), holder[key]))
    # What is the same in each event is a name or an id, and whole in each.
    going = [said for said in spelled.values() if len({text for _, text in said}) > 1]
    return [
        part
        for part, at in enumerate(joints, 1)
        if not any(start < at < end for start, end, _ in lines) and all(_parted(said, part) for said in going)
    ]


def _parted(said: Sequence[tuple[int, str]], part: int) -> bool:
    """Whether there is a break between what was said before a part and what is said from there on."""
    before = next((text for at, text in reversed(said) if at < part), "")
    after = next((text for at, text in said if at >= part), "")
    return not before or _breaks(before[-1:], after[:1])


def _breaks(left: str, right: str) -> bool:
    return _BREAK.match(left) is not None or _BREAK.match(right) is not None
