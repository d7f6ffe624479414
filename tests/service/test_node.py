"""The commands against a service that is not Python: the classic bug, and its fix, in Node."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from crosslane.replay.service.launch import free_port

from .services import NODE_GLOBAL, NODE_LOCAL, TWO

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")


@pytest.fixture
def crosslane(tmp_path: Path):
    (tmp_path / "trace.jsonl").write_text(
        "\n".join(['{"k": "header", "v": 1}', *(json.dumps(e.request.to_json()) for e in TWO), '{"k": "end"}'])
    )

    def run(command: str, source: str, *options: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "server.js").write_text(source)
        url = f"http://127.0.0.1:{free_port()}"
        launch = ("--launch", "node server.js") if source else ()
        return subprocess.run(
            [sys.executable, "-m", "crosslane.tui", command, "trace.jsonl", url, *launch, *options],
            cwd=tmp_path,
            env={**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "120"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_check_finds_the_global_of_a_node_service_and_exits_one(crosslane) -> None:
    done = crosslane("check", NODE_GLOBAL, "--format", "json", "--budget", "20s")
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    (crossing,) = report["crossings"]
    assert crossing["needs"] == {"class": "interleaved", "switches": 1, "sessions": 2, "requests": 2}
    assert crossing["sink"]["path"] == "body.reply"
    assert crossing["carrier"] is None
    assert report["coverage"]["interior_points"] == {"alice": 1, "bob": 1}


def test_replay_shows_the_lanes_of_the_fixed_node_service_side_by_side(crosslane) -> None:
    done = crosslane("replay", NODE_LOCAL, "--settle", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert "◇ await openai.chat" in done.stdout
    assert "bob said my code is QW-9922" in done.stdout
    assert "scheduling inside the service" in done.stdout


def test_what_is_wrong_with_a_url_is_one_line_and_exit_code_two(crosslane) -> None:
    done = crosslane("replay", "")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "nothing listens there; start the service, or let Crosslane start it with --launch" in done.stderr
