"""The first command of the README, as a newcomer types it: it installs Crosslane and opens the demo."""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from ..conftest import ROOT
from ..tui.terminal import Terminal
from .pages import blocks

_NOT_OF_THE_CHECKOUT = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache")


def test_the_first_command_installs_crosslane_and_opens_the_demo(tmp_path: Path) -> None:
    """From a copy without anything built. The libraries are this environment's: what else it needs comes from PyPI."""
    (line,) = [b.text.strip() for b in blocks((ROOT / "README.md").read_text()) if b.text.endswith("crosslane demo\n")]
    checkout = Path(shutil.copytree(ROOT, tmp_path / "crosslane", ignore=_NOT_OF_THE_CHECKOUT))
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "PIP_NO_DEPS": "1",
        "PYTHONPATH": sysconfig.get_path("purelib"),
        "CROSSLANE_STATE_DIR": str(tmp_path),
        "CROSSLANE_CONFIG_DIR": str(tmp_path),
    }
    with Terminal(["sh", "-c", line], cwd=checkout, env=environment, columns=160, rows=45) as terminal:
        terminal.until("shared_list.current_context", 240)
        terminal.send("q")
        assert terminal.wait() == 0
        assert "\x1b[?1049l" in terminal.raw  # the alternate screen has been left
        assert "Traceback" not in terminal.text
    (installed,) = checkout.glob(".venv/lib/python*/site-packages/crosslane")
    assert (installed / "sample_traces").is_dir()
