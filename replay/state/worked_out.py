"""What an execution leaves behind in a library and says nothing of any request: what was only put off until then.

Executions that were made before it was noticed are worth what they were, for none of them could tell.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from . import caches, content
from .content import identity

if TYPE_CHECKING:
    from collections.abc import Container

    from .walk import Node

_ANNOTATIONS: tuple[Any, ...] = (types.GenericAlias, types.UnionType)
_WARNED_OF = "__warningregistry__"
_NAMED: tuple[type, ...] = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


def is_completed_model(node: Node, first: Any) -> bool:
    """Whether it is a model of pydantic's that a library has defined, and that was completed when it was first needed:
    from its annotations alone. SDKs have hundreds of them, and to complete one takes longer than a request."""
    if not node.package or node.form != "class" or first.get("__pydantic_complete__") is not False:
        return False
    now = content.read("class", node.target)
    return now.get("__pydantic_complete__") is True and all(
        name.startswith("__pydantic_") or name == "__signature__" for name in _differing(first, now)
    )


def kept_entries(cache: Any, first: tuple[Any, ...] | int) -> tuple[Any, ...]:
    """The entries of a library's cache that it may begin with from now on: those that it had, and what is told of
    nothing but types, by types. To read the annotations of what is sent takes an SDK longer than to send it."""
    now = caches.read(cache)
    if isinstance(first, int) or isinstance(now, int):
        return ()
    typed = cache.cache_parameters()["typed"]
    made = zip(now[::2], now[1::2], strict=True)
    added = [(key, result) for key, result in made if _tells_of_types(caches.call_of(key, typed), result)]
    had = set(map(identity, first[1::2]))
    return first + tuple(part for key, result in added if identity(result) not in had for part in (key, result))


def _tells_of_types(call: tuple[tuple[Any, ...], dict[str, Any]], result: Any) -> bool:
    arguments = (*call[0], *call[1].values())
    return any(type(each) is not bool for each in arguments) and all(map(_is_type, arguments)) and _is_settled(result)


def _is_type(value: Any) -> bool:
    """Whether it is an annotation, or a class that has its name in a module: one that a request makes has none."""
    cls = type(value)
    if not issubclass(cls, type):
        return cls is bool or cls in _ANNOTATIONS or cls.__module__ in ("typing", "typing_extensions")
    found: Any = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    return found is value


def _is_settled(value: Any) -> bool:
    """Whether nothing can be hung on it or put into it, and it is no text that a class may have got from a request."""
    cls = type(value)
    if cls is tuple or cls is frozenset:
        return all(map(_is_settled, value))
    adapter = cls.__name__ == "TypeAdapter" and cls.__module__.startswith("pydantic.")
    return value is None or adapter or _is_type(value)


def says_nothing(node: Node, first: Any, known: Container[int]) -> bool:
    """Whether a library's module has only got names for what there was before, as those do that resolve their names
    when they are first asked for them, or has noted of what it has warned.

    Args:
        known: the identities of what there was.
    """
    if not node.package or node.form != "namespace":
        return False
    now = vars(node.target)
    return all(
        name == _WARNED_OF or (name not in first and isinstance(name, str) and _stood_there(now.get(name), known))
        for name in _differing(first, now)
    )


def _differing(first: dict[Any, Any], now: dict[Any, Any]) -> list[Any]:
    return [name for name in {**first, **now} if first.get(name, _NAMED) is not now.get(name, _NAMED)]


def _stood_there(value: Any, known: Container[int]) -> bool:
    if not issubclass(type(value), _NAMED):
        return False
    return identity(value) in known or (type(value) is types.ModuleType and sys.modules.get(value.__name__) is value)
