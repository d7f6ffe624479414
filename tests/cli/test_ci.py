"""What docs/ci.md and the pre-commit hook promise: YAML that is valid, commands and options that exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from crosslane.replay.settings import load_settings
from crosslane.tui.commands.program import app

from ..conftest import ROOT

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
HOOKS = ROOT / ".pre-commit-hooks.yaml"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def commands() -> list[str]:
    said = [text for block in blocks("yaml") for text in texts(yaml.safe_load(block))]
    said += [line.removeprefix("$ ") for block in blocks("console") for line in block.splitlines()]
    said += [hook["entry"] for hook in yaml.safe_load(HOOKS.read_text())]
    return [text for text in said if text.startswith("crosslane ")]


@pytest.mark.parametrize("command", commands())
def test_every_command_that_is_shown_exists_with_its_options(command: str) -> None:
    words = shlex.split(command.partition(">")[0])[1:]
    known = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    names = {name for parameter in known.params for name in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= names


def test_the_workflows_keep_their_reports_when_the_check_fails() -> None:
    github, gitlab, _ = (yaml.safe_load(block) for block in blocks("yaml"))
    upload = next(step for step in github["jobs"]["isolation"]["steps"] if "sarif_file" in step.get("with", {}))
    assert "failure()" in upload["if"]
    assert any(upload["with"]["sarif_file"] in str(step.get("run")) for step in github["jobs"]["isolation"]["steps"])
    assert github["permissions"]["security-events"] == "write"
    assert gitlab["isolation"]["artifacts"]["when"] == "always"


def test_the_hook_runs_a_command_of_the_distribution_and_is_the_one_that_is_shown() -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text())
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert hook["entry"].split()[0] in scripts
    assert hook["pass_filenames"] is False
    (shown,) = yaml.safe_load(blocks("yaml")[2])["repos"]
    assert shown["hooks"][0]["id"] == hook["id"]


def test_the_settings_that_are_shown_are_settings(tmp_path: Path) -> None:
    (block,) = blocks("toml")
    (tmp_path / "pyproject.toml").write_text(block)
    settings = load_settings(tmp_path, None)
    assert settings.handler == "app/main.py:app"
    assert settings.baseline == tmp_path / "crosslane-baseline.json"
