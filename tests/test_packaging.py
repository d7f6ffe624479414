"""What the distribution promises: every folder travels, and imports run one way."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

from .conftest import ROOT

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# What only runs where the user's own program brings it.
_OF_THE_USER = {"pytest", "httpx", "requests", "starlette", "fastapi", "flask", "werkzeug", "sqlalchemy", "urllib3"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def test_every_folder_with_code_is_in_the_distribution() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent for top in ("replay", "tui") for path in (ROOT / top).rglob("*.py")} | {
        ROOT / "sample_traces"
    }
    assert listed == {"crosslane." + ".".join(folder.relative_to(ROOT).parts) for folder in folders}


def test_type_checkers_of_other_projects_are_told_that_the_python_interface_is_typed() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert "py.typed" in data["crosslane.replay"]
    assert (ROOT / "replay" / "py.typed").is_file()


def test_the_engine_does_not_reach_up_to_the_screen() -> None:
    for path in (ROOT / "replay").rglob("*.py"):
        depth = len(path.relative_to(ROOT / "replay").parts)
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= depth, f"{path}:{node.lineno} reaches out of the engine"
                assert (node.module or "").partition(".")[0] not in ("textual", "rich", "typer", "tui"), path
            elif isinstance(node, ast.Import):
                assert not any(alias.name.partition(".")[0] in ("textual", "rich", "typer") for alias in node.names), (
                    path
                )


def test_files_that_travel_into_scripts_import_nothing_but_each_other() -> None:
    from crosslane.replay.export.script import CARRIED, CARRIED_UPSTREAM

    carried = (*CARRIED, *CARRIED_UPSTREAM)
    for name in carried:
        folder = (ROOT / "replay" / name).parent
        for node in parsed(ROOT / "replay" / name).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                above = folder if node.level == 1 else folder.parent
                path = above / ((node.module or "").replace(".", "/") + ".py")
                assert path.relative_to(ROOT / "replay").as_posix() in carried, f"{name}:{node.lineno}"


def test_no_two_files_that_travel_into_scripts_define_the_same_name() -> None:
    """They share one namespace there."""
    from crosslane.replay.export.script import CARRIED, CARRIED_UPSTREAM

    owner: dict[str, str] = {}
    for name in (*CARRIED, *CARRIED_UPSTREAM):
        for node in parsed(ROOT / "replay" / name).body:
            named = [node.name] if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) else []
            targets = (
                node.targets
                if isinstance(node, ast.Assign)
                else [node.target]
                if isinstance(node, ast.AnnAssign)
                else []
            )
            named += [target.id for target in targets if isinstance(target, ast.Name)]
            for each in named:
                assert owner.setdefault(each, name) == name, f"{each} is in {owner[each]} and in {name}"


def test_whatever_is_imported_is_declared() -> None:
    """A library that only the development extra brings would be missing where Crosslane is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name: wanted for name, wanted in project["optional-dependencies"].items() if name != "dev"}
    needed = {_name(line) for line in project["dependencies"]}
    optional = {_name(line) for wanted in extras.values() for line in wanted}
    of_module = packages_distributions()
    for path in [path for top in ("replay", "tui") for path in (ROOT / top).rglob("*.py")]:
        tree = parsed(path)
        lazy = {
            id(node)
            for scope in ast.walk(tree)
            if isinstance(scope, (*_FUNCTIONS, ast.Try))
            for node in ast.walk(scope)
        }
        for node in ast.walk(tree):
            for module in _imported(node):
                if module in sys.stdlib_module_names or module == "crosslane":
                    continue
                names = {_name(name) for name in of_module.get(module, [module])}
                own = path.name == "pytest_plugin.py" or id(node) in lazy  # pytest alone imports its plugin
                allowed = needed | (optional | _OF_THE_USER if own else set())
                assert names & allowed, f"{path}:{node.lineno} imports {module}, which nothing declares"


def _imported(node: ast.AST) -> list[str]:
    """The top names of the modules that an import statement brings from outside of Crosslane."""
    if isinstance(node, ast.ImportFrom):
        return [] if node.level else [(node.module or "").partition(".")[0]]
    return [alias.name.partition(".")[0] for alias in node.names] if isinstance(node, ast.Import) else []


def _name(requirement: str) -> str:
    """The name of a distribution as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()
