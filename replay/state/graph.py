"""The mutable state that a program's modules reach, as a list of nodes, each with a name its author would use.

Objects are looked at through the base types' own methods and descriptors: no `__repr__`, property, `__eq__` or
`__getattr__` of the program runs. Whatever cannot be put back to its first content (a library's object, a C iterator,
an open file) is listed in `unproven`, and then a fork keeps executions apart instead.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextvars
import enum
import functools
import logging
import random
import sys
import threading
import types
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..schedule.primitives import CooperativeLock
from . import content

if TYPE_CHECKING:
    from .files import UserFiles

MAX_NODES = 50_000
_CACHE = type(functools.lru_cache(lambda: None))

_ATOMS: frozenset[type] = frozenset(
    {
        *(type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), type(NotImplemented)),
        *(types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType),
        *(types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType),
        *(types.CodeType, types.MethodWrapperType, types.GenericAlias, types.UnionType, types.MappingProxyType),
    }
)
# Types whose instances hold nothing that belongs to a user: patterns, dates, locks, loggers, annotations.
_INERT_MODULES = frozenset(
    {
        *("re", "datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo", "logging", "_thread", "typing"),
        *(
            "abc",
            "_abc",
            "ipaddress",
            "string",
            "inspect",
            "weakref",
            "importlib",
            "__future__",
            "operator",
            "_operator",
        ),
    }
)


@dataclass(slots=True)
class Node:
    """One mutable thing.

    Attributes:
        name: the path to it from a name in the source: `app.agent.memory.messages`.
        kind: in words: `module global`, `class attribute`, `default argument`, …
        form: how its content is read and written, see `content`.
        target: the object.
        owner: the qualified name of the function or class it is defined in, for finding its line; "" for modules.
        file: the source file of the module it was reached from.
    """

    name: str
    kind: str
    form: str
    target: Any
    owner: str
    file: str


class StateGraph:
    """All state reachable from the user's modules, as it was when the graph was made."""

    def __init__(self, files: UserFiles) -> None:
        self.files = files
        self.nodes: list[Node] = []
        self.unproven: list[str] = []
        self._seen: dict[int, Any] = {}
        self._queue: deque[tuple[Any, str, str, str, str]] = deque()
        self._user_modules = {
            name: module
            for name, module in list(sys.modules.items())
            if isinstance(file := getattr(module, "__file__", None), str) and file in files
        }
        for name, module in self._user_modules.items():
            self._module(name, module)
        while self._queue and len(self.nodes) < MAX_NODES:
            self._visit(*self._queue.popleft())
        if self._queue:
            self.unproven.append(f"more than {MAX_NODES} objects of state")
        self._first = [content.read(node.form, node.target) for node in self.nodes]

    def restore(self) -> None:
        """Put everything back to what it was when the graph was made."""
        for node, first in zip(self.nodes, self._first, strict=True):
            content.write(node.form, node.target, first)

    def first(self, index: int) -> Any:
        """The content of `nodes[index]` when the graph was made."""
        return self._first[index]

    def changed(self) -> list[int]:
        """Which nodes differ now from when the graph was made, by identity of their members."""
        return [
            index
            for index, node in enumerate(self.nodes)
            if not content.same(content.read(node.form, node.target), self._first[index])
        ]

    # ---- walking

    def _add(self, name: str, kind: str, form: str, target: Any, owner: str, file: str) -> None:
        self.nodes.append(Node(name, kind, form, target, owner, file))

    def _later(self, value: Any, name: str, kind: str, owner: str, file: str) -> None:
        if type(value) not in _ATOMS and id(value) not in self._seen:
            self._seen[id(value)] = value
            self._queue.append((value, name, kind, owner, file))

    def _module(self, name: str, module: types.ModuleType) -> None:
        file = module.__file__ or ""
        self._seen[id(module)] = module
        short = name.removeprefix("__main__.")
        self._add(short, "module global", "namespace", module, "", file)
        for key, value in vars(module).items():
            if not (key.startswith("__") and key.endswith("__")):
                self._later(value, f"{short}.{key}", "module global", "", file)

    def _visit(self, value: Any, name: str, kind: str, owner: str, file: str) -> None:
        cls = type(value)
        if isinstance(value, types.ModuleType):
            self._library(getattr(value, "__name__", ""), name)
        elif isinstance(value, type):
            self._class(value, name, file)
        elif isinstance(value, types.FunctionType):
            self._function(value, name)
        elif isinstance(value, (types.MethodType, staticmethod, classmethod)):
            self._later(value.__func__, name, kind, owner, file)
            if isinstance(value, types.MethodType):
                self._later(value.__self__, name, kind, owner, file)
        elif cls is property:
            for part in (value.fget, value.fset, value.fdel):
                self._later(part, name, kind, owner, file)
        elif cls is functools.partial:
            for part in (value.func, value.args, value.keywords):
                self._later(part, name, kind, owner, file)
        elif cls is _CACHE:
            wrapped: Any = value.__wrapped__
            self._add(name, "functools cache", "cache", value, getattr(wrapped, "__qualname__", owner), file)
            if value.cache_info().currsize:
                self.unproven.append(f"{name} is a cache that was filled during import")
            self._later(value.__wrapped__, name, kind, owner, file)
        elif cls is contextvars.ContextVar:
            # In an empty context only the default can be what `get` returns.
            try:
                self._later(contextvars.Context().run(value.get), f"{name}.default", "ContextVar default", owner, file)
            except LookupError:
                return
        elif cls is CooperativeLock:
            self._add(name, kind, "lock", value, owner, file)
        elif cls is random.Random:
            self._add(name, kind, "random", value, owner, file)
        elif isinstance(value, (tuple, frozenset)):
            base: Any = tuple if isinstance(value, tuple) else frozenset
            for index, item in enumerate(base.__iter__(value)):
                self._later(item, f"{name}[{index}]", kind, owner, file)
        elif cls is not threading.local and (
            isinstance(value, (enum.Enum, logging.Logger)) or _top(cls) in _INERT_MODULES
        ):
            return
        else:
            self._object(value, cls, name, kind, owner, file)

    def _object(self, value: Any, cls: type, name: str, kind: str, owner: str, file: str) -> None:
        known = False
        for base, form in content.BUILTIN_FORMS:
            if isinstance(value, base):
                known = True
                self._add(name, kind, form, value, owner, file)
                for key, item in content.members(form, value):
                    self._later(item, f"{name}[{key}]", kind, owner, file)
                break
        attributes = content.read("attributes", value)
        if attributes is not None or content.has_slots(cls):
            known = True
            self._add(name, kind, "attributes", value, owner, file)
            inner = "instance attribute" if cls is not threading.local else "thread-local"
            for key, item in (attributes or {}).items():
                self._later(item, f"{name}.{key}", inner, owner, file)
        if cls.__module__ not in self._user_modules:
            self._library(cls.__module__, name)
        else:
            self._later(cls, cls.__qualname__, "class attribute", owner, file)
        if not known:
            self.unproven.append(f"{name} is a {cls.__module__}.{cls.__qualname__}, whose state cannot be put back")

    def _class(self, cls: type, name: str, file: str) -> None:
        if cls.__module__ not in self._user_modules:
            self._library(cls.__module__, name)
            return
        file = getattr(self._user_modules[cls.__module__], "__file__", None) or file
        label = cls.__qualname__
        self._add(label, "class attribute", "class", cls, label, file)
        for base in type.__dict__["__mro__"].__get__(cls)[1:]:
            self._later(base, base.__qualname__, "class attribute", base.__qualname__, file)
        for key, value in type.__dict__["__dict__"].__get__(cls).items():
            if not (key.startswith("__") and key.endswith("__")) or isinstance(value, types.FunctionType):
                self._later(value, f"{label}.{key}", "class attribute", label, file)

    def _function(self, function: types.FunctionType, name: str) -> None:
        file = function.__code__.co_filename
        if file not in self.files:
            # A decorator of a library around the user's function: look through it, but do not vouch for it.
            self._library(function.__module__ or "", name)
        label = function.__qualname__.replace("<locals>.", "")
        self._add(label, "default argument", "defaults", function, function.__qualname__, file)
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        for key, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            self._later(value, f"{label}({key}=…)", "default argument", function.__qualname__, file)
        for key, value in (function.__kwdefaults__ or {}).items():
            self._later(value, f"{label}({key}=…)", "default argument", function.__qualname__, file)
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if id(cell) not in self._seen:
                self._seen[id(cell)] = cell
                self._add(f"{label}.{key}", "closure cell", "cell", cell, function.__qualname__, file)
            try:
                self._later(cell.cell_contents, f"{label}.{key}", "closure cell", function.__qualname__, file)
            except ValueError:  # an empty cell
                continue
        for key, value in vars(function).items():
            self._later(value, label if key == "__wrapped__" else f"{label}.{key}", "function attribute", "", file)

    def _library(self, module: str, name: str) -> None:
        top = module.partition(".")[0]
        if top in sys.stdlib_module_names or top in ("builtins", ""):
            return
        if module not in self._user_modules and f"{name} comes from the library {top}" not in self.unproven:
            self.unproven.append(f"{name} comes from the library {top}")


def _top(cls: type) -> str:
    module: str = cls.__module__
    return module.partition(".")[0]
