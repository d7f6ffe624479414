"""Which of Python's own modules and classes a program names: there it may keep state of its own, as in any other.

`json.dumps = …`, `threading.Thread.user = …`, `sys.argv.append(…)`. The standard library is too large to be looked at
between any two steps, so what code of the program cannot name is left out. Where it asks for modules by a name that
only it knows (`importlib.import_module`, `sys.modules`), all of them count.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BY_ANY_NAME = frozenset({"modules", "import_module", "__import__", "getmodule"})
_INTERPRETERS_BOOKS = frozenset({"modules", "path_importer_cache"})
_CONTAINERS: dict[type, str] = {dict: "dict", list: "list", set: "set"}
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_IMMUTABLE_TYPE = 1 << 8  # Py_TPFLAGS_IMMUTABLETYPE


def python_modules() -> dict[str, types.ModuleType]:
    """Those of the standard library that are loaded."""
    loaded: dict[str, Any] = dict(sys.modules)
    return {
        name: module
        for name, module in loaded.items()
        if isinstance(module, types.ModuleType) and name.partition(".")[0] in sys.stdlib_module_names
    }


def names_in(codes: Iterable[types.CodeType]) -> frozenset[str]:
    """All names of globals, attributes and modules in the code and the functions within it."""
    waiting, names = list(codes), set[str]()
    for code in waiting:
        names.update(code.co_names)
        waiting += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return frozenset(names)


def texts_in(codes: Iterable[types.CodeType]) -> frozenset[str]:
    """All texts that stand in the code and the functions within it."""
    waiting, texts = list(codes), set[str]()
    for code in waiting:
        waiting += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
        texts.update(constant for constant in code.co_consts if isinstance(constant, str))
    return frozenset(texts)


def named_modules(names: frozenset[str], held: Iterable[Any]) -> dict[str, types.ModuleType]:
    """The modules that are named, or `held` by the program under another name."""
    held_ids = {id(thing) for thing in held}
    everything = not names.isdisjoint(_BY_ANY_NAME)
    return {
        name: module
        for name, module in python_modules().items()
        if everything or id(module) in held_ids or name in names or name.rpartition(".")[2] in names
    }


def named_classes(names: frozenset[str], held: Iterable[Any], modules: Iterable[types.ModuleType]) -> Iterator[type]:
    """The classes that can be changed, and are named in one of the modules or held by the program itself."""
    candidates = [value for module in modules for key, value in vars(module).items() if key in names]
    for cls in {id(each): each for each in (*candidates, *held) if issubclass(type(each), type)}.values():
        flags = type.__dict__["__flags__"].__get__(cls)
        module: Any = cls.__module__  # a descriptor for the instances may hide it
        of_python = isinstance(module, str) and module.partition(".")[0] in sys.stdlib_module_names
        if of_python and flags & _HEAP_TYPE and not flags & _IMMUTABLE_TYPE:
            yield cls


def containers_in(module: types.ModuleType) -> Iterator[tuple[str, str, Any]]:
    """(name, form, container) of what the module offers to be changed: `sys.path`, `mimetypes.types_map`."""
    for name, value in vars(module).items():
        form = _CONTAINERS.get(type(value))
        if form is not None and not name.startswith("_") and name not in _INTERPRETERS_BOOKS:
            yield name, form, value
