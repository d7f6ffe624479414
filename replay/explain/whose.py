"""Whose affair a place is that a library's object leads to: what only the user's code names there is the user's.

`client.session_user = …` puts a name into an object of a library that knows nothing of it. To advise a newer version of
the library would help nobody.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import functools
import sys
import types
from typing import TYPE_CHECKING, Any

from ..state.python_names import names_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..state.graph import StateGraph
    from .places import Place


def is_the_users(place: Place, graph: StateGraph) -> bool:
    """Whether the path to the place goes on, from something of its library, by a name that the user's code has and the
    library's has not."""
    for node in graph.nodes:
        if node.package != place.package or not place.name.startswith(f"{node.name}."):
            continue
        name = place.name[len(node.name) + 1 :].partition(".")[0].partition("[")[0]
        if name in graph.spelled and name not in _names_of(place.package):
            return True
    return False


@functools.lru_cache(maxsize=32)
def _names_of(package: str) -> frozenset[str]:
    """Every name, and every text that could be one, in the code of a package as far as it is loaded."""
    loaded: dict[str, Any] = dict(sys.modules)
    modules = [
        module
        for name, module in loaded.items()
        if name.partition(".")[0] == package and isinstance(module, types.ModuleType)
    ]
    codes = [code for module in modules for code in _codes_in(module)]
    texts = [text for code in codes for text in code.co_consts if isinstance(text, str)]
    return names_in(codes) | frozenset(texts)


def _codes_in(module: types.ModuleType) -> Iterator[types.CodeType]:
    for value in vars(module).values():
        if issubclass(type(value), type):
            for member in type.__dict__["__dict__"].__get__(value).values():
                yield from _code_of(member)
        else:
            yield from _code_of(value)


def _code_of(value: Any) -> Iterator[types.CodeType]:
    functions = (value.fget, value.fset, value.fdel) if type(value) is property else (value,)
    for function in functions:
        inner = function.__func__ if isinstance(function, (staticmethod, classmethod)) else function
        if type(inner) is types.FunctionType:
            yield inner.__code__
