"""What can be looked into completely, and what has been there since import and so is known by its place alone.

Written in Python, an object is its attributes. Written in C, it may hold what nobody else can see; such a type is named
in `picture`, or it is opaque and nothing can be said of a moment in which it is reached.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextvars
import decimal
import dis
import enum
import functools
import gc
import logging
import re
import sys
import threading
import types
import weakref
from collections import OrderedDict, defaultdict, deque
from operator import is_
from typing import TYPE_CHECKING, Any

from ..schedule.reduction import IrreducibleError
from . import content
from .content import identity
from .inert import INERT_LIBRARIES, INERT_MODULES
from .python_names import python_modules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .files import UserFiles
    from .graph import StateGraph

# Layouts that are looked into by name, for themselves and as bases of classes of the program.
TRANSPARENT: frozenset[type] = frozenset(
    {
        *(object, dict, list, tuple, set, frozenset, str, int, float, bytes, bytearray),
        *(OrderedDict, defaultdict, deque, asyncio.Future, asyncio.Task, BaseException, type),
    }
)
# Exceptions of Python itself that hold something which is no member of theirs.
_LADEN = (UnicodeError, BlockingIOError)
_KNOWN_BY_PLACE = (
    *(types.ModuleType, types.FunctionType, types.MethodType, type, staticmethod, classmethod, property),
    *(functools.partial, contextvars.ContextVar, tuple, frozenset, enum.Enum, types.BuiltinFunctionType),
)
_HANDLERS = (logging.StreamHandler, logging.NullHandler, type(logging.lastResort))
_WEAK_CONTAINERS = (weakref.WeakSet, weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
_ADDRESSES = frozenset({"id", "hash"})
_INTROSPECTION = frozenset({"gc", "get_objects", "get_referrers", "getrefcount", "getweakrefs"})
_IMMUTABLE: frozenset[Any] = frozenset(
    {
        *(types.CodeType, types.GenericAlias, types.UnionType, re.Pattern),
        *(types.WrapperDescriptorType, types.MethodDescriptorType, types.ClassMethodDescriptorType),
        *(types.GetSetDescriptorType, types.MemberDescriptorType),
    }
)
_IMMUTABLE_OF_OURS = frozenset({("crosslane.replay.trace.model", "Request"), ("crosslane.replay.trace.lanes", "Lane")})
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE
_POINTER = 8


def is_transparent(cls: type) -> bool:
    """Whether instances hold nothing but attributes and what the builtin types among their bases hold."""
    known = _layouts.get(cls)
    if known is None:
        known = _layouts[cls] = _is_transparent(cls)
    return known


_layouts: dict[type, bool] = {}


def _is_transparent(cls: type) -> bool:
    if cls in TRANSPARENT:
        return True
    flags, base = type.__dict__["__flags__"].__get__(cls), type.__dict__["__base__"].__get__(cls)
    if issubclass(cls, BaseException) and not flags & _HEAP_TYPE:
        return not issubclass(cls, _LADEN)
    if not flags & _HEAP_TYPE or base is None or not is_transparent(base):
        return False
    # All that it has room for, beyond what its base has, are the attributes that can be seen.
    members = type.__dict__["__dict__"].__get__(cls)
    seen = sum(isinstance(member, types.MemberDescriptorType) for member in members.values())
    room = (seen + ("__dict__" in members) + ("__weakref__" in members)) * _POINTER
    return type.__dict__["__basicsize__"].__get__(cls) - type.__dict__["__basicsize__"].__get__(base) <= room


class Static:
    """What was there at import. It outlives every execution, and is told apart by a number.

    Attributes:
        opaque: what of it cannot be looked into; "" where there is no such thing.
        numbers: of the things that are known, by their identity.
    """

    def __init__(self, graph: StateGraph) -> None:
        self.opaque = ""
        self._files = graph.files
        self._kept: list[Any] = []
        self.numbers: dict[int, int] = {}
        self._ordinals: dict[int, int] = {}
        self._watched: list[tuple[Callable[[Any], Any], Any, Any]] = []
        covered = {id(node.target): node.form for node in graph.nodes}
        for thing in graph.known():
            self.number(thing)
            what = self._classify(thing, covered.get(id(thing), ""))
            if what and not self.opaque:
                self.opaque = what
        # Python's own modules are not walked, but for those that the program names; see `python_names`.
        nodes = {id(node.target) for node in graph.nodes if node.form == "namespace"}
        self._modules = [vars(module) for module in python_modules().values() if id(module) not in nodes]
        self._names_in_modules = [list(names.values()) for names in self._modules]
        self._sizes_of_modules = list(map(len, self._modules))

    def number(self, thing: Any) -> int:
        """The number of something that is kept from now on, and so stays the same for all executions."""
        number = self.numbers.get(identity(thing))
        if number is None:
            number = self.numbers[identity(thing)] = len(self._kept)
            self._kept.append(thing)
        return number

    def find(self, thing: Any) -> int | None:
        return self.numbers.get(identity(thing))

    def ordinal(self, thing: Any) -> int:
        """A number for something whose content is pictured each time all the same."""
        number = self._ordinals.get(identity(thing))
        if number is None:
            number = self._ordinals[identity(thing)] = len(self._ordinals)
            self._kept.append(thing)
        return number

    def adopt(self, thing: Any, cls: type) -> int | None:
        """The number of what has no content that could change, though it was not come across at import; else None.

        Raises:
            IrreducibleError: it is a class or module that a request has made.
        """
        if issubclass(cls, type):
            self._refuse_made_class(thing)
        elif issubclass(cls, types.ModuleType):
            if sys.modules.get(thing.__name__) is not thing:
                raise IrreducibleError("a request made a module")
        elif cls is types.FunctionType:
            if not _is_of_python(thing):
                return None
        elif cls not in _IMMUTABLE and (cls.__module__, cls.__name__) not in _IMMUTABLE_OF_OURS:
            return None
        return self.number(thing)

    def _refuse_made_class(self, cls: type) -> None:
        found: Any = sys.modules.get(cls.__module__)
        for part in cls.__qualname__.split("."):
            found = vars(found).get(part) if isinstance(found, (type, types.ModuleType)) else None
        flags = type.__dict__["__flags__"].__get__(cls)
        # What C code makes and nobody can change, such as the iterator of a future since 3.12, stands in no module.
        if found is not cls and flags & _HEAP_TYPE and not flags & _IMMUTABLE_TYPE:
            raise IrreducibleError(f"the class {cls.__name__} was made by a request")

    def check(self) -> None:
        """Whether what is known by its place alone is still as it was.

        Raises:
            IrreducibleError: it is not.
        """
        for look, thing, first in self._watched:
            if look(thing) != first:
                raise IrreducibleError(f"a {type(thing).__name__} changed")
        if list(map(len, self._modules)) != self._sizes_of_modules:
            raise IrreducibleError("a name was put into a module of Python")

    def check_names(self) -> None:
        """The same of all names in Python's modules. It takes longer: where there are many executions, it is for their
        ends, which leave such names as they are.

        Raises:
            IrreducibleError: one of them was set.
        """
        for now, first in zip(self._modules, self._names_in_modules, strict=True):
            if len(now) != len(first) or not all(map(is_, now.values(), first)):
                raise IrreducibleError(f"a name was set in {now.get('__name__')}, a module of Python")

    def _watch(self, look: Callable[[Any], Any], thing: Any) -> str:
        self._watched.append((look, thing, look(thing)))
        return ""

    def _classify(self, thing: Any, form: str) -> str:
        """Why it is opaque, or ""."""
        cls: Any = type(thing)
        # A class may hide its module's name behind a descriptor for its instances.
        module = cls.__module__ if isinstance(cls.__module__, str) else ""
        name = f"{module}.{cls.__qualname__}"
        top = module.partition(".")[0]
        if cls is types.FunctionType and thing.__code__.co_filename in self._files:
            self._kept.append(dict(vars(thing)))
            return self._watch(_function, thing)
        if cls is threading.local or top == "crosslane" or (form and form != "attributes"):
            return ""
        if issubclass(cls, (tuple, frozenset)) and attributes_of(thing):
            return f"a {name} has attributes"
        if issubclass(cls, _KNOWN_BY_PLACE):
            return ""
        if issubclass(cls, logging.Logger):
            odd = [h for h in thing.handlers if type(h) not in _HANDLERS]
            return f"{type(odd[0]).__name__} keeps log records" if odd else self._watch(_logger, thing)
        if issubclass(cls, weakref.ref):
            return self._watch(_alive, thing)
        if issubclass(cls, _WEAK_CONTAINERS):
            return self._watch(len, vars(thing)["data"])
        if top == "_thread" or cls is decimal.Context:
            return self._watch(cls.__repr__, thing)
        if issubclass(cls, logging.Handler):
            return "" if cls in _HANDLERS else f"{name} keeps log records"
        if top in INERT_MODULES or top in INERT_LIBRARIES or is_transparent(cls):
            return ""
        return f"a {name} is part of the state"


def _is_of_python(function: types.FunctionType) -> bool:
    """Whether it is of Python's library, or ours, and found under its name in its module."""
    top = str(function.__module__).partition(".")[0]
    if function.__closure__ or (top not in sys.stdlib_module_names and top != "crosslane"):
        return False
    module = sys.modules.get(function.__module__)
    return module is not None and vars(module).get(function.__name__) is function


def _logger(logger: logging.Logger) -> tuple[Any, ...]:
    return logger.level, logger.disabled, logger.propagate, [id(h) for h in logger.handlers], len(logger.filters)


def _function(function: types.FunctionType) -> list[tuple[str, int]]:
    return [(name, id(value)) for name, value in vars(function).items()]


def _alive(reference: weakref.ref[Any]) -> bool:
    return weakref.ref.__call__(reference) is not None


def address_dependent(things: Iterable[Any], files: UserFiles) -> str:
    """Which function of the program asks where in memory its objects are, in words; "" where none does."""
    functions = [thing for thing in things if issubclass(type(thing), types.FunctionType)]
    codes = [(thing.__code__, thing.__globals__) for thing in functions if thing.__code__.co_filename in files]
    for code, names in codes:
        codes += [(constant, names) for constant in code.co_consts if isinstance(constant, types.CodeType)]
        # What waits to be collected is reached by nothing.
        collecting = any(names.get(name) is gc.collect for name in code.co_names)
        if collecting or _INTROSPECTION.intersection(code.co_names):
            return f"{code.co_name} looks into the interpreter"
        if _ADDRESSES.intersection(code.co_names):
            for step in dis.get_instructions(code):
                if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and step.argval in _ADDRESSES:
                    return f"{code.co_name} calls {step.argval}()"
    return ""


def attributes_of(thing: Any) -> dict[str, Any]:
    """What the instance holds itself, in its `__dict__` and slots; no code of the program runs."""
    return content.read("attributes", thing) or {}
