"""The commands as a shell sees them: output, exit codes, and one clear line for everything that is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ..conftest import SAMPLES

BUG = (str(SAMPLES / "shared_list.jsonl"), f"{SAMPLES}/shared_list.py:handle_message")
CLEAN = (str(SAMPLES / "shared_list.jsonl"), f"{SAMPLES}/fixed_lock.py:handle_message")


@pytest.fixture
def crosslane(tmp_path: Path):
    def run(*arguments: str, columns: int = 100, **environment: str) -> subprocess.CompletedProcess[str]:
        settings = {
            **os.environ,
            "CROSSLANE_STATE_DIR": str(tmp_path / "state"),
            "COLUMNS": str(columns),
            **environment,
        }
        return subprocess.run(
            [sys.executable, "-m", "crosslane.tui", *arguments],
            cwd=tmp_path,
            env=settings,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_check_prints_the_contract_as_json_and_exits_one(crosslane) -> None:
    done = crosslane("check", *BUG, "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert list(report)[:9] == [
        "version",
        "verdict",
        "reason",
        "trace",
        "handler",
        "executions",
        "elapsed_s",
        "coverage",
        "crossings",
    ]
    assert (report["version"], report["verdict"]) == (1, "contaminated")
    assert set(report["coverage"]) == {"statement", "exhaustive_to_switches", "interior_points", "uncontrolled"}
    (crossing,) = report["crossings"]
    assert crossing["carrier"]["name"] == "shared_list.current_context"
    assert crossing["needs"] == {"class": "sequential", "switches": 0, "sessions": 2, "requests": 2}
    assert set(crossing["sink"]) == {"lane", "session", "request", "where", "path", "evidence"}
    assert set(crossing["source"]) == {"lane", "session", "request"}
    assert set(crossing["write"]) == {"lane", "at", "code"}
    assert done.stderr == ""


def test_check_exits_zero_on_a_fix_and_three_when_it_cannot_tell(crosslane, tmp_path: Path) -> None:
    done = crosslane("check", *CLEAN)
    assert done.returncode == 0
    assert "coverage" in done.stdout
    (tmp_path / "plain.py").write_text("def handle(message):\n    return message\n")
    assert crosslane("check", BUG[0], "plain.py:handle").returncode == 3


def test_the_text_report_is_legible_without_colour_in_a_pipe(crosslane) -> None:
    done = crosslane("check", *BUG, columns=80)
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    heading = next(line for line in lines if line.startswith("step"))
    assert heading.index("alice") < heading.index("bob")
    assert max(len(line) for line in lines[: lines.index("")] if line) < 120
    write = next(line for line in lines if "◆ write current_context ━" in line)
    read = next(line for line in lines if "┗━▶ read current_context" in line)
    assert write.index("┓") == read.index("┗")
    assert any("✗" in line and "Alice Ferrante" in line for line in lines)
    assert "crosslane export" in done.stdout


def test_colour_is_used_only_where_it_is_wanted(crosslane) -> None:
    assert "\x1b[" in crosslane("check", *BUG, FORCE_COLOR="1").stdout
    assert "\x1b[3" not in crosslane("check", *BUG, FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_finding_is_exported_by_its_id_and_the_script_fails(crosslane, tmp_path: Path) -> None:
    report = json.loads(crosslane("check", *BUG, "--format", "json").stdout)
    done = crosslane("export", report["crossings"][0]["id"], "--as", "script", "-o", "repro.py")
    assert done.returncode == 0
    assert "repro.py" in done.stderr
    assert subprocess.run([sys.executable, "repro.py"], cwd=tmp_path, capture_output=True, check=False).returncode == 1
    assert crosslane("export", report["crossings"][0]["id"], "-o", "-").stdout == (tmp_path / "repro.py").read_text()


def test_a_schedule_that_was_saved_is_followed_again(crosslane, tmp_path: Path) -> None:
    overlap = (str(SAMPLES / "overlap.jsonl"), f"{SAMPLES}/overlap.py:handle_message")
    first = crosslane("replay", *overlap, "--seed", "3", "--save-schedule", "s.json", "--format", "json")
    again = crosslane("replay", *overlap, "--schedule", "s.json", "--format", "json")
    assert json.loads(first.stdout)["run"] == json.loads(again.stdout)["run"]
    (tmp_path / "names.json").write_text('["alice", "alice", "bob", "bob", "alice"]')
    forced = crosslane("replay", *overlap, "--schedule", "names.json")
    assert forced.returncode == 1
    lockstep = crosslane("replay", *overlap)
    assert lockstep.returncode == 0, "a single gather misses it"


@pytest.mark.parametrize("command", ["check", "replay"])
def test_a_lane_that_was_lost_to_skipped_lines_is_told_with_the_verdict(
    crosslane, tmp_path: Path, command: str
) -> None:
    (tmp_path / "agent.py").write_text("import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n")
    alice, bob = (f'{{"user": "{user}", "message": "hi"}}\n'.encode() for user in ("alice", "bob"))
    (tmp_path / "t.jsonl").write_bytes(alice.replace(b"hi", b"\xe9") + bob)
    done = crosslane(command, "t.jsonl", "agent.py:handle")
    assert done.returncode == 3
    reason = " ".join(done.stdout.split())
    assert "one lane only (bob): nobody else's data could cross; 1 line of it was skipped" in reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check",), "no trace is given, and none is set"),
        (("check", "nope.jsonl", "a.py:b"), "nope.jsonl: no such file"),
        (("check", "", BUG[1]), "crosslane: no trace is named: this is the current directory, or nothing; name a"),
        (("check", BUG[0], ""), "crosslane: the name of the handler is empty"),
        (("check", BUG[0], "a.py:b"), "no such file"),
        (("check", BUG[0], f"{SAMPLES}/shared_list.py:handle_mesage"), "did you mean 'handle_message'?"),
        (("check", *BUG, "--budget", "soon"), "cannot read the budget 'soon'"),
        (("check", *BUG, "--format", "yaml"), "yaml"),
        (("check", *BUG, "--boundary", "json.org"), "has nothing at 'json.org'"),
        (("check", *BUG, "--cwd", "/no/such"), "no such directory"),
        (("replay", *BUG, "--schedule", "gone.json"), "gone.json: cannot be read"),
        (("replay", *BUG, "--seed", "1", "--serial"), "exclude each other"),
        (("replay", *BUG, "--concurrency", "0"), "Invalid value for '--concurrency'"),
        (("export", "nothing", "-o", "x.py"), "no finding 'nothing' is kept"),
        (("demo",), "the interface needs a terminal, and standard "),
        (("chek",), "No such command"),
        (("check", *BUG, "--frobnicate"), "No such option"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(crosslane, arguments: tuple[str, ...], said: str) -> None:
    done = crosslane(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.stdout == ""


def test_lines_of_the_trace_that_were_skipped_are_said_on_standard_error(crosslane, tmp_path: Path) -> None:
    lines = Path(BUG[0]).read_text() + "{torn"
    (tmp_path / "t.jsonl").write_text(lines)
    done = crosslane("check", "t.jsonl", BUG[1])
    assert done.returncode == 1
    assert "t.jsonl:9: torn" in done.stderr


def test_hostile_content_does_not_reach_the_terminal_raw(crosslane, tmp_path: Path) -> None:
    evil = "Alice \x1b]0;owned\x07\x1b[2J[bold red]Ferrante\u202e"
    records = [
        {"session": "s\x1b[1m1", "user": "al\x1b[5mice", "message": evil},
        {"session": "s2", "user": "bob", "message": "Bob"},
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for command in ("check", "replay"):
        done = crosslane(command, "t.jsonl", BUG[1])
        assert not set(done.stdout) & {"\x1b", "\x07", "\u202e"}
        assert "[bold red]" in done.stdout
    assert "\x1b" not in crosslane("check", "t.jsonl", BUG[1], "--format", "json").stdout


def test_an_interrupt_keeps_what_was_found(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import asyncio\nlog = []\nasync def handle(message):\n    log.append(message)\n"
        "    for _ in range(300): await asyncio.sleep(0)\n    return list(log)\n"
    )
    command = [
        sys.executable,
        "-m",
        "crosslane.tui",
        "check",
        BUG[0],
        "slow.py:handle",
        "--budget",
        "10m",
        "--format",
        "json",
    ]
    environment = {**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path / "state")}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    state = tmp_path / "started"
    # The worker is a child of the command; once it runs the search, the command has its handler in place.
    while process.poll() is None and not _children_busy(process.pid):
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    report = json.loads(out)
    assert process.returncode in (1, 3)
    told = ("until interrupted", "nothing together", "interrupted while the handler was tried for the first time")
    assert any(each in report["coverage"]["statement"] for each in told)
    assert not state.exists()


def _children_busy(pid: int) -> bool:
    """Whether the command's worker has used some processor time of its own, so that it is past its start."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return any(
            int(Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[11]) > 30 for child in children
        )
    except (OSError, IndexError):
        return False


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m crosslane.tui check {' '.join(BUG)} | head -1"
    environment = {**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path)}
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment, check=False)
    assert "contaminated" in done.stdout
    assert done.stderr == ""


def test_the_version_is_printed(crosslane) -> None:
    assert crosslane("--version").stdout.startswith("crosslane 0.")


def test_a_kept_schedule_is_strict_and_names_the_first_divergence(crosslane, tmp_path: Path) -> None:
    source = "import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n    return message\n"
    (tmp_path / "agent.py").write_text(source)
    lines = [{"session": f"s{n}", "user": u, "message": f"I am {u}"} for n, u in enumerate(("alice", "robert"))]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = ("replay", "t.jsonl", "agent.py:handle")
    assert crosslane(*run, "--save-schedule", "s.json").returncode == 0
    kept = json.loads((tmp_path / "s.json").read_text())
    assert kept["python"].startswith("3.")
    assert kept["decisions"][2] == {"lane": "alice", "enabled": ["alice", "robert"], "at": "agent.py:3"}
    assert crosslane(*run, "--schedule", "s.json").returncode == 0
    (tmp_path / "agent.py").write_text(source.replace("    await", "    x = 1\n    await", 1))
    strict = crosslane(*run, "--schedule", "s.json")
    assert strict.returncode == 3
    assert "step 3: alice stood at agent.py:3, and stands at agent.py:4 now" in " ".join(strict.stdout.split())
    loose = crosslane(*run, "--schedule", "s.json", "--best-effort")
    assert loose.returncode == 0


def test_the_critical_switch_is_named(crosslane) -> None:
    out = crosslane("check", str(SAMPLES / "overlap.jsonl"), f"{SAMPLES}/overlap.py:handle_message", "--format", "json")
    (crossing,) = json.loads(out.stdout)["crossings"]
    pair = crossing["critical"]
    assert pair["at"] == crossing["schedule"][-1]["at"], "who was held goes on last, from where it was held"
    assert pair["held"] == crossing["schedule"][pair["step"] - 1]["lane"] != pair["ran"]
    assert set(pair["passes"]) == {pair["held"], pair["ran"]}


def test_check_prints_formats_for_ci_and_export_goes_by_the_name_of_the_file(crosslane, tmp_path: Path) -> None:
    sarif = crosslane("check", *BUG, "--format", "sarif")
    assert sarif.returncode == 1
    (result,) = json.loads(sarif.stdout)["runs"][0]["results"]
    junit = crosslane("check", *BUG, "--format", "junit")
    assert junit.returncode == 1
    assert "<failure" in junit.stdout
    identity = result["partialFingerprints"]["crosslaneFinding/v1"]
    done = crosslane("export", identity, "-o", "finding.mmd")
    assert "wrote finding.mmd" in done.stderr
    assert (tmp_path / "finding.mmd").read_text().startswith("sequenceDiagram")
    refused = crosslane("export", identity, "--as", "pdf", "-o", "x")
    assert refused.returncode == 2
    assert "no format 'pdf'" in refused.stderr
