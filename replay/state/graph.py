"""The mutable state that a program and its libraries reach, as a list of nodes, each with a name its author would use.

Objects are looked at through the base types' own methods and descriptors: no `__repr__`, property, `__eq__` or
`__getattr__` of the program runs. What the user's own modules reach and cannot be put back to its first content (a C
iterator, an open file, a database connection) is listed in `unproven`, and then a fork keeps executions apart instead.

Libraries have thousands of nodes, of which an execution changes a handful. Only those are put back each time; all are
compared in the first executions and then every so often, and where one has changed that was not being put back, the
executions since are worth nothing and the job starts over with forks.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import builtins
import contextlib
import contextvars
import enum
import functools
import io
import logging
import os
import random
import sys
import threading
import types
import weakref
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..schedule.primitives import CooperativeLock
from . import content, inside_c
from .python_names import containers_in, named_classes, named_modules, names_in, texts_in

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .files import UserFiles

MAX_NODES = 400_000
_FIRST_LOOKS = 3
_LOOK_EVERY = 256
_CACHE = type(functools.lru_cache(lambda: None))

_WEAK = (weakref.WeakValueDictionary, weakref.WeakKeyDictionary)
_OURS = frozenset({"crosslane", "__main__"})
_OF_MEMORY = frozenset({"Array", "Structure", "Union", "_SimpleCData", "_Pointer"})
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE

_ATOMS: frozenset[type] = frozenset(
    {
        *(type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), type(NotImplemented)),
        *(types.BuiltinFunctionType, types.WrapperDescriptorType, types.MethodDescriptorType),
        *(types.ClassMethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType),
        *(types.CodeType, types.MethodWrapperType, types.GenericAlias, types.UnionType, types.MappingProxyType),
    }
)
# Types whose instances hold nothing that belongs to a user: patterns, dates, locks, loggers, annotations.
INERT_MODULES = frozenset(
    {
        *("re", "datetime", "decimal", "fractions", "uuid", "pathlib", "zoneinfo", "logging", "_thread", "typing"),
        *(
            "abc",
            "_abc",
            "ipaddress",
            "string",
            "inspect",
            "weakref",
            "_weakref",
            "_weakrefset",
            "importlib",
            "__future__",
            "operator",
            "_operator",
        ),
    }
)


# The same for types of libraries, most of them written in C: what they hold is settled when they are made.
INERT_LIBRARIES = frozenset({"pydantic_core", "propcache", "yarl", "typing_extensions", "annotated_types", "_struct"})


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
        package: the top-level package that it belongs to; "" for the user's own.
    """

    name: str
    kind: str
    form: str
    target: Any
    owner: str
    file: str
    package: str


class StateGraph:
    """All state reachable from the user's modules and their libraries', as it was when the graph was made.

    Attributes:
        unproven: what the user's modules reach and cannot be put back, in words.
        late: names of what changed without being put back; empty as long as there is none. `hopeless` says that some of
            it cannot be.
        spelled: the names of globals and attributes in the user's code.
        user_modules, user_codes: the user's own modules by their names, and the code of the functions in them.
        fickle: nodes that cannot be compared, because their members are made anew each time they are asked for.
    """

    def __init__(self, files: UserFiles, roots: Sequence[tuple[str, Any, str]] = (), libraries: bool = True) -> None:
        """Walk what there is.

        Args:
            roots: what no module may hold, such as the object under test: the name, the thing, and its file.
            libraries: whether to walk their modules too; what the user's reach of them is walked in any case.
        """
        self.files = files
        self.nodes: list[Node] = []
        self.unproven: list[str] = []
        self._seen: dict[int, Any] = {}
        self._texts: frozenset[str] | None = None
        self._modules = frozenset(sys.modules)
        self._modules_now = len(sys.modules)
        self._compared: Sequence[int] = ()
        self._queue: deque[tuple[Any, str, str, str, str, str]] = deque()
        self._library = ""
        self._users = True  # while what is walked was reached from the user's modules
        self.late: list[str] = []
        self.hopeless = False
        self._restored = 0
        loaded: dict[str, Any] = dict(sys.modules)  # programs put other things there as well
        modules = [(name, module) for name, module in loaded.items() if isinstance(module, types.ModuleType)]
        self.user_modules = {
            name: module
            for name, module in modules
            if isinstance(file := getattr(module, "__file__", None), str) and file in files
        }
        # The user's first, so that what both reach goes by the user's name for it.
        for name, module in self.user_modules.items():
            self._module(name, module)
        for name, target, file in roots:
            self._later(target, name, "module global", "", file)
        self._namespace(builtins)
        self._add("os.environ", "environment variable", "environ", os.environ, "", "")
        self._walk()
        self._of_python()
        self._users = False
        for name, module in modules if libraries else ():
            top = name.partition(".")[0]
            if name not in self.user_modules and top not in sys.stdlib_module_names and top not in _OURS:
                self._library = top
                self._module(name, module)
                self._walk()
        if self._queue:
            self.unproven.append(f"more than {MAX_NODES} objects of state")
        self._first = [content.read(node.form, node.target) for node in self.nodes]
        # Some members are made anew each time they are asked for: nothing can be told from those.
        self._compared = range(len(self.nodes))
        fickle = set(self.changed())
        self._compared = [index for index in range(len(self.nodes)) if index not in fickle]
        self.fickle = sorted(fickle)
        # Python's own names, like libraries', are many, and seldom change.
        python = [n for n, node in enumerate(self.nodes) if node.form == "environ" or node.target is builtins]
        self._kept = [i for i in self._compared if not self.nodes[i].package and i not in python]

    def _of_python(self) -> None:
        """What the program can name of Python itself."""
        functions = [thing for thing in self._seen.values() if type(thing) is types.FunctionType]
        codes = (function.__code__ for function in functions)
        self.user_codes = [code for code in codes if code.co_filename in self.files]
        self.spelled = names = names_in(self.user_codes)
        if "chdir" in names:
            self._add("the working directory", "working directory", "directory", os, "", "")
        held = [value for module in self.user_modules.values() for value in vars(module).values()]
        modules = named_modules(names, held)
        for name, module in modules.items():
            if module is builtins:
                continue
            self._namespace(module)
            for key, form, value in containers_in(module):
                if id(value) not in self._seen:
                    self._seen[id(value)] = value
                    self._add(f"{name}.{key}", "module global", form, value, "", "")
        for cls in named_classes(names, held, modules.values()):
            self._seen[id(cls)] = cls
            self._add(f"{cls.__module__}.{cls.__qualname__}", "class attribute", "class", cls, cls.__qualname__, "")

    def _walk(self) -> None:
        library = self._library
        while self._queue and len(self.nodes) < MAX_NODES:
            *what, self._library = self._queue.popleft()
            self._visit(*what)
        self._library = library

    def restore(self) -> None:
        """Put everything back to what it was when the graph was made."""
        self._restored += 1
        if self._restored <= _FIRST_LOOKS or self._restored % _LOOK_EVERY == 0:
            self.look()
        for index in self._kept:
            node = self.nodes[index]
            content.write(node.form, node.target, self._first[index])
        if len(sys.modules) != self._modules_now:
            for name in [name for name in sys.modules if name not in self._modules]:
                module = sys.modules[name]
                if (getattr(module, "__file__", None) or "<") in self.files:
                    del sys.modules[name]  # imported by a request: the next one shall do it again
            self._modules_now = len(sys.modules)

    def keep(self, names: Collection[str]) -> None:
        """Put these back each time from the first execution on."""
        kept = set(self._kept)
        self._kept += [i for i in self._compared if i not in kept and self.nodes[i].name in names]

    def look(self) -> None:
        """Compare everything with its first content. What changed is put back from now on; if that is news after the
        first executions, `late` says so."""
        kept = set(self._kept)
        for index in self.changed():
            node = self.nodes[index]
            if index in kept:
                continue
            possible = content.can_be_put_back(node.form, node.target, self._first[index])
            if not possible or self._restored > _FIRST_LOOKS:
                self.late.append(node.name)
                self.hopeless = self.hopeless or not possible
            self._kept.append(index)

    def first(self, index: int) -> Any:
        """The content of `nodes[index]` when the graph was made."""
        return self._first[index]

    def own(self) -> list[int]:
        """The nodes that belong to no library, and can be told from what they were at first."""
        return [index for index in self._compared if not self.nodes[index].package]

    def changed(self, among: Sequence[int] | None = None) -> list[int]:
        """Which nodes, `among` these or all, differ now from when the graph was made, by identity of their members."""
        return [
            index
            for index in (self._compared if among is None else among)
            if not content.unchanged((node := self.nodes[index]).form, node.target, self._first[index])
        ]

    def known(self) -> list[Any]:
        """Every object that was come across, whether it is a node or not."""
        return list(self._seen.values())

    @property
    def texts(self) -> frozenset[str]:
        """The texts that the user's code spells, in functions and as values of names."""
        if self._texts is None:
            # As it was at first: later on a name may hold what a user said.
            modules = [n for n, node in enumerate(self.nodes) if node.form == "namespace" and not node.package]
            named = (value for n in modules for value in self._first[n].values())
            self._texts = texts_in(self.user_codes) | {value for value in named if type(value) is str}
        return self._texts

    def knows(self, value: Any) -> bool:
        """Whether it was come across."""
        return id(value) in self._seen

    def add_file(self, path: str) -> None:
        """A file that the program writes is state as well. It has to stand as it did at first."""
        if not any(node.form == "file" and node.target == path for node in self.nodes):
            self.nodes.append(Node(self.files.shown(path), "file", "file", path, "", "", ""))
            self._first.append(content.read("file", path))
            self._compared = [*self._compared, len(self.nodes) - 1]
            self._kept.append(len(self.nodes) - 1)

    def find(self, index: int, name: str, form: str) -> Node:
        """The node that another graph of the same program had at `index`; it may stand elsewhere here.

        Raises:
            LookupError: there is none.
        """
        if index < len(self.nodes) and (self.nodes[index].name, self.nodes[index].form) == (name, form):
            return self.nodes[index]
        for node in self.nodes:
            if (node.name, node.form) == (name, form):
                return node
        raise LookupError(f"{name} is not there")

    # ---- walking

    def _add(self, name: str, kind: str, form: str, target: Any, owner: str, file: str) -> None:
        self.nodes.append(Node(name, kind, form, target, owner, file, self._library))

    def _later(self, value: Any, name: str, kind: str, owner: str, file: str) -> None:
        if type(value) not in _ATOMS and id(value) not in self._seen:
            self._seen[id(value)] = value
            self._queue.append((value, name, kind, owner, file, self._library))

    def _module(self, name: str, module: types.ModuleType) -> None:
        file = getattr(module, "__file__", None) or ""
        self._seen[id(module)] = module
        short = name.removeprefix("__main__.")
        self._add(short, "module global", "namespace", module, "", file)
        for key, value in vars(module).items():
            if not (key.startswith("__") and key.endswith("__")):
                self._later(value, f"{short}.{key}", "module global", "", file)

    def _namespace(self, module: types.ModuleType) -> None:
        """A module whose names are state, and what they hold is not."""
        self._seen[id(module)] = module
        self._add(module.__name__, "module global", "namespace", module, "", "")

    def _visit(self, value: Any, name: str, kind: str, owner: str, file: str) -> None:
        cls = type(value)
        if isinstance(value, types.ModuleType) or _is_loop(cls):
            return  # walked by itself, if it is no part of Python
        if isinstance(value, type):
            self._class(value, file)
        elif isinstance(value, types.FunctionType):
            self._function(value)
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
            if value.cache_info().currsize and not self._library and self._users:
                self.unproven.append(f"{name} is a cache that was filled during import")
            self._later(value.__wrapped__, name, kind, owner, file)
            if not self._library and self._users:
                for held in content.cached(value):
                    self._later(held, f"{name}()", "instance attribute", owner, file)
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
        elif (
            cls is not threading.local
            and not isinstance(value, _WEAK)
            and (
                isinstance(value, (enum.Enum, logging.Logger))
                or _top(cls) in INERT_MODULES
                or _top(cls) in INERT_LIBRARIES
            )
        ):
            return
        else:
            self._object(value, cls, name, kind, owner, file)

    def _object(self, value: Any, cls: type, name: str, kind: str, owner: str, file: str) -> None:
        known = cls is object
        if cls.__module__ not in self.user_modules and _top(cls) not in sys.stdlib_module_names:
            self._library = _top(cls)  # its insides are the library's affair, though the user's name leads there
        elif cls.__module__ in self.user_modules:
            self._library = ""  # and these the user's, though a library's object leads there
        for base, form in content.BUILTIN_FORMS:
            if isinstance(value, base):
                known = True
                self._add(name, kind, form, value, owner, file)
                for key, item in content.members(form, value):
                    self._later(item, f"{name}[{key}]", kind, owner, file)
                break
        foreign = content.FOREIGN_FORMS.get((_top(cls), cls.__name__))
        if foreign is not None:
            known = True
            self._add(name, kind, foreign, value, owner, file)
        for item in content.handed_out(value):
            # Who asks next gets it: it has no other name.
            self._later(item, name, "member of an iterator", owner, file)
        attributes = content.read("attributes", value)
        if attributes is not None or content.has_slots(cls):
            known = True
            self._add(name, kind, "attributes", value, owner, file)
            inner = "instance attribute" if cls is not threading.local else "thread-local"
            drawer = content.drawer(cls)
            for key, item in (attributes or {}).items():
                if drawer is not None and drawer[0] == key and type(item) is dict:
                    self._drawer(item, drawer[1], name, owner, file)
                else:
                    self._later(item, f"{name}.{key}", inner, owner, file)
        if cls.__module__ in self.user_modules:
            self._later(cls, cls.__qualname__, "class attribute", owner, file)
        # An instance of a class written in Python that has neither attributes nor slots has nothing to change.
        known = known or (type.__dict__["__flags__"].__get__(cls) & _HEAP_TYPE and "__slots__" in vars(cls))
        if inside := inside_c.form_of(value):
            known = False  # it can be kept apart, but not put back in every case
            self._add(name, kind, inside, value, owner, file)
            for key, item in inside_c.read_generator(value)[1].items() if inside == "generator" else ():
                self._later(item, f"{name}.{key}", "local variable of a generator", owner, file)
        bases = type.__dict__["__mro__"].__get__(cls)
        in_memory = any(base.__module__ == "_ctypes" and base.__name__ in _OF_MEMORY for base in bases)
        if in_memory or (isinstance(value, io.IOBase) and _top(cls) not in _OURS):
            known = False  # where it stands, and what it has in memory, is in no attribute
        if not known and self._users:
            self.unproven.append(f"{name} is a {cls.__module__}.{cls.__qualname__}, whose state cannot be put back")

    def _drawer(self, held: dict[Any, Any], form: str, name: str, owner: str, file: str) -> None:
        """What a library's object keeps for the user goes by its name: `app.state.service`, `app['service']`."""
        if id(held) in self._seen:
            return
        self._seen[id(held)] = held
        before, self._library = self._library, ""
        self._add(name, "instance attribute", form, held, owner, file)
        for key, item in content.members(form, held):
            inner = f"{name}.{key[1:-1]}" if form == "names" else f"{name}[{key}]"
            self._later(item, inner, "instance attribute", owner, file)
        self._library = before

    def _class(self, cls: type, file: str) -> None:
        module = sys.modules.get(cls.__module__)
        if module is None or _top(cls) in sys.stdlib_module_names or _top(cls) in _OURS:
            return
        users = cls.__module__ in self.user_modules
        file = getattr(module, "__file__", None) or file
        label = cls.__qualname__ if users else f"{cls.__module__}.{cls.__qualname__}"
        before, self._library = self._library, "" if users else _top(cls)
        self._add(label, "class attribute", "class", cls, cls.__qualname__, file)
        for base in type.__dict__["__mro__"].__get__(cls)[1:]:
            self._later(base, base.__qualname__, "class attribute", base.__qualname__, file)
        for key, value in type.__dict__["__dict__"].__get__(cls).items():
            if not (key.startswith("__") and key.endswith("__")) or isinstance(value, types.FunctionType):
                self._later(value, f"{label}.{key}", "class attribute", cls.__qualname__, file)
        self._library = before

    def _function(self, function: types.FunctionType) -> None:
        file = function.__code__.co_filename
        if str(function.__module__).partition(".")[0] in _OURS:
            # Put by us in the place of one of the program's or a library's: only that one has state of its own here.
            for cell in function.__closure__ or ():
                with contextlib.suppress(ValueError):
                    if isinstance(cell.cell_contents, types.FunctionType):
                        self._later(cell.cell_contents, function.__qualname__, "closure cell", "", file)
            return
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
                self._add(f"{label}.{key}", "closure cell", "cell", cell, function.__code__.co_qualname, file)
            try:
                owner = function.__code__.co_qualname  # where it stands, whatever it calls itself
                self._later(cell.cell_contents, f"{label}.{key}", "closure cell", owner, file)
            except ValueError:  # an empty cell
                continue
        if not self._library and file in self.files:
            self._add(label, "function attribute", "attributes", function, function.__qualname__, file)
        for key, value in vars(function).items():
            self._later(value, label if key == "__wrapped__" else f"{label}.{key}", "function attribute", "", file)


def _is_loop(cls: type) -> bool:
    """Whether it is the event loop of an execution, which is none of the program's things."""
    return _top(cls) in _OURS and issubclass(cls, asyncio.AbstractEventLoop)


def _top(cls: type) -> str:
    module: Any = cls.__module__
    return module.partition(".")[0] if isinstance(module, str) else ""  # a descriptor for the instances hides it
