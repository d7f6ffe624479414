"""Which dicts a program uses entry by entry: nothing of it can hand one on, to C code least of all.

Such a dict is held by names alone, of the program's own modules, classes or plain objects, and wherever one of those
names stands in the source it is `name[key]`, `key in name` or a call of `get`, `setdefault` or `pop`. So nobody else
ever gets hold of the dict, if the program does not ask for its own names by other means. A local variable that happens
to have such a name counts as the dict: what is not known to be harmless is refused.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import ast
import gc
import tokenize
import types
from typing import TYPE_CHECKING

from .entries import can_be_watched
from .opaque import attributes_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .graph import StateGraph

_KEYED = frozenset({"get", "setdefault", "pop"})
# With these a program can get hold of what it holds without naming it.
_ROUNDABOUT = frozenset(
    {
        *("globals", "locals", "vars", "eval", "exec", "compile", "__dict__", "__globals__", "__closure__", "__self__"),
        *("__getattribute__", "__builtins__", "attrgetter", "methodcaller", "getmembers", "getattr_static", "modules"),
        *("import_module", "__import__", "_getframe", "currentframe", "f_locals", "f_globals", "cell_contents"),
        *("gc", "inspect", "ctypes", "asdict", "astuple", "__reduce__", "__reduce_ex__", "__getstate__"),
    }
)
_BY_TEXT = frozenset({"getattr", "setattr", "delattr", "hasattr"})
_MOST_SOURCE = 2_000_000  # characters, of which Python reads some in a second
_PLAIN_BASES = frozenset({"object", "ABC", "Generic", "Protocol"})


def keyed_dicts(graph: StateGraph) -> list[int]:
    """The nodes of the graph that are dicts of this kind, by their index."""
    dicts = {
        id(node.target): index
        for index, node in enumerate(graph.nodes)
        if node.form == "dict" and not node.package and can_be_watched(node.target) and index not in graph.fickle
    }
    names = _names_of(graph, dicts)
    sources = _sources(graph) if names else None
    if sources is None:
        return []
    mentioned = set[str]()
    for tree in sources:
        found = _otherwise_used(tree)
        if found is None:
            return []
        mentioned |= found
    return sorted(dicts[key] for key, by in names.items() if by.isdisjoint(mentioned))


def _names_of(graph: StateGraph, dicts: dict[int, int]) -> dict[int, set[str]]:
    """By which names each is held; those left out are held by something else as well."""
    names: dict[int, set[str]] = {}
    elsewhere = set[int]()
    modules = graph.user_modules
    for thing in graph.known():
        if issubclass(type(thing), types.ModuleType):
            held, mine = vars(thing), modules.get(thing.__name__) is thing
        elif issubclass(type(thing), type):
            held, mine = type.__dict__["__dict__"].__get__(thing), thing.__module__ in modules
        else:
            held, mine = attributes_of(thing), _is_plain(type(thing), modules)
        for name, value in held.items():
            if id(value) not in dicts:
                continue
            if mine and not _may_be_mangled(name):
                names.setdefault(id(value), set()).add(name)
            else:
                elsewhere.add(id(value))
        # A module is its names. What C code keeps beside them must not be asked for: `_asyncio` of 3.12 gives out what
        # was freed, and that is freed twice then (https://github.com/python/cpython/issues/122695).
        if not mine and not issubclass(type(thing), types.ModuleType):
            elsewhere.update(id(value) for value in gc.get_referents(thing) if id(value) in dicts)
    return {key: found for key, found in names.items() if key not in elsewhere}


def _may_be_mangled(name: str) -> bool:
    """Whether the source may spell it otherwise, as a private name of a class."""
    return name.startswith("_") and "__" in name[1:]


def _is_plain(cls: type, modules: Collection[str]) -> bool:
    """Whether instances are the program's own and nothing but their attributes."""
    bases = type.__dict__["__mro__"].__get__(cls)
    return cls is not object and all(base.__module__ in modules or base.__name__ in _PLAIN_BASES for base in bases)


def _sources(graph: StateGraph) -> list[ast.Module] | None:
    """What the program's modules were made from; None where that cannot be known."""
    trees: list[ast.Module] = []
    codes = set[types.CodeType]()
    size = 0
    for module in graph.user_modules.values():
        file = module.__file__ or ""
        try:
            with tokenize.open(file) as source:
                text = source.read()
            size += len(text)
            if size > _MOST_SOURCE:
                return None
            trees.append(ast.parse(text))
            codes.update(_codes_in(compile(text, file, "exec", dont_inherit=True)))
        except (OSError, SyntaxError, ValueError):
            return None
    # The files may have changed since, and what runs may have been made from something else.
    return trees if all(code in codes for code in graph.user_codes) else None


def _codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes_in(constant)


def _otherwise_used(tree: ast.Module) -> set[str] | None:
    """The names that stand somewhere for more than an entry. None: the program can get at things without a name."""
    found = set[str]()
    harmless = set[ast.AST]()
    for node in ast.walk(tree):  # from the outside in: what is harmless is said by what it stands in
        match node:
            case ast.Subscript(value=ast.Name() | ast.Attribute() as named):
                harmless.add(named)
            case ast.Call(func=ast.Attribute(value=ast.Name() | ast.Attribute() as named, attr=method)):
                if method in _KEYED:
                    harmless.add(named)
            case ast.Call(func=ast.Name(id=asked)) if asked in _BY_TEXT:
                name = node.args[1] if len(node.args) > 1 else None
                if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
                    return None
                found.add(name.value)
            case ast.Compare(ops=[*_, ast.In() | ast.NotIn()], comparators=[*_, named]):
                harmless.add(named)
            case _:
                pass
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                if name in _ROUNDABOUT:
                    return None
                if node not in harmless and not isinstance(node.ctx, ast.Store):
                    found.add(name)
            case ast.alias(name=name, asname=other):
                if name in _ROUNDABOUT:
                    return None
                if other is not None:
                    found.add(name)
            case ast.MatchClass(kwd_attrs=attributes):
                found.update(attributes)
            case _:
                pass
    return found
