"""Walks what a program and its libraries hold: each thing that can change becomes a node, with the name for it.

Breadth first, from the names of the user's modules, so that a thing goes by its shortest path; then what the program
can name of Python, then what the libraries' own modules hold.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# That is why `type` is asked: `isinstance` asks the object, and one that stands for another imports it for its answer.
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
from . import caches, content, inside_c
from .content import identity
from .inert import INERT_LIBRARIES, INERT_MODULES, OF_EVERY_LOGGER, OFTEN_HUNG_ON
from .python_names import containers_in, named_classes, named_modules, names_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .files import UserFiles

MAX_NODES = 400_000
_CACHE = type(functools.lru_cache(lambda: None))
_WEAK = (weakref.WeakValueDictionary, weakref.WeakKeyDictionary, weakref.WeakSet)
_OURS = frozenset({"crosslane", "__main__"})
_OF_THE_WORKER = "crosslane.replay.worker."
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
        module: the module of a library whose affair it is; "" for the user's own.
    """

    name: str
    kind: str
    form: str
    target: Any
    owner: str
    file: str
    module: str

    @property
    def package(self) -> str:
        """The top-level package of the library; "" for the user's own."""
        return self.module.partition(".")[0]


class Walk:
    """What was found.

    Attributes:
        nodes: in the order of the walk; those from `pythons` up to `libraries` are what the program can name of Python.
        unproven: what the user's modules reach and cannot be put back, in words.
        seen: every object that was come across, whether it is a node or not, by its identity.
        spelled: the names of globals and attributes in the user's code.
        user_modules, user_codes: the user's own modules by their names, and the code of the functions in them.
    """

    def __init__(self, files: UserFiles, roots: Sequence[tuple[str, Any, str]], libraries: bool) -> None:
        """Args: as for a `StateGraph`."""
        self.nodes: list[Node] = []
        self.unproven: list[str] = []
        self.seen: dict[int, Any] = {}
        self._files = files
        self._queue: deque[tuple[Any, str, str, str, str, str]] = deque()
        self._caches: list[tuple[Any, str, str, str, str]] = []  # of libraries: what they hold is looked at last
        self._library = ""
        self._users = True  # while what is walked was reached from the user's modules
        loaded: dict[str, Any] = dict(sys.modules)  # programs put other things there as well
        modules = [(name, module) for name, module in loaded.items() if issubclass(type(module), types.ModuleType)]
        self._loaded = {identity(module) for _, module in modules}
        self.user_modules = {
            name: module
            for name, module in modules
            if isinstance(file := getattr(module, "__file__", None), str) and file in files
        }
        self._names = {
            identity(value): name for module in self.user_modules.values() for name, value in vars(module).items()
        }
        # The user's first, so that what both reach goes by the user's name for it.
        for name, module in self.user_modules.items():
            self._module(name, module)
        for name, target, file in roots:
            self._later(target, name, "module global", "", file)
        self._namespace(builtins)
        self._add("os.environ", "environment variable", "environ", os.environ, "", "")
        self._walk()
        self.pythons = len(self.nodes)
        self._of_python()
        self.libraries = len(self.nodes)
        self._users = False
        for name, module in modules if libraries else ():
            top = name.partition(".")[0]
            if name not in self.user_modules and top not in sys.stdlib_module_names and top not in _OURS:
                self._library = name
                self._module(name, module)
                self._walk()
        # More may come to light while these are gone through.
        for cache, name, owner, file, library in self._caches if libraries else ():
            self._library = library
            for held in caches.results(cache):
                self._later(held, f"{name}()", "instance attribute", owner, file)
            self._walk()
        if self._queue:
            self.unproven.append(f"more than {MAX_NODES} objects of state")

    def local(self, name: str, frame: types.FrameType, variable: str) -> None:
        """Go on with one local variable of the frame, which goes by this name."""
        self._library, self._users = "", True
        owner, file = frame.f_code.co_qualname, frame.f_code.co_filename
        self._add(name, "local variable", "locals", frame, owner, file)
        self._later(frame.f_locals.get(variable), f"{name}.{variable}", "local variable", owner, file)
        self._walk()

    def thing(self, name: str, thing: Any, owner: str, file: str) -> None:
        """Go on with an object, which goes by this name."""
        self._library, self._users = "", True
        self._later(thing, name, "instance attribute", owner, file)
        self._walk()

    def _of_python(self) -> None:
        """What the program can name of Python itself."""
        functions = [thing for thing in self.seen.values() if type(thing) is types.FunctionType]
        codes = (function.__code__ for function in functions)
        self.user_codes = [code for code in codes if code.co_filename in self._files]
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
                if identity(value) not in self.seen:
                    self.seen[identity(value)] = value
                    self._add(f"{name}.{key}", "module global", form, value, "", "")
        for cls in named_classes(names, held, modules.values()):
            self.seen[identity(cls)] = cls
            self._add(f"{cls.__module__}.{cls.__qualname__}", "class attribute", "class", cls, cls.__qualname__, "")

    def _walk(self) -> None:
        library = self._library
        while self._queue and len(self.nodes) < MAX_NODES:
            *what, self._library = self._queue.popleft()
            self._visit(*what)
        self._library = library

    def _add(self, name: str, kind: str, form: str, target: Any, owner: str, file: str) -> None:
        self.nodes.append(Node(name, kind, form, target, owner, file, self._library))

    def _later(self, value: Any, name: str, kind: str, owner: str, file: str) -> None:
        if type(value) not in _ATOMS and identity(value) not in self.seen:
            self.seen[identity(value)] = value
            self._queue.append((value, name, kind, owner, file, self._library))

    def _module(self, name: str, module: types.ModuleType) -> None:
        file = getattr(module, "__file__", None) or ""
        self.seen[identity(module)] = module
        self._names_in(module, name.removeprefix("__main__."), file)

    def _namespace(self, module: types.ModuleType) -> None:
        """A module whose names are state, and what they hold is not."""
        self.seen[identity(module)] = module
        self._add(module.__name__, "module global", "namespace", module, "", "")

    def _visit(self, value: Any, name: str, kind: str, owner: str, file: str) -> None:
        cls = type(value)
        if issubclass(cls, types.ModuleType):
            if identity(value) not in self._loaded:
                self._names_in(value, name, file)
            return  # else walked by itself, if it is no part of Python
        if _is_the_workers(cls):
            return
        if issubclass(cls, type):
            self._class(value, file)
        elif cls is types.FunctionType:
            self._function(value)
        elif issubclass(cls, (types.MethodType, staticmethod, classmethod)):
            self._later(value.__func__, name, kind, owner, file)
            if cls is types.MethodType:
                self._later(value.__self__, name, kind, owner, file)
        elif cls is property:
            for part in (value.fget, value.fset, value.fdel):
                self._later(part, name, kind, owner, file)
        elif cls is functools.partial:
            self._later(value.func, name, kind, owner, file)
            self._later(value.args, f"{name}.args", kind, owner, file)
            self._later(value.keywords, f"{name}.keywords", kind, owner, file)
        elif cls is _CACHE:
            wrapped: Any = value.__wrapped__
            self._add(name, "functools cache", "cache", value, getattr(wrapped, "__qualname__", owner), file)
            self._later(value.__wrapped__, name, kind, owner, file)
            if self._library or not self._users:
                self._caches.append((value, name, owner, file, self._library))
                return
            if not caches.can_be_put_back(value, caches.read(value)):
                self.unproven.append(f"{name} is a cache that was filled during import")
            for held in caches.results(value):
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
        elif issubclass(cls, (tuple, frozenset)):
            base: Any = tuple if issubclass(cls, tuple) else frozenset
            fields: Any = vars(cls).get("_fields", ())
            for index, item in enumerate(base.__iter__(value)):
                named = isinstance(fields, tuple) and index < len(fields)
                self._later(item, f"{name}.{fields[index]}" if named else f"{name}[{index}]", kind, owner, file)
        elif (
            cls is not threading.local
            and not issubclass(cls, _WEAK)
            and (
                issubclass(cls, (enum.Enum, logging.Logger))
                or _top(cls) in INERT_MODULES
                or _top(cls) in INERT_LIBRARIES
            )
        ):
            self._inert(value, cls, name, owner, file)
        else:
            self._object(value, cls, name, kind, owner, file)

    def _inert(self, value: Any, cls: type, name: str, owner: str, file: str) -> None:
        """What holds nothing that belongs to a user, unless the user's code has hung it on."""
        member = issubclass(cls, enum.Enum) and cls.__module__ in self.user_modules
        attributes = content.own_dict(value) if member or _top(cls) in OFTEN_HUNG_ON else None
        if attributes is None or not self._users:
            return
        if member:
            name, owner = f"{cls.__qualname__}.{attributes.get('_name_', '')}", cls.__qualname__
            self._later(attributes.get("_value_"), f"{name}.value", "class attribute", owner, file)
        self._add(name, "instance attribute", "attributes", value, owner, file)
        for key, item in attributes.items():
            if not key.startswith("_") and key not in OF_EVERY_LOGGER:
                self._later(item, f"{name}.{key}", "instance attribute", owner, file)

    def _names_in(self, module: types.ModuleType, name: str, file: str) -> None:
        """Of one that was imported, or is only an object of the program's: a name for names."""
        self._add(name, "module global", "namespace", module, "", file)
        for key, value in vars(module).items():
            if not (key.startswith("__") and key.endswith("__")):
                self._later(value, f"{name}.{key}", "module global", "", file)

    def _object(self, value: Any, cls: type, name: str, kind: str, owner: str, file: str) -> None:
        known = cls is object
        if cls.__module__ not in self.user_modules and _top(cls) not in sys.stdlib_module_names:
            self._library = _module_of(cls)  # its insides are the library's affair, though the user's name leads there
        elif cls.__module__ in self.user_modules:
            self._library = ""  # and these the user's, though a library's object leads there
        for base, form in content.BUILTIN_FORMS:
            if issubclass(cls, base):
                known = True
                self._add(name, kind, form, value, owner, file)
                for key, item in content.members(form, value, self._called):
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
        if in_memory or (issubclass(cls, io.IOBase) and _top(cls) not in _OURS):
            known = False  # where it stands, and what it has in memory, is in no attribute
        if not known and self._users:
            self.unproven.append(f"{name} is a {cls.__module__}.{cls.__qualname__}, whose state cannot be put back")

    def _drawer(self, held: dict[Any, Any], form: str, name: str, owner: str, file: str) -> None:
        """What a library's object keeps for the user goes by its name: `app.state.service`, `app['service']`."""
        if identity(held) in self.seen:
            return
        self.seen[identity(held)] = held
        before, self._library = self._library, ""
        self._add(name, "instance attribute", form, held, owner, file)
        for key, item in content.members(form, held, self._called):
            inner = f"{name}.{key[1:-1]}" if form == "names" else f"{name}[{key}]"
            self._later(item, inner, "instance attribute", owner, file)
        self._library = before

    def _called(self, key: Any) -> str:
        """What the program calls a key that is an object."""
        cls = type(key)
        if issubclass(cls, enum.Enum) and cls.__module__ in self.user_modules:
            return f"{cls.__qualname__}.{(content.own_dict(key) or {}).get('_name_')}"
        return self._names.get(identity(key)) or f"<{cls.__name__}>"

    def _class(self, cls: type, file: str) -> None:
        module = sys.modules.get(cls.__module__)
        if module is None or _top(cls) in sys.stdlib_module_names or _top(cls) in _OURS:
            return
        users = cls.__module__ in self.user_modules
        file = getattr(module, "__file__", None) or file
        label = cls.__qualname__ if users else f"{cls.__module__}.{cls.__qualname__}"
        before, self._library = self._library, "" if users else _module_of(cls)
        self._add(label, "class attribute", "class", cls, cls.__qualname__, file)
        for base in type.__dict__["__mro__"].__get__(cls)[1:]:
            self._later(base, base.__qualname__, "class attribute", base.__qualname__, file)
        names = type.__dict__["__dict__"].__get__(cls)
        if users and issubclass(cls, enum.Enum):
            for member in names.get("_member_map_", {}).values():
                self._later(member, label, "class attribute", cls.__qualname__, file)
        for key, value in names.items():
            if not (key.startswith("__") and key.endswith("__")) or type(value) is types.FunctionType:
                self._later(value, f"{label}.{key}", "class attribute", cls.__qualname__, file)
        self._library = before

    def _function(self, function: types.FunctionType) -> None:
        file = function.__code__.co_filename
        if str(function.__module__).partition(".")[0] in _OURS:
            # Put by us in the place of one of the program's or a library's: only that one has state of its own here.
            for cell in function.__closure__ or ():
                with contextlib.suppress(ValueError):
                    if type(cell.cell_contents) is types.FunctionType:
                        self._later(cell.cell_contents, function.__qualname__, "closure cell", "", file)
            return
        before = self._library
        if file in self._files:
            self._library = ""  # whoever has it
        self._function_of(function, file)
        self._library = before

    def _function_of(self, function: types.FunctionType, file: str) -> None:
        label = function.__qualname__.replace("<locals>.", "")
        self._add(label, "default argument", "defaults", function, function.__qualname__, file)
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        defaults = function.__defaults__ or ()
        for key, value in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            self._later(value, f"{label}({key}=…)", "default argument", function.__qualname__, file)
        for key, value in (function.__kwdefaults__ or {}).items():
            self._later(value, f"{label}({key}=…)", "default argument", function.__qualname__, file)
        for key, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            if identity(cell) not in self.seen:
                self.seen[identity(cell)] = cell
                self._add(f"{label}.{key}", "closure cell", "cell", cell, function.__code__.co_qualname, file)
            try:
                owner = function.__code__.co_qualname  # where it stands, whatever it calls itself
                self._later(cell.cell_contents, f"{label}.{key}", "closure cell", owner, file)
            except ValueError:  # an empty cell
                continue
        if not self._library and file in self._files:
            self._add(label, "function attribute", "attributes", function, function.__qualname__, file)
        for key, value in vars(function).items():
            name = label if key == "__wrapped__" else f"{label}.{key}"
            self._later(value, name, "function attribute", function.__qualname__, file)


def _is_the_workers(cls: type) -> bool:
    """Whether it is none of the program's things: the event loop of an execution, or what a program prints to."""
    ours = _top(cls) in _OURS
    return ours and (issubclass(cls, asyncio.AbstractEventLoop) or cls.__module__.startswith(_OF_THE_WORKER))


def _module_of(cls: type) -> str:
    module: Any = cls.__module__
    return module if isinstance(module, str) else ""  # a descriptor for the instances hides it


def _top(cls: type) -> str:
    return _module_of(cls).partition(".")[0]
