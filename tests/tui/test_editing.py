"""The user's own editor in a real terminal: it gets the terminal, and the interface comes back with what it changed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ..conftest import SAMPLES
from .terminal import Terminal

# A file of its own for a name that no editor has: it is given the file alone.
EDITOR = """
import pathlib, sys
file = pathlib.Path(sys.argv[1])
print("EDITING", file.name, sys.stdin.isatty(), sys.stdout.isatty(), flush=True)
sys.stdin.readline()
file.write_text(pathlib.Path("overlap_fixed.py").read_text())
"""


def test_the_editor_gets_the_terminal_and_the_interface_comes_back_and_runs_what_was_edited(tmp_path: Path) -> None:
    for name in ("overlap.jsonl", "overlap.py", "overlap_fixed.py"):
        shutil.copy(SAMPLES / name, tmp_path)
    (tmp_path / "edit.py").write_text(EDITOR)
    environment = {key: value for key, value in os.environ.items() if key != "VISUAL"} | {
        "EDITOR": f"{sys.executable} {tmp_path / 'edit.py'}",
        "CROSSLANE_STATE_DIR": str(tmp_path / "state"),
        "CROSSLANE_CONFIG_DIR": str(tmp_path / "config"),
    }
    command = [sys.executable, "-m", "crosslane.tui", "open", "overlap.jsonl", "overlap.py:handle_message"]
    with Terminal(command, cwd=tmp_path, env=environment, columns=160, rows=45) as terminal:
        terminal.until("1 crossing")
        terminal.send("o")
        terminal.until("EDITING overlap.py True True")
        left = terminal.raw.rindex("EDITING")
        assert terminal.raw.rindex("\x1b[?1049l", 0, left) > terminal.raw.rindex("\x1b[?1049h", 0, left)
        terminal.send("\n")
        terminal.until("finding 1 of 1")  # all of it is drawn again, without a key
        terminal.until("palette")
        assert terminal.raw.index("\x1b[?1049h", left) > left
        terminal.send("r")
        terminal.until("search the interleavings again")
        terminal.send("\r")
        terminal.until("reloaded overlap.py")
        terminal.send("q")
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.text
    assert (tmp_path / "overlap.py").read_text() == (SAMPLES / "overlap_fixed.py").read_text()
