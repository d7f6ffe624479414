"""The real program in a real terminal, from the start screen to an exported script that shows the bug by itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ..conftest import SAMPLES
from .terminal import Terminal

ENTER = "\r"


def test_from_the_start_screen_to_a_script_that_shows_the_bug(tmp_path: Path) -> None:
    for name in ("overlap.jsonl", "overlap.py", "overlap_fixed.py"):
        shutil.copy(SAMPLES / name, tmp_path)
    environment = {
        **os.environ,
        "CROSSLANE_STATE_DIR": str(tmp_path / "state"),
        "CROSSLANE_CONFIG_DIR": str(tmp_path / "config"),
    }
    with Terminal(
        [sys.executable, "-m", "crosslane.tui", "open", "overlap.jsonl", "overlap.py:handle_message"],
        cwd=tmp_path,
        env=environment,
        columns=160,
        rows=45,
    ) as terminal:
        terminal.until("1 crossing")
        terminal.send("e")
        terminal.until("repro_")
        terminal.send(ENTER)
        terminal.until("wrote")
        terminal.send("?")
        terminal.until("Pin the lane")
        terminal.send("?")  # the same key closes it; an escape before the next key would be taken for alt
        terminal.send("q")
        assert terminal.wait() == 0
    (repro,) = tmp_path.glob("repro_*.py")
    bug = subprocess.run([sys.executable, repro.name], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (bug.returncode, "Alice" in bug.stdout) == (1, True), bug.stdout + bug.stderr
    fixed = subprocess.run(
        [sys.executable, repro.name, "overlap_fixed.py:handle_message"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
