"""assert_isolated and the pytest plugin, as a project's own test suite sees them."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay import CrosslaneError, NotIsolated, assert_isolated, assert_isolated_async
from crosslane.replay.isolation import requests_of

from ..conftest import ROOT
from . import agents

SUITE = """
import asyncio
import pytest
from crosslane.replay import assert_isolated, assert_isolated_async
from .shared import remember

log = []

async def leaking(message):
    log.append(message)
    await asyncio.sleep(0)
    return " ".join(log)

async def overlapping(user, message):
    remember["user"] = user
    await asyncio.sleep(0)
    return f"hello {remember['user']}"

async def isolated(message):
    await asyncio.sleep(0)
    return message

def plain(message):
    return message

def test_one_line_fails():
    assert_isolated(leaking)

def test_a_gather_of_two_misses_it():
    async def both():
        return await asyncio.gather(isolated("a"), isolated("b"))
    assert asyncio.run(both()) == ["a", "b"]

def test_passes(crosslane):
    assert crosslane.assert_isolated(isolated, budget="100x").report.verdict == "clean"

@pytest.mark.crosslane(budget="100x", allow_inconclusive=True)
def test_the_marker_counts(crosslane):
    assert crosslane.options["budget"] == "100x"
    crosslane.assert_isolated(plain)

def test_inconclusive_fails(crosslane):
    crosslane.assert_isolated(plain)

async def test_async_and_one_that_needs_an_overlap(crosslane):
    await crosslane.assert_isolated_async(overlapping, {"alice": ["hi"], "bob": ["hi"]})

@pytest.mark.crosslane(bugdet="1s")
def test_a_misspelt_option_is_refused(crosslane):
    crosslane.assert_isolated(isolated)
"""


@pytest.fixture
def run_suite(tmp_path: Path) -> Callable[..., str]:
    (tmp_path / "suite").mkdir()
    (tmp_path / "suite" / "__init__.py").touch()
    (tmp_path / "suite" / "shared.py").write_text("remember = {}\n")
    (tmp_path / "suite" / "test_agent.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\n")

    def run(*arguments: str) -> str:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "crosslane.replay.pytest_plugin",
            "-p",
            "pytest_asyncio.plugin",
        ]
        command += ["-p", "no:cacheprovider", "--strict-markers", *arguments]
        environment = {**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path / "state"), "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stdout + done.stderr
        return done.stdout

    return run


def test_a_failure_says_who_what_where_and_how_to_see_it(run_suite, tmp_path: Path) -> None:
    out = run_suite("-v")
    statuses = dict(line.split(" ")[:2] for line in out.splitlines() if line.startswith("suite/test_agent.py::"))
    assert {name.partition("::")[2]: status for name, status in statuses.items()} == {
        "test_one_line_fails": "FAILED",
        "test_a_gather_of_two_misses_it": "PASSED",
        "test_passes": "PASSED",
        "test_the_marker_counts": "PASSED",
        "test_inconclusive_fails": "FAILED",
        "test_async_and_one_that_needs_an_overlap": "FAILED",
        "test_a_misspelt_option_is_refused": "FAILED",
    }
    assert "NotIsolated: bob was answered with alice's data through suite.test_agent.log" in out
    assert "carrier  suite.test_agent.log, a module global, suite/test_agent.py:7" in out
    assert "written  by alice at suite/test_agent.py:10: log.append(message)" in out
    assert "NotIsolated: inconclusive: no request has a point inside it" in out
    assert "unknown option 'bugdet'; known: allow_remote, " in out
    assert "switch   alice waits at suite/test_agent.py:16 while bob runs" in out
    heading = next(line for line in out.splitlines() if line.split() == ["E", "alice", "bob"])
    shown = next(line for line in out.splitlines() if "← shown here" in line)
    assert heading.index("bob") == shown.index("✗")
    frames = [line for line in out.splitlines() if re.match(r"\S+\.py:\d+: ", line)]
    assert {frame.partition(":")[0] for frame in frames} == {"suite/test_agent.py"}, "those of Crosslane are hidden"
    opens = next(line for line in out.splitlines() if "crosslane open" in line)
    words = shlex.split(opens.partition("crosslane open ")[2])
    assert words[1:] == ["suite/test_agent.py:leaking", "--cwd", str(tmp_path)]
    assert os.stat(words[0]).st_mode & 0o777 == 0o600
    command = [sys.executable, "-m", "crosslane.tui", "check", *words, "--budget", "20x"]
    assert subprocess.run(command, cwd="/", capture_output=True, check=False).returncode == 1


def test_it_works_in_the_processes_of_xdist(run_suite) -> None:
    out = run_suite("-p", "xdist", "-n", "1", "-k", "one_line")
    assert "1 failed" in out
    assert "carrier  suite.test_agent.log" in out


def test_the_plugin_is_in_the_distribution_and_imports_nothing_but_pytest() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"crosslane": "crosslane.replay.pytest_plugin"}
    code = (
        "import sys, crosslane.replay.pytest_plugin;"
        "print(sorted(m for m in sys.modules if m.startswith('crosslane.replay.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['crosslane.replay.pytest_plugin']\n"


def test_sessions_are_told_turn_by_turn() -> None:
    by_user = {"alice": ["one", {"request": {"x": 1}}], "bob": ["two"]}
    assert requests_of(by_user) == [
        {"user": "alice", "message": "one"},
        {"user": "bob", "message": "two"},
        {"user": "alice", "request": {"x": 1}},
    ]
    assert requests_of("t.jsonl") == "t.jsonl"


def test_one_message_may_stand_without_a_list_and_a_list_may_be_made_on_the_way() -> None:
    assert requests_of({"alice": "hi", "bob": (text for text in ("one", "two")), "carol": {"request": {"x": 1}}}) == [
        {"user": "alice", "message": "hi"},
        {"user": "bob", "message": "one"},
        {"user": "carol", "request": {"x": 1}},
        {"user": "bob", "message": "two"},
    ]


@pytest.mark.parametrize(
    ("sessions", "said"),
    [
        ({"a": [1]}, "sessions['a']: message 1 is 1, which is no message; "),
        ({"a": ["hi", None]}, "sessions['a']: message 2 is None, which is no message; "),
        ({"a": 5}, "sessions['a']: sends 5, which is no list of messages; "),
        ({"user": "alice", "message": "hi"}, "sessions: is one request, and nothing crosses from one to itself; "),
        (["hi"], "request 1 of those given: is 'hi', which is no request; "),
    ],
)
def test_sessions_that_are_none_are_refused_in_one_line(sessions: Any, said: str) -> None:
    with pytest.raises(CrosslaneError) as refused:
        assert_isolated(agents.isolated, sessions)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_allowing_the_inconclusive_takes_a_yes_or_a_no() -> None:
    no: Any = "no"
    with pytest.raises(CrosslaneError, match="the option allow_inconclusive takes True or False, not 'no'"):
        assert_isolated(agents.isolated, allow_inconclusive=no)


async def test_the_error_carries_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path))
    (tmp_path / "traces").mkdir()
    for number in range(200):
        (tmp_path / "traces" / f"old{number}.jsonl").touch()
        os.utime(tmp_path / "traces" / f"old{number}.jsonl", (number, number))
    with pytest.raises(NotIsolated) as sync:
        assert_isolated(agents.leaking, budget="20x")
    with pytest.raises(NotIsolated) as awaited:
        await assert_isolated_async(agents.leaking, budget="20x")
    assert sync.value.result.report.crossings == awaited.value.result.report.crossings
    kept = {path.name for path in (tmp_path / "traces").iterdir()}
    assert (len(kept), "old0.jsonl" in kept) == (200, False), "traces are private, and are not kept for ever"
    assert (await assert_isolated_async(agents.isolated, budget="100x")).report.verdict == "clean"


def test_what_cannot_be_used_is_said_without_the_way_through_the_engine() -> None:
    with pytest.raises(CrosslaneError, match=r"gone\.jsonl: no such file") as refused:
        assert_isolated(agents.isolated, "gone.jsonl")
    assert [entry.name for entry in refused.traceback][1:] == ["assert_isolated"]


def test_an_application_without_sessions_is_told_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("async def app(scope, receive, send): ...\n")
    with pytest.raises(CrosslaneError, match=r"sessions: are not given, and what an application is asked .* a path"):
        assert_isolated("app.py:app", cwd=tmp_path, kind="asgi", jobs=1)


def test_another_event_loop_than_that_of_asyncio_is_refused_with_the_way_out() -> None:
    awaited = assert_isolated_async(agents.isolated)
    with pytest.raises(CrosslaneError, match=r"under asyncio alone, .*; call the function without _async"):
        awaited.send(None)
