"""A handler that is at hand as an object, by the name under which another process finds it.

The worker imports the code under test anew, so that its state is fresh: it needs a file and the way from there to the
object. An object made inside a function has no such way; the error says so rather than test something else.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import MethodType, ModuleType
from typing import Any, cast

from .errors import HandlerError
from .handler.load import locate
from .option_types import shortly

_REMEDY = "define it at the top level of a module, or give its name as file.py:attribute"


def spec_of(handler: object, cwd: Path) -> str:
    """`file.py:attribute` or `package.module:attribute` of an object. A text is a name already.

    Raises:
        HandlerError: no module holds the object under a name.
    """
    if isinstance(handler, str):
        return handler
    if not callable(handler):
        raise HandlerError(
            f"{shortly(handler)} is no handler",
            remedy="give a function, a method, an application, or file.py:attribute",
        )
    module, attribute = _found(handler)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not os.path.isfile(file):
        raise HandlerError("is defined where no file is", _shown(handler), "put it into a module, and that into a file")
    path = Path(file).resolve()
    shown = path.relative_to(cwd.resolve()) if path.is_relative_to(cwd.resolve()) else path
    spec = f"{shown}:{attribute}"
    # A file without __init__.py beside it is imported by its bare name, and its relative imports would fail.
    known_as = module.__spec__.name if module.__spec__ is not None else module.__name__
    if module.__name__ != "__main__" and "." in known_as and locate(spec, str(cwd)).module != known_as:
        return f"{known_as}:{attribute}"
    return spec


def import_path() -> tuple[str, ...]:
    """Where this process finds modules beside the interpreter's own places, for the worker to find them too."""
    own = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    entries = [os.path.realpath(entry or os.getcwd()) for entry in sys.path]
    outside = [
        entry
        for entry in entries
        if os.path.isdir(entry) and not any(entry == place or entry.startswith(place + os.sep) for place in own)
    ]
    return tuple(dict.fromkeys(outside))


def _found(handler: object) -> tuple[ModuleType, str]:
    """The module that has the object, and the attributes that lead to it."""
    if isinstance(handler, MethodType) and not isinstance(handler.__self__, type):
        module, owner = _found(handler.__self__)
        return module, f"{owner}.{handler.__name__}"
    module = sys.modules.get(getattr(handler, "__module__", None) or "")
    name = getattr(handler, "__qualname__", None)
    if module is not None and isinstance(name, str) and _leads_to(module, name, handler):
        return module, name
    # An application object does not know its name. A module enters this list before those that it imports, so the one
    # that made the object comes first from the end.
    for place in reversed(list[object](sys.modules.values())):
        if not isinstance(place, ModuleType) or not getattr(place, "__file__", None):
            continue
        for attribute, value in list(vars(place).items()):
            if value is handler:
                return place, attribute
    inside = isinstance(name, str) and "<locals>" in name
    why = "is made inside a function" if inside else "is no attribute of any module"
    raise HandlerError(f"{why}, so the worker process cannot import it by name", _shown(handler), _REMEDY)


def _leads_to(module: ModuleType, name: str, handler: object) -> bool:
    value: Any = module
    for part in name.split("."):
        value = vars(value).get(part) if isinstance(value, (ModuleType, type)) else None
    if isinstance(value, (staticmethod, classmethod)):
        value = cast("Any", value).__func__
    return value is handler or getattr(handler, "__func__", handler) is value


def _shown(handler: object) -> str:
    named = getattr(handler, "__qualname__", None)
    return named if isinstance(named, str) else f"a {type(handler).__name__}"
