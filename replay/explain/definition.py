"""Where a carrier is defined: the line of its assignment or of its default, found in the source text."""

from __future__ import annotations

import ast
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .places import Place


def defined_at(place: Place) -> tuple[str, int] | None:
    """File and line, or None when the source does not tell."""
    try:
        with open(place.file, encoding="utf-8") as stream:
            tree = ast.parse(stream.read())
    except (OSError, SyntaxError, ValueError):
        return None
    if place.form == "cache":
        scope = _scope(tree, place.owner)
        line = scope.lineno if scope is not None else None
    elif place.form == "locals":
        scope = _scope(tree, place.owner)
        line = None if scope is None else (_assignment(scope.body, str(place.key)) or scope.lineno)
    elif place.form == "cell" or place.kind == "closure cell":
        outer = _scope(tree, place.owner.rpartition(".<locals>")[0])
        line = None if outer is None else _first_assigned(outer.body, place.name)
    elif place.kind == "function attribute":
        scope = _scope(tree, place.owner)
        line = scope.lineno if scope is not None else None
    elif place.form == "defaults" or "=…)" in place.name:
        line = _default(tree, place.owner, place.name.partition("(")[2].partition("=")[0] or (place.key or ""))
    elif place.owner:
        scope = _scope(tree, place.owner)
        name = place.name.partition(f"{place.owner}.")[2].partition(".")[0].partition("[")[0]
        # A name that only its methods or others set has no line but that of the class.
        line = None if scope is None else _assignment(scope.body, name) or scope.lineno
    else:
        # The first part of a path from a module that is a name in it: `app.agent.memory` is defined where `agent` is.
        path = _in_module(place)
        line = _first_assigned(tree.body, path) or _called(tree, path)
    return None if line is None else (place.file, line)


def _in_module(place: Place) -> str:
    """The path without the name of its module: a variable may have that too, as in `app.py` with `app = FastAPI()`."""
    modules: list[tuple[str, Any]] = list(sys.modules.items())
    names = [name for name, module in modules if _file_of(module) == place.file and place.name.startswith(f"{name}.")]
    return place.name.removeprefix(f"{max(names, key=len)}.") if names else place.name


def _file_of(module: Any) -> Any:
    """Without asking what stands there in a module's place."""
    is_one = issubclass(type(module), ModuleType)
    return object.__getattribute__(module, "__dict__").get("__file__") if is_one else None


def _first_assigned(body: list[ast.stmt], path: str) -> int | None:
    """The line of the first part of a path that is a name in the body."""
    parts = [part.partition("[")[0] for part in path.split(".")]
    return next((found for part in parts if (found := _assignment(body, part)) is not None), None)


def _called(tree: ast.Module, path: str) -> int | None:
    """The line of the function of which a path begins with what it gave."""
    names = [part.partition("()")[0] for part in path.split(".") if "()" in part]
    scope = _scope(tree, names[0]) if names else None
    return None if scope is None else scope.lineno


def _assignment(body: list[ast.stmt], name: str) -> int | None:
    for statement in body:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
            targets = [statement.target]
        for target in targets:
            for part in ast.walk(target):
                if isinstance(part, ast.Name) and part.id == name:
                    return statement.lineno
        for inner in ("body", "orelse", "handlers", "finalbody"):
            nested = getattr(statement, inner, None)
            if nested and not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found = _assignment(nested, name)
                if found is not None:
                    return found
    return None


def _scope(tree: ast.Module, qualified: str) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None:
    body: list[ast.stmt] = tree.body
    found: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | None = None
    for part in qualified.replace(".<locals>", "").split("."):
        found = next(
            (
                statement
                for statement in ast.walk(ast.Module(body, []))
                if isinstance(statement, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
                and statement.name == part
            ),
            None,
        )
        if found is None:
            return None
        body = found.body
    return found


def _default(tree: ast.Module, qualified: str, parameter: str) -> int | None:
    scope = _scope(tree, qualified)
    if scope is None or isinstance(scope, ast.ClassDef):
        return None
    for argument in (*scope.args.posonlyargs, *scope.args.args, *scope.args.kwonlyargs):
        if argument.arg == parameter:
            return argument.lineno
    return scope.lineno
