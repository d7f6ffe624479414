"""What a stream of events spells out: a value may be cut over several of them, each a JSON object of its own.

This module imports the standard library alone: exported repro scripts carry it as it stands.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_events(text: str) -> bool:
    """Whether a text is a stream of server-sent events or of JSON lines."""
    return (
        text.startswith(("data:", "event:", "id:", ":", "retry:"))
        or "\ndata:" in text
        or (text[:1] == "{" and "}\n{" in text)
    )


def spelled(text: str, path: str) -> Iterator[tuple[str, str]]:
    """A stream of server-sent events or JSON lines: the same member of all of them as one text each."""
    members: dict[str, list[str]] = {}
    for line in text.splitlines():
        data = line.removeprefix("data:").strip() if line.startswith(("data:", "{")) else ""
        event = _opened(data)
        for at, part in _members(event, path) if event is not None else ((path, f"{data}\n"),):
            members.setdefault(at, []).append(part)
    for at, parts in members.items():
        yield at, "".join(parts)


def _members(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The texts and numbers of an event; the elements of a list share one path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _members(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _members(item, f"{path}[]")
    elif isinstance(value, str):
        yield path, value
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path, f"{value}\n"


def _opened(data: str) -> Any:
    if data[:1] not in ("{", "["):
        return None
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
