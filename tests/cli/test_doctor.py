"""crosslane doctor and shell completion: what a new installation is asked first."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crosslane.tui.commands.doctor import terminal
from rich.console import Console

AGENT = (
    "import asyncio, socket\nasync def handle(user, message):\n    await asyncio.sleep(0)\n"
    "    socket.getaddrinfo('localhost', 1)\n    return message\n"
)
APP = (
    "async def app(scope, receive, send):\n    if scope['type'] == 'lifespan': return\n"
    "    await send({'type': 'http.response.start', 'status': 404, 'headers': []})\n"
    "    await send({'type': 'http.response.body', 'body': b''})\n"
)


def crosslane(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = {**os.environ, "CROSSLANE_STATE_DIR": str(folder / "state"), "HOME": str(folder), **environment}
    command = [sys.executable, "-m", "crosslane.tui", *arguments]
    return subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)


def rows(text: str) -> dict[str, str]:
    return {line[2:14].strip(): f"{line[0]} {line[15:]}" for line in text.splitlines()}


def test_it_says_what_a_handler_is_and_what_escapes_it(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    done = crosslane(tmp_path, "doctor", "agent.py:handle")
    said = rows(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert said["handler"] == "● agent.py:handle: function: user is the user, message is the message"
    assert said["switches"] == "● 1 to 1 in a lane"
    assert said["escapes"].startswith("◐ host looked up")
    assert str(tmp_path / "state") in said["state"]
    assert not (tmp_path / "state").exists(), "it changes nothing"


def test_an_application_is_recognised_and_what_it_refuses_is_said(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "crosslane.toml").write_text('handler = "app.py:app"\n')
    said = rows(crosslane(tmp_path, "doctor").stdout)
    assert said["handler"] == "● app.py:app: asgi"
    assert said["short run"] == "◐ 2 requests, lockstep, status 404; set a trace of requests that it knows"


def test_without_a_handler_the_bug_of_the_demo_proves_the_installation(tmp_path: Path) -> None:
    done = crosslane(tmp_path, "doctor")
    assert done.returncode == 0
    assert rows(done.stdout)["worker"].startswith("● starts, and finds the bug of the demo")


@pytest.mark.parametrize(
    ("arguments", "setting", "label", "said"),
    [
        (("--python", "/no/python"), "", "worker", "cannot start the interpreter"),
        (("gone.py:app",), "", "handler", "no such file"),
        ((), "hander = 'x'", "settings", "unknown setting 'hander'"),
        ((), "trace = 'gone.jsonl'", "settings", "gone.jsonl is not there"),
    ],
)
def test_what_is_in_the_way_is_marked_and_exits_two(
    tmp_path: Path, arguments: tuple[str, ...], setting: str, label: str, said: str
) -> None:
    (tmp_path / "crosslane.toml").write_text(setting)
    done = crosslane(tmp_path, "doctor", *arguments)
    assert done.returncode == 2
    assert rows(done.stdout)[label].startswith("✗")
    assert said in rows(done.stdout)[label]
    assert "Traceback" not in done.stderr


def test_a_terminal_is_judged_by_size_colour_and_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((70, 20)))
    console = Console(file=io.TextIOWrapper(io.BytesIO(), "ascii"), force_terminal=True, color_system="256")
    said = {remark.label: (remark.state, remark.text) for remark in terminal(console, {"TERM": "xterm"})}
    assert said["terminal"] == ("note", "xterm, 70 by 20; the interface needs 80 by 24")
    assert said["colours"] == ("ok", "256")
    assert said["encoding"][0] == "note"
    without = {remark.label: remark.text for remark in terminal(console, {"NO_COLOR": "1"})}
    assert without["colours"] == "none, because NO_COLOR is set"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_completes_commands_and_leaves_files_to_itself(tmp_path: Path, shell: str) -> None:
    def complete(line: str) -> str:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_TYPER_COMPLETE_ARGS": line}
        words |= {"_TYPER_COMPLETE_FISH_ACTION": "get-args", "_CROSSLANE_COMPLETE": f"complete_{shell}"}
        code = "import sys; from crosslane.tui.cli import main; sys.argv = ['crosslane']; main()"
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **words}, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert "doctor" in complete("crosslane doc")
    assert complete("crosslane check tr").strip() in ("", "_files")


def test_completion_is_installed_for_the_shell_that_is_named(tmp_path: Path) -> None:
    code = "import sys; from crosslane.tui.cli import main; sys.argv = ['crosslane', '--install-completion', 'bash']; main()"
    environment = {**os.environ, "HOME": str(tmp_path)}
    # Below a shell, which is how the one that asks is told.
    command = ["bash", "-c", '"$0" -c "$1"; exit $?', sys.executable, code]
    subprocess.run(command, env=environment, capture_output=True, check=True)
    assert "_CROSSLANE_COMPLETE=complete_bash" in (tmp_path / ".bash_completions" / "crosslane.sh").read_text()
