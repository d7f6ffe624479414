"""`crosslane import` as a shell sees it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from crosslane.replay.trace.store import load

LINE = {"ts": 1_795_168_800, "session_id": "s-1", "user_id": "u-1", "path": "/chat", "request": {"message": "\x1b[31m"}}


def crosslane(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crosslane.tui", *arguments]
    environment = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, input=stdin, capture_output=True, text=True, check=False
    )


def test_import_writes_a_trace_and_sums_up_on_standard_error(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(json.dumps(LINE) + "\n\x1b]0;evil\x07\n")
    done = crosslane(tmp_path, "import", "log.jsonl", "-o", "t.jsonl")
    assert (done.returncode, done.stdout) == (0, "")
    assert "log.jsonl: plain: 1 replayable" in done.stderr
    assert "read start from ts" in done.stderr
    assert "log.jsonl:2: is not JSON" in done.stderr
    assert "session named by: field:session_id 1" in done.stderr
    assert done.stderr.endswith("wrote t.jsonl: 1 request, 1 session, 1 user\n")
    assert "\x1b" not in done.stderr
    assert [request.session for request in load(tmp_path / "t.jsonl").requests] == ["s-1"]


def test_import_reads_standard_input_and_prints_its_summary_as_json(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('start = "when"\n')
    line = {"when": 1_795_168_800, "who": "ann", "ask": "hi"}
    options = ["--mapping", "map.toml", "--map", "request=ask", "--user", "field:who", "--fallback", "request"]
    done = crosslane(tmp_path, "import", "-", "-o", "t.jsonl", "--json", *options, stdin=json.dumps(line))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["requests"], summary["files"][0]["format"]) == (1, "plain")
    assert summary["places"]["user"] == {"field:who": 1}


def test_import_of_nothing_usable_exits_two_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("what is this\n")
    for arguments in (
        ["log"],
        ["none"],
        ["log", "--format", "plain"],
        ["log", "--session", "x"],
        ["log", "--map", "a=b"],
    ):
        done = crosslane(tmp_path, "import", *arguments, "-o", "t.jsonl")
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "t.jsonl").exists()


def test_slice_says_how_much_it_kept_and_exits_two_where_nothing_is_left(tmp_path: Path) -> None:
    lines = [{"session": session, "message": "hi"} for session in ("a", "b", "a")]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = crosslane(tmp_path, "slice", "t.jsonl", "-o", "s.jsonl", "--session", "a")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "wrote s.jsonl: 2 of 3 requests, 1 of 2 sessions\n"
    assert [request.id for request in load(tmp_path / "s.jsonl").requests] == ["r1", "r3"]
    for arguments in (["--session", "z"], [], ["--around", "x"], ["--around", "r1", "--margin", "long"]):
        done = crosslane(tmp_path, "slice", "t.jsonl", "-o", "n.jsonl", *arguments)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert not (tmp_path / "n.jsonl").exists()


def test_a_trace_can_come_through_a_pipe(tmp_path: Path) -> None:
    lines = [
        json.dumps({"session": name, "user": name, "message": f"I am {name}@example.com"}) for name in ("ann", "bo")
    ]
    (tmp_path / "agent.py").write_text(
        "said = []\ndef handle(message):\n    said.append(message)\n    return str(said)\n"
    )
    done = crosslane(tmp_path, "check", "-", "agent.py:handle", "--format", "json", stdin="\n".join(lines))
    report = json.loads(done.stdout)
    assert (done.returncode, report["verdict"], report["trace"]) == (1, "contaminated", "standard input")
    leak = [*lines, '{"k":"res","id":"r2","t":9,"text":"hello ann@example.com"}']
    done = crosslane(tmp_path, "audit", "-", "--format", "json", stdin="\n".join(leak))
    assert (done.returncode, json.loads(done.stdout)["trace"]) == (1, "standard input")
    done = crosslane(tmp_path, "open", "-", stdin="")
    assert done.returncode == 2
    assert "the interface needs standard input for its keys" in done.stderr


@pytest.mark.parametrize(("upstream", "said"), [("recorded", True), ("echo", False)])
def test_recorded_answers_that_are_asked_for_and_not_there_are_told(tmp_path: Path, upstream: str, said: bool) -> None:
    lines = [json.dumps({"session": name, "user": name, "message": f"I am {name}"}) for name in ("ann", "bo")]
    (tmp_path / "t.jsonl").write_text("\n".join(lines))
    (tmp_path / "agent.py").write_text("async def handle(message):\n    return message\n")
    options = ("--upstream", upstream, "--format", "json")
    done = crosslane(tmp_path, "check", "t.jsonl", "agent.py:handle", *options)
    remark = "the trace has no upstream calls, so --upstream recorded repeats none"
    assert (remark in done.stderr) == said
    assert any(remark in warning for warning in json.loads(done.stdout)["warnings"]) == said
