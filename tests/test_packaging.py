"""What the distribution promises: every folder travels, and imports run one way."""

from __future__ import annotations

import ast
import tomllib

from .conftest import ROOT


def test_every_folder_with_code_is_in_the_distribution() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {path.parent for top in ("replay", "tui") for path in (ROOT / top).rglob("*.py")} | {
        ROOT / "sample_traces"
    }
    assert listed == {"crosslane." + ".".join(folder.relative_to(ROOT).parts) for folder in folders}


def test_the_engine_does_not_reach_up_to_the_screen() -> None:
    for path in (ROOT / "replay").rglob("*.py"):
        depth = len(path.relative_to(ROOT / "replay").parts)
        for node in ast.walk(ast.parse(path.read_text())):
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
        for node in ast.parse((ROOT / "replay" / name).read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.level:
                above = folder if node.level == 1 else folder.parent
                path = above / ((node.module or "").replace(".", "/") + ".py")
                assert path.relative_to(ROOT / "replay").as_posix() in carried, f"{name}:{node.lineno}"


def test_no_two_files_that_travel_into_scripts_define_the_same_name() -> None:
    """They share one namespace there."""
    from crosslane.replay.export.script import CARRIED, CARRIED_UPSTREAM

    owner: dict[str, str] = {}
    for name in (*CARRIED, *CARRIED_UPSTREAM):
        for node in ast.parse((ROOT / "replay" / name).read_text()).body:
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
