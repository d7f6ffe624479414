"""crosslane init: settings are written into what is there, and nothing of it is lost."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from crosslane.replay.errors import SettingsError
from crosslane.replay.settings import load_settings
from crosslane.replay.settings_file import with_settings
from hypothesis import given
from hypothesis import strategies as st

from ..conftest import SAMPLES

COMMAND = [sys.executable, "-m", "crosslane.tui", "init"]
APP = "import sys\nfrom flask import Flask\napp = Flask('x')\nopen('was-run', 'w')\n"
PROJECT = '# ours\n[project]\nname = "shop"  # the shop\n\n[tool.other]\nx = [1,\n  2]\n'


@pytest.fixture
def init(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run([*COMMAND, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert not (tmp_path / "was-run").exists()
        assert "Traceback" not in done.stderr
        return done

    return run


def test_the_application_goes_into_pyproject_and_its_text_stays(init, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "t.jsonl").write_text('{"user": "alice", "request": {"method": "GET", "path": "/"}}\n')
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    printed = init("--print")
    assert (tmp_path / "pyproject.toml").read_text() == PROJECT
    done = init()
    assert done.returncode == 0
    assert "app.py:app: Flask, app.py:3" in done.stderr
    after = (tmp_path / "pyproject.toml").read_text()
    assert after == printed.stdout
    assert after.startswith(PROJECT)
    settings = load_settings(tmp_path, None)
    assert (settings.handler, settings.trace) == ("app.py:app", tmp_path / "t.jsonl")
    again = init()
    assert again.returncode == 2
    assert "has settings of Crosslane already; edit them, or give --force" in again.stderr
    assert init("--force", "--handler", "app.py:other").returncode == 0
    assert load_settings(tmp_path, None).handler == "app.py:other"


def test_after_it_check_needs_no_arguments_wherever_it_is_run(init, tmp_path: Path) -> None:
    agent = (SAMPLES / "shared_list.py").read_text()
    (tmp_path / "agent.py").write_text(agent)
    (tmp_path / "t.jsonl").write_text((SAMPLES / "shared_list.jsonl").read_text())
    (tmp_path / "below").mkdir()
    assert init().returncode == 0

    def check(*arguments: str, folder: Path = tmp_path / "below") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path / "state")}
        command = [sys.executable, "-m", "crosslane.tui", "check", *arguments, "--budget", "60x"]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    assert check().returncode == 1
    (tmp_path / "fixed.py").write_text((SAMPLES / "fixed_lock.py").read_text())
    assert check("fixed.py:handle_message", folder=tmp_path).returncode in (0, 3), "a handler alone is no trace"
    assert check(str(tmp_path / "t.jsonl")).returncode == 1
    missing = check("nope.jsonl")
    assert (missing.returncode, "nope.jsonl: no such file" in missing.stderr) == (2, True)


def test_several_candidates_are_listed_and_one_is_taken(init, tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(APP)
    (tmp_path / "two.py").write_text(APP)
    doubt = init("--yes")
    assert doubt.returncode == 2
    assert "one.py:app (Flask), two.py:app (Flask); choose one with --handler" in doubt.stderr
    assert not (tmp_path / "crosslane.toml").exists()
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text('{"user": "alice", "message": "hello"}\n')
    done = init("--handler", "two.py:app")
    assert done.returncode == 0
    assert "several traces are here (one.jsonl, two.jsonl): set one as trace" in done.stderr
    settings = load_settings(tmp_path, None)
    assert (settings.handler, settings.trace) == ("two.py:app", None)


def test_on_a_terminal_it_asks(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(APP)
    (tmp_path / "two.py").write_text(APP)
    master, slave = pty.openpty()
    process = subprocess.Popen(COMMAND, cwd=tmp_path, stdin=slave, stdout=slave, stderr=subprocess.PIPE, text=True)
    os.close(slave)
    os.write(master, b"2\ny\n")
    _, said = process.communicate(timeout=60)
    os.close(master)
    assert "  2  two.py:app  Flask" in said
    assert load_settings(tmp_path, None).handler == "two.py:app"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "a user and a message; left out, for it is no Python 3."),
        (("--handler", "nope.py:app"), "no such file"),
        (("--handler", "http://127.0.0.1:1", "--trace", "none.jsonl"), "none.jsonl: no such file"),
    ],
)
def test_what_cannot_be_set_is_one_line(init, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "main.py").write_text("app = (\n")
    done = init(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "before",
    [
        "",
        PROJECT,
        PROJECT.rstrip("\n"),
        f'{PROJECT}\n[tool.crosslane]  # mine\nhandler = "old"\n# why\n[[tool.crosslane.allow]]\nsink = "body"\n',
        f'[tool.crosslane]\nbudget = "1s"\n\n{PROJECT}',
    ],
)
@given(value=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x7f"), min_size=1, max_size=12))
def test_any_value_is_written_and_all_else_stays(before: str, value: str) -> None:
    after = with_settings(Path("pyproject.toml"), before, {"handler": value}, force=True)
    kept = [line for line in before.splitlines() if line and not line.startswith("handler")]
    assert [line for line in after.splitlines() if line in kept] == kept
    assert tomllib.loads(after)["tool"]["crosslane"]["handler"] == value


def test_a_form_that_cannot_be_added_to_is_refused() -> None:
    for before in (
        'tool.crosslane.handler = "x"\n',
        '[tool]\ncrosslane = {handler = "x"}\n',
        '[tool.crosslane]\nhandler = """\nx"""\n',
    ):
        with pytest.raises(SettingsError, match="by hand"):
            with_settings(Path("pyproject.toml"), before, {"handler": "y"}, force=True)
