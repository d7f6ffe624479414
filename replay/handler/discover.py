"""What in a project could be its handler, by reading its source. Nothing of it is imported or run.

Applications are told by the class that makes them, under whatever name it was imported; functions by parameters that
Crosslane knows how to fill.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .bind import MESSAGE_NAMES, SESSION_NAMES, USER_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MAKERS = {
    "fastapi.FastAPI": "FastAPI",
    "fastapi.applications.FastAPI": "FastAPI",
    "starlette.applications.Starlette": "Starlette",
    "litestar.Litestar": "Litestar",
    "quart.Quart": "Quart",
    "aiohttp.web.Application": "aiohttp",
    "flask.Flask": "Flask",
    "flask.app.Flask": "Flask",
    "django.core.asgi.get_asgi_application": "Django (ASGI)",
    "django.core.wsgi.get_wsgi_application": "Django (WSGI)",
}
_NOT_OURS = {"node_modules", "site-packages", "__pycache__", "build", "dist", "migrations", "test", "tests", "docs"}
_MOST_FILES = 5_000
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that could be the handler. `at` is `file:line`; `what` says what made it, or `function`."""

    spec: str
    what: str
    at: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a project came to. `unread` are the files that are no Python of this version, as `file:line`."""

    candidates: tuple[Candidate, ...]
    unread: tuple[str, ...]


def candidates_in(folder: Path) -> Looked:
    """The applications of a project; where there is none, the functions that take a message for somebody."""
    applications: list[Candidate] = []
    functions: list[Candidate] = []
    unread: list[str] = []
    for file in _files(folder):
        name = file.relative_to(folder).as_posix()
        try:
            module = ast.parse(file.read_bytes())
        except (OSError, ValueError, RecursionError, MemoryError, SyntaxError) as error:
            line = error.lineno if isinstance(error, SyntaxError) else None
            unread.append(f"{name}:{line}" if line else name)
            continue
        applications += _applications(module, name)
        functions += _functions(module, name)
    return Looked(tuple(applications or functions), tuple(unread))


def _files(folder: Path) -> Iterator[Path]:
    seen = 0
    for place, folders, files in os.walk(folder):
        kept = (n for n in folders if not n.startswith(".") and n not in _NOT_OURS)
        folders[:] = sorted(n for n in kept if not os.path.exists(os.path.join(place, n, "pyvenv.cfg")))
        for name in sorted(files):
            if not name.endswith(".py") or name.startswith("test_") or name in ("conftest.py", "setup.py"):
                continue
            file = Path(place, name)
            if file.is_symlink() or file.stat().st_size > _LARGEST:
                continue
            seen += 1
            if seen > _MOST_FILES:
                return
            yield file


def _applications(module: ast.Module, file: str) -> list[Candidate]:
    names = _imported(module)
    # What a factory makes, by the factory's name.
    factories = {
        node.name: (made, node.lineno)
        for node in module.body
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and not _parameters(node)
        and (made := _returned(node, names)) is not None
    }
    found: dict[str, Candidate] = {}  # by name: the branches of an `if` may each make it
    called: set[str] = set()
    for target, value, line in _assignments(module.body):
        made = _made(value, names)
        if made is None and isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
            made = factories.get(value.func.id, (None, 0))[0]
            called.add(value.func.id)
        if made is not None:
            found.setdefault(target, Candidate(f"{file}:{target}", made, f"{file}:{line}"))
    return [
        *found.values(),
        *(
            Candidate(f"{file}:{name}()", f"{made} factory", f"{file}:{line}")
            for name, (made, line) in factories.items()
            if name not in called
        ),
    ]


def _functions(module: ast.Module, file: str) -> list[Candidate]:
    whose = {*SESSION_NAMES, *USER_NAMES}
    found: list[Candidate] = []
    for node in module.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith("_"):
            names = set(_parameters(node))
            if names & whose and names & set(MESSAGE_NAMES):
                found.append(Candidate(f"{file}:{node.name}", "function", f"{file}:{node.lineno}"))
    return found


def _imported(module: ast.Module) -> dict[str, str]:
    """The full name of whatever a name of the module stands for; imports of functions count, which factories have."""
    names: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.asname:
                    names[alias.asname] = alias.name
                else:
                    top = alias.name.partition(".")[0]
                    names[top] = top
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _made(value: ast.expr | None, names: dict[str, str]) -> str | None:
    if not isinstance(value, ast.Call):
        return None
    parts: list[str] = []
    call: ast.expr = value.func
    while isinstance(call, ast.Attribute):
        parts.insert(0, call.attr)
        call = call.value
    if not isinstance(call, ast.Name):
        return None
    return _MAKERS.get(".".join((names.get(call.id, call.id), *parts)))


def _returned(function: ast.FunctionDef | ast.AsyncFunctionDef, names: dict[str, str]) -> str | None:
    made = {target: _made(value, names) for target, value, _ in _assignments(function.body)}
    for node in ast.walk(function):
        if isinstance(node, ast.Return):
            what = made.get(node.value.id) if isinstance(node.value, ast.Name) else _made(node.value, names)
            if what is not None:
                return what
    return None


def _assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr | None, int]]:
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.value, node.lineno
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value, node.lineno
        elif isinstance(node, (ast.If, ast.Try, ast.With)) and not _is_of_a_script(node):
            yield from _assignments(inner for inner in ast.iter_child_nodes(node) if isinstance(inner, ast.stmt))


def _is_of_a_script(node: ast.stmt) -> bool:
    """Whether it is `if __name__ == "__main__"`, which no import runs."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def _parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    arguments = function.args
    return [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
