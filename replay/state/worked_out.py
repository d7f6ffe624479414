"""What an execution leaves behind in a library and says nothing of any request: what was only put off until then.

Executions that were made before it was noticed are worth what they were, for none of them could tell.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from . import content
from .content import identity

if TYPE_CHECKING:
    from collections.abc import Container

    from .walk import Node

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
