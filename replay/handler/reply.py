"""What one request observed, collected while the handler answers it.

Results are turned into plain JSON values without running any code of the program: no `__repr__`, no property, no
`__iter__` of its own classes.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import types
from collections import deque
from typing import Any

_DEPTH = 12
_DEPTH_OF_OBJECTS = 5  # an object reaches its library, and that reaches everything
_OBJECTS_OPENED = 5_000  # by many ways: those of an ORM are keys of each other's dicts


class Reply:
    """The answer so far. `on_chunk` is called with the text of each streamed part as it is sent; `gone` is what to call
    when the client goes away, None where that cancels the handler."""

    __slots__ = ("body", "chunks", "error", "finished", "gone", "headers", "on_chunk", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body: Any = None
        self.chunks: list[str] = []
        self.error: BaseException | None = None
        self.finished = False
        self.on_chunk: Any = None
        self.gone: Any = None

    def chunk(self, text: str) -> None:
        self.chunks.append(text)
        if self.on_chunk is not None:
            self.on_chunk(text)


def plain(value: Any, most_objects: int = _OBJECTS_OPENED) -> Any:
    """`value` as JSON can carry it. Objects become `{"<Class>": {attributes}}`, as long as they are no more than
    `most_objects`; bytes become text."""
    return _plain(value, 0, [most_objects])


def _plain(value: Any, depth: int, left: list[int]) -> Any:
    kind = type(value)
    if value is None or kind in (str, bool, int, float):
        return value
    if isinstance(value, (str, int, float)):  # subclasses, such as enumerations of strings
        return _unwrapped(value)
    if depth > _DEPTH:
        return "…"
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_key(k, depth, left): _plain(v, depth + 1, left) for k, v in dict.items(value)}
    if isinstance(value, (list, tuple, deque)):
        base: Any = list if isinstance(value, list) else tuple if isinstance(value, tuple) else deque
        return [_plain(item, depth + 1, left) for item in base.__iter__(value)]
    if isinstance(value, (set, frozenset)):
        kept: Any = set if isinstance(value, set) else frozenset
        return sorted((_plain(item, depth + 1, left) for item in kept.__iter__(value)), key=str)
    left[0] -= 1
    attributes = instance_attributes(value) if depth < _DEPTH_OF_OBJECTS and left[0] >= 0 else {}
    if attributes:
        return {f"<{kind.__name__}>": {name: _plain(v, depth + 1, left) for name, v in attributes.items()}}
    return f"<{kind.__name__}>"


def _unwrapped(value: Any) -> Any:
    """The plain value of an instance of a subclass of a builtin, by the builtin's own methods."""
    if isinstance(value, str):
        return str.__str__(value)
    return int(int.__repr__(value)) if isinstance(value, int) else float(float.__repr__(value))


def _key(key: Any, depth: int, left: list[int]) -> str:
    return key if type(key) is str else str(_plain(key, depth + 1, left))


def instance_attributes(value: Any) -> dict[str, Any]:
    """The attributes that an instance holds itself, in its `__dict__` and slots, read without running its code."""
    attributes: dict[str, Any] = {}
    for cls in type.__dict__["__mro__"].__get__(type(value)):
        if cls.__module__ == "builtins":
            continue  # a function's `__globals__` are no answer
        for name, member in type.__dict__["__dict__"].__get__(cls).items():
            if name == "__dict__" and isinstance(member, types.GetSetDescriptorType):
                attributes = {**attributes, **member.__get__(value)}
            elif isinstance(member, types.MemberDescriptorType):
                try:
                    attributes.setdefault(name, member.__get__(value))
                except AttributeError:  # an empty slot
                    continue
    return attributes
