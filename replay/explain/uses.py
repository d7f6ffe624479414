"""Whether a source line uses the carrier, seen from the names in its code: by name, by identity, by what holds it."""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextvars
import dis
import gc
import types
from typing import TYPE_CHECKING, Any

from ..state import inside_c
from .places import LOCAL, MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, FrameType

    from ..state.graph import StateGraph
    from .places import Place

_PLAIN = (str, bytes, int, float, bool, type(None))
_ASKS_DATABASE = frozenset({"execute", "executemany", "executescript", "fetchone", "fetchmany", "fetchall"})
_DATABASE = "SQLite format 3"
_BY_TEXT = frozenset({"getattr", "hasattr", "setattr", "delattr", "vars", "globals"})
_CALLS = {
    "environ": frozenset({"environ", "getenv"}),
    "file": frozenset({"open", "read", "readline", "readlines", "read_text", "read_bytes", "load"}),
    "directory": frozenset({"chdir", "getcwd", "abspath", "cwd", "open"}),
}


class Uses:
    """Whether a source line uses the carrier: by name where it is a name, by identity where it is an object."""

    def __init__(self, graph: StateGraph, carrier: Place) -> None:
        node = carrier.node_in(graph)
        # What is outside Python's own objects is used by whoever calls what reaches it.
        self._calls = _CALLS.get(node.form, frozenset[str]())
        self._asks = _ASKS_DATABASE if node.form == "database" else frozenset[str]()
        self._file = (lambda: carrier.value(graph)) if node.form == "file" else None
        self._namespace = vars(node.target) if node.form == "namespace" else None
        self._key = key = None if carrier.is_entry else carrier.key
        named = node.form != "cache" and node.name[-1:] not in ")]" and not carrier.is_entry
        self._frame = node.target if node.form == LOCAL else None
        self._attribute = key or (node.name.rpartition(".")[2] if named else None)
        if self._frame is not None:
            self._attribute = None
        # A cache is not read by naming it: its hits tell.
        self._object = node.target if carrier.key is None and node.form != "cache" else MISSING
        if self._frame is not None and type(now := carrier.value(graph)) not in _PLAIN:
            self._object = now
        self._now = (lambda: carrier.value(graph)) if carrier.is_entry else None
        self._cell = self._attribute if node.form == "cell" else None
        # A default argument goes by the name of its parameter: `handle(history=…)`.
        self._parameter = node.name.partition("(")[2].partition("=")[0] if node.name.endswith("=…)") else None
        # What stands in a container is asked for by its key: `app["state"]`, `request.app["state"]`.
        container, self._item = _as_item(node.name) if carrier.key is None else ("", None)
        held_in = {id(n.target): n.target for n in graph.nodes if n.name == container} if self._item else {}
        if carrier.is_entry:
            container, self._item, held_in = node.name, carrier.key, {id(node.target): node.target}
        self._container = container.rpartition(".")[2]
        self._containers: dict[int, Any] = held_in
        # What one of Python's own classes keeps inside is used by the lines that use the object.
        self._holders = {
            id(n.target): n.target
            for n in graph.nodes
            if n.form == "attributes" and node.name.startswith(f"{n.name}.") and _keeps_inside(type(n.target))
        }
        # So may be what an object of any other class that is not the user's keeps, where no line names it nearer.
        self._keepers = {
            id(n.target): n.target
            for n in graph.nodes
            if node.name.startswith((f"{n.name}.", f"{n.name}[")) or (n.name == node.name and key is not None)
            if not isinstance(n.target, type) and _is_foreign(type(n.target), graph)
        }
        self._names: dict[CodeType, dict[int, list[tuple[str, str]]]] = {}

    def on_line(self, frame: FrameType) -> str:
        """`name`, `alias`, or "" where the line does not use it."""
        lines = self._names.get(frame.f_code)
        if lines is None:
            lines = self._names[frame.f_code] = _names_by_line(frame.f_code)
        found = {self._match(how, name, frame) for how, name in lines.get(frame.f_lineno, ())}
        if "alias" in found and any(name in self._asks for _, name in lines[frame.f_lineno]):
            return "name"
        if ("constant", self._attribute) in lines.get(frame.f_lineno, ()) and self._asks_by_text(frame, lines):
            return "name"
        if self._item is not None and self._asks_by_key(frame, lines.get(frame.f_lineno, ())):
            return "name"
        return "name" if "name" in found else "alias" if "alias" in found else ""

    def _asks_by_key(self, frame: FrameType, used: Iterable[tuple[str, str]]) -> bool:
        """Whether the line names both the container and, as a text or by a variable that is it, the key; and does more
        than to put something there."""
        container = key = False
        if _STORES in used:
            return False
        for how, name in used:
            if how == "constant":
                key = key or name == self._item
            elif how == "attribute":
                container = container or name == self._container
            else:
                value = (frame.f_globals if how == "global" else frame.f_locals).get(name)
                key = key or (type(value) is str and value == self._item)
                container = container or id(value) in self._containers
        return container and key

    def _asks_by_text(self, frame: FrameType, lines: dict[int, list[tuple[str, str]]]) -> bool:
        return any(how == "global" and name in _BY_TEXT for how, name in lines[frame.f_lineno])

    def _match(self, how: str, name: str, frame: FrameType) -> str:
        if how == "constant":
            return ""
        if name in self._calls or (name in _ASKS_DATABASE and self._is_database()):
            return "name"
        if how == "attribute":
            return "name" if name == self._attribute else ""
        if how == "cell" and name == self._cell:
            return "name"
        if how == "global":
            if self._namespace is not None and frame.f_globals is self._namespace and name == self._key:
                return "name"
            value = frame.f_globals.get(name)
            if self._is_object(value) or id(value) in self._holders:
                return "name"
            return "alias" if id(value) in self._keepers else ""
        if frame is self._frame and name == self._key:
            return "name"
        value = frame.f_locals.get(name)
        if how == "local" and id(value) in self._holders:
            return "name"
        if self._is_object(value):
            return "name" if name == self._parameter else "alias"
        return "alias" if id(value) in self._keepers else ""

    def _is_database(self) -> bool:
        """Whether it is a file that has by now become one."""
        return self._file is not None and str(self._file()).startswith(_DATABASE)

    def _is_object(self, value: Any) -> bool:
        value = _behind(value)
        if self._now is not None:
            # Two names of one text say nothing; two of one list do.
            return type(value) not in _PLAIN and value is self._now()
        return self._object is not MISSING and value is self._object


def _keeps_inside(cls: type) -> bool:
    """Whether code of the standard library reaches what an instance holds."""
    bases = type.__dict__["__mro__"].__get__(cls)
    return any(base.__module__ in ("collections", "queue", "weakref") for base in bases)


def _is_foreign(cls: type, graph: StateGraph) -> bool:
    """Whether an instance is of a class of Python's library or another, or of a user's that is made from such a one."""
    bases = type.__dict__["__mro__"].__get__(cls)
    return any(base.__module__ != "builtins" and base.__module__ not in graph.user_modules for base in bases)


def _behind(value: Any) -> Any:
    """What a view or a variable's default gives to see; else the value itself."""
    if type(value) is memoryview:
        return value.obj
    if type(value) is types.MappingProxyType:
        return next(iter(gc.get_referents(value)), value)
    return inside_c.default_of(value) if type(value) is contextvars.ContextVar else value


def _as_item(name: str) -> tuple[str, str | None]:
    """A name that ends with a text as key, `app.store['a']`, taken apart; else no key."""
    container, begin, key = name.rpartition("['")
    if not begin or not key.endswith("']") or "\\" in key or "'" in key[:-2]:
        return "", None
    return container, key[:-2]


_OPERATIONS = {
    "LOAD_GLOBAL": "global",
    "LOAD_NAME": "global",
    "LOAD_DEREF": "cell",
    "LOAD_ATTR": "attribute",
    "LOAD_METHOD": "attribute",
    "LOAD_SUPER_ATTR": "attribute",
}


_STORES = ("stores", "")
_TAKES = ("CALL", "BINARY_SUBSCR", "BINARY_OP", "CONTAINS_OP")


def _names_by_line(code: CodeType) -> dict[int, list[tuple[str, str]]]:
    """What each line names, and how. `_STORES` is among it where the line only puts something under a key."""
    lines: dict[int, list[tuple[str, str]]] = {}
    storing: set[int] = set()
    taking: set[int] = set()
    for instruction in dis.get_instructions(code):
        position = instruction.positions.lineno if instruction.positions is not None else None
        if position is None:
            continue
        if instruction.opname == "STORE_SUBSCR":
            storing.add(position)
        elif instruction.opname.startswith(_TAKES):
            taking.add(position)
        how = _OPERATIONS.get(instruction.opname)
        if how is None and "LOAD_FAST" in instruction.opname:
            how = "local"  # 3.13 fuses several loads into one, whose argument is a tuple of names
        if instruction.opname == "LOAD_CONST" and type(instruction.argval) is str:
            how = "constant"
        if how is not None:
            names: Any = instruction.argval
            for name in names if isinstance(names, tuple) else (names,):
                lines.setdefault(position, []).append((how, str(name)))
    for position in storing - taking:
        lines.setdefault(position, []).append(_STORES)
    return lines
