"""A value as a short text, in bounded time, without running any code of the program: no `__repr__`, no property.

It reads as Python would print it where that is plain data. Objects show their class and what they hold themselves, and
never where they lie in memory, so that the same run has the same texts. A class is asked for by `type`: `isinstance`
would look at `__class__`, which a program can make a property.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import types
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Any

from ..handler.reply import instance_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEPTH = 4
_PARTS = 60
_ACROSS = 12
_SET = 200
_BITS = 512
_PLAIN = (str, int, float, bytes, bytearray)
_SEQUENCES: tuple[tuple[Any, str, str], ...] = ((list, "[", "]"), (tuple, "(", ")"), (deque, "deque([", "])"))
_name_of: Any = type.__dict__["__name__"].__get__


def describe(value: Any, most: int = 200) -> str:
    """At most `most` characters."""
    text = _Description(most).of(value, 0)
    return text if len(text) <= most else text[: most - 1] + "…"


class _Description:
    """One description under way: how many parts may still be looked at."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = _PARTS

    def of(self, value: Any, depth: int) -> str:
        self._left -= 1
        cls = type(value)
        if value is None or cls is bool or value is Ellipsis:
            return repr(value)
        if issubclass(cls, _PLAIN):
            plain = self._plain(value, cls)
            return plain if cls in _PLAIN else f"{_name_of(cls)}({plain})"
        if self._left <= 0 or depth > _DEPTH:
            return "…"
        if issubclass(cls, dict):
            pairs = (f"{self.of(k, depth + 1)}: {self.of(v, depth + 1)}" for k, v in dict.items(value))
            return self._named(cls, dict, "{" + self._some(pairs, dict.__len__(value)) + "}")
        for base, begin, end in _SEQUENCES:
            if issubclass(cls, base):
                items = (self.of(item, depth + 1) for item in base.__iter__(value))
                count = base.__len__(value)
                lone = "," if base is tuple and count == 1 else ""
                return self._named(cls, base, begin + self._some(items, count) + lone + end)
        for kept in (set, frozenset):
            if issubclass(cls, kept):
                some = sorted(self.of(item, depth + 1) for item in islice(kept.__iter__(value), _SET))
                return self._named(cls, kept, "{" + self._some(some, kept.__len__(value)) + "}")
        return self._object(value, cls, depth)

    def _plain(self, value: Any, cls: type) -> str:
        if issubclass(cls, str):
            return repr(str.__getitem__(value, slice(self._most)))
        if issubclass(cls, (bytes, bytearray)):
            base: Any = bytes if issubclass(cls, bytes) else bytearray
            return repr(bytes(base.__getitem__(value, slice(self._most))))
        if issubclass(cls, int):
            bits = int.bit_length(value)
            return int.__repr__(value) if bits <= _BITS else f"<int of {bits} bits>"
        return float.__repr__(value)

    def _some(self, parts: Iterable[str], count: int) -> str:
        shown: list[str] = []
        for part in parts:
            shown.append(part)
            if len(shown) >= _ACROSS or self._left <= 0:
                break
        rest = count - len(shown)
        return ", ".join(shown) + (f"{', ' if shown else ''}… {rest} more" if rest > 0 else "")

    def _named(self, cls: type, base: type, text: str) -> str:
        return text if cls is base else f"{_name_of(cls)}({text})"

    def _object(self, value: Any, cls: type, depth: int) -> str:
        name = _name_of(cls)
        if cls in (types.FunctionType, types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType):
            return f"<{name} {value.__qualname__}>"
        if cls is types.ModuleType or issubclass(cls, type):
            inner = types.ModuleType.__getattribute__(value, "__name__") if cls is types.ModuleType else _name_of(value)
            return f"<{'module' if cls is types.ModuleType else 'class'} {inner}>"
        if cls is types.MethodType:
            return f"<method {self.of(value.__func__, depth + 1)}>"
        attributes = instance_attributes(value) if depth < _DEPTH else {}
        if not attributes:
            return f"<{name}>"
        held = (f"{key}={self.of(item, depth + 1)}" for key, item in attributes.items())
        return f"<{name} {self._some(held, len(attributes))}>"
