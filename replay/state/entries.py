"""Who uses which entries of a dict, while one execution runs: the accesses by key of each lane, and all that sees more.

The dict stays the object that it is, at its address. Only its class is another meanwhile, a subclass of the same layout
whose methods tell; so whoever holds it, by whatever name, is heard. What C code reads of a dict past the methods of its
class is not: which dicts come to no such code is said in `keyed_use`.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportIncompatibleMethodOverride=false, reportUnknownParameterType=false, reportMissingParameterType=false

from __future__ import annotations

import ctypes
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..schedule.actors import ACTOR
from ..schedule.reduction import IrreducibleError

if TYPE_CHECKING:
    from collections.abc import Callable

_KEYS: frozenset[type] = frozenset({str, int, bytes, bool, type(None)})
_MISSING: Any = object()
_TYPE_AT = object.__basicsize__ - ctypes.sizeof(ctypes.c_void_p)  # of what every object begins with, the last


@dataclass(slots=True)
class Uses:
    """What lanes did with one dict.

    Attributes:
        first: its content before.
        by_key: the lanes that have used each key, whether it was there or not.
        written: the keys that were set or deleted.
        whole: what has seen more of it than single entries, or cannot be told whose it is; "" where nothing has.
    """

    first: dict[Any, Any]
    by_key: dict[Any, set[str]] = field(default_factory=dict[Any, "set[str]"])
    written: set[Any] = field(default_factory=set[Any])
    whole: str = ""

    def of_key(self, key: Any, writes: bool) -> None:
        actor = ACTOR.get(None)
        if actor is None or actor.background or actor.name not in actor.loop.lanes:
            self.whole = self.whole or "an entry was used by no lane"
        elif not _is_plain_key(key):
            self.whole = self.whole or f"a {type(key).__name__} is a key"
        else:
            self.by_key.setdefault(key, set()).add(actor.name)
            if writes:
                self.written.add(key)

    def owned(self, now: dict[Any, Any]) -> dict[str, list[Any]]:
        """What stands in the dict now and did not at first, by the lane that alone uses the entry.

        Raises:
            IrreducibleError: lanes may have seen each other's entries.
        """
        if self.whole and self.written:
            raise IrreducibleError(self.whole)
        if any(len(self.by_key[key]) > 1 for key in self.written):
            raise IrreducibleError("two lanes use the same entry")
        owned: dict[str, list[Any]] = {}
        for key in {**self.first, **now}:
            value = now.get(key, _MISSING)
            if value is self.first.get(key, _MISSING):
                continue
            if key not in self.written:
                raise IrreducibleError("an entry was changed unseen")
            (lane,) = self.by_key[key]
            if value is not _MISSING:
                owned.setdefault(lane, []).append((key, value))
        return owned


def can_be_watched(thing: Any) -> bool:
    return _LAYOUT_IS_KNOWN and type(thing) in _WATCHING


class Watch:
    """Watches dicts from `begin` to `end`, of one execution."""

    def __init__(self, dicts: list[dict[Any, Any]]) -> None:
        self._dicts = dicts

    def begin(self) -> None:
        for thing in self._dicts:
            _uses[id(thing)] = Uses(dict(dict.items(thing)))
            _become(thing, _WATCHING[type(thing)])

    def now(self) -> list[tuple[Uses, dict[Any, Any]]]:
        """How each was used so far, and what it holds."""
        return [(_uses[id(thing)], dict(dict.items(thing))) for thing in self._dicts]

    def end(self) -> None:
        for thing in self._dicts:
            if _uses.pop(id(thing), None) is not None:
                _become_again(thing)


_uses: dict[int, Uses] = {}


def _is_plain_key(key: Any) -> bool:
    """Whether equality and hash are Python's own, so that equal keys are one key whoever asks."""
    return type(key) in _KEYS or (type(key) is tuple and all(map(_is_plain_key, key)))


def _become(thing: dict[Any, Any], cls: type) -> None:
    """What assigning `__class__` does between classes of one layout, which Python allows for its own classes alone."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(cls))
    ctypes.c_void_p.from_address(id(thing) + _TYPE_AT).value = id(cls)


def _become_again(thing: dict[Any, Any]) -> None:
    cls = type(thing)
    ctypes.c_void_p.from_address(id(thing) + _TYPE_AT).value = id(cls.__base__)
    ctypes.pythonapi.Py_DecRef(ctypes.py_object(cls))


def _by_key(base: type, name: str, writes: Callable[[Any, Any], bool]) -> Any:
    real = getattr(base, name)

    def used(self: Any, key: Any, *args: Any, **keywords: Any) -> Any:
        if (uses := _uses.get(id(self))) is not None:  # else it is a copy of one that is watched
            uses.of_key(key, writes(self, key))
        return real(self, key, *args, **keywords)

    return used


def _as_a_whole(base: type, name: str) -> Any:
    real = getattr(base, name)

    def seen(self: Any, *args: Any, **keywords: Any) -> Any:
        if (uses := _uses.get(id(self))) is not None:
            uses.whole = uses.whole or "a dict was looked at as a whole"
        return real(self, *args, **keywords)

    return seen


def _never(_: Any, __: Any) -> bool:
    return False


def _always(_: Any, __: Any) -> bool:
    return True


def _where_missing(self: Any, key: Any) -> bool:
    return not _is_plain_key(key) or not dict.__contains__(self, key)


def _where_present(self: Any, key: Any) -> bool:
    return not _is_plain_key(key) or dict.__contains__(self, key)


_BY_KEY: dict[str, Callable[[Any, Any], bool]] = {
    "__getitem__": _never,
    "__contains__": _never,
    "get": _never,
    "__setitem__": _always,
    "__delitem__": _always,
    "setdefault": _where_missing,
    "pop": _where_present,
}
# Whatever a class has, and neither the machinery of objects nor told by key.
_OF_OBJECTS = frozenset(
    {
        *("__new__", "__init__", "__class__", "__getattribute__", "__setattr__", "__delattr__", "__init_subclass__"),
        *("__subclasshook__", "__doc__", "__hash__", "__class_getitem__", "__dir__", "__missing__"),
    }
)


def _watching(base: type) -> type:
    members: dict[str, Any] = {"__slots__": ()}
    for name in dir(base):
        if name in _BY_KEY:
            members[name] = _by_key(base, name, _BY_KEY[name])
        elif name not in _OF_OBJECTS and callable(getattr(base, name)):
            members[name] = _as_a_whole(base, name)
    return type(base)(base.__name__, (base,), members)


_WATCHING: dict[type, type] = {base: _watching(base) for base in (dict, defaultdict)}


def _layout_is_known() -> bool:
    if sys.implementation.name != "cpython" or not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    probe: dict[Any, Any] = {}
    at = ctypes.c_void_p.from_address(id(probe) + _TYPE_AT).value
    return at == id(dict) and all(each.__basicsize__ == base.__basicsize__ for base, each in _WATCHING.items())


_LAYOUT_IS_KNOWN = _layout_is_known()
