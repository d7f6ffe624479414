"""A baseline: what is known does not fail, what is new does, and moved lines change nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay import check
from crosslane.replay.errors import BaselineError
from crosslane.replay.export.junit import junit_report
from crosslane.replay.export.sarif import sarif_report
from crosslane.replay.known_findings import Baseline, Entry, fingerprint, load_baseline, renewed, with_known
from crosslane.replay.report import Carrier, Report, Sink
from hypothesis import given
from hypothesis import strategies as st

from ..export.examples import crossing, report

AGENT = """
import asyncio
log = []
async def handle(message):
    log.append(message)
    await asyncio.sleep(0)
    return " ".join(log)
"""
SECOND = """
latest = {}
async def handle_both(user, message):
    latest["who"] = user
    await asyncio.sleep(0)
    return await handle(message) + latest["who"]
"""
LINES = [
    {"user": "alice", "message": "My name is Alice Ferrante"},
    {"user": "robert", "message": "My name is Robert Okafor"},
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return tmp_path


def crosslane(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crosslane.tui", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_known_findings_pass_and_a_new_one_beside_them_fails(project: Path) -> None:
    run = ("check", "t.jsonl", "agent.py:handle", "--budget", "300x")
    written = crosslane(*run, "--write-baseline", "known.json", "--reason", "ticket 12")
    assert written.returncode == 0
    assert "ticket 12" in written.stdout
    (entry,) = load_baseline(Path("known.json")).entries
    assert (entry.carrier, entry.shown_in, entry.reason) == ("agent.log", "response body", "ticket 12")
    assert not any(private in Path("known.json").read_text() for private in ("alice", "Alice", "Ferrante"))

    (project / "agent.py").write_text("# a line\n\n" + AGENT + SECOND)
    assert crosslane(*run).returncode == 1
    sarif = crosslane(*run, "--baseline", "known.json", "--format", "sarif")
    assert sarif.returncode == 0, "the lines have moved, and are the same"
    (result,) = json.loads(sarif.stdout)["runs"][0]["results"]
    assert result["suppressions"][0]["justification"] == "ticket 12"

    (project / "crosslane.toml").write_text('baseline = "known.json"\n')
    both = check("t.jsonl", "agent.py:handle_both", budget="300x").report
    known = {entry.id for entry in both.known}
    assert both.exit_code == 1
    assert {c.carrier.name: c.id in known for c in both.crossings if c.carrier} == {
        "agent.latest['who']": False,
        "agent.log": True,
    }
    assert both.crossings[-1].id in known, "what is new comes first"


def test_an_entry_that_is_no_longer_seen_is_said(project: Path) -> None:
    entry = Entry("0" * 16, "agent.py:handle", "old", "agent.gone")
    (project / "known.json").write_text(json.dumps({"version": 1, "known": [vars_of(entry)]}))
    (project / "agent.py").write_text(AGENT.replace("log.append(message)", "log = [message]"))
    found = check("t.jsonl", "agent.py:handle", budget="300x", baseline="known.json").report
    assert found.verdict == "clean"
    assert any("lists 0000000000000000 (agent.gone), which was not seen" in warning for warning in found.warnings)
    crosslane("check", "t.jsonl", "agent.py:handle", "--budget", "100x", "--write-baseline", "known.json")
    assert load_baseline(Path("known.json")).entries == ()


def test_what_is_known_does_not_end_the_search_for_what_is_new(project: Path) -> None:
    crosslane("check", "t.jsonl", "agent.py:handle", "--budget", "60x", "--write-baseline", "known.json")
    new = check("t.jsonl", "agent.py:handle", budget="2000x").report
    known = check("t.jsonl", "agent.py:handle", budget="2000x", baseline="known.json").report
    assert (new.exit_code, known.exit_code) == (1, 0)
    assert "also with sessions asking again" not in new.coverage.statement
    assert "also with sessions asking again" in known.coverage.statement


def test_what_is_inconclusive_beside_the_known_is_no_pass(project: Path) -> None:
    looks_up = AGENT.replace("await", "socket.getaddrinfo('localhost', 1)\n    await")
    (project / "agent.py").write_text(f"import socket\n{looks_up}")
    run = ("check", "t.jsonl", "agent.py:handle", "--budget", "100x")
    assert crosslane(*run).returncode == 1
    crosslane(*run, "--write-baseline", "known.json")
    found = check("t.jsonl", "agent.py:handle", budget="100x", baseline="known.json").report
    assert (found.exit_code, found.verdict) == (3, "contaminated")
    assert found.doubt.startswith("control escaped: host looked up")
    assert Report.from_json(found.to_json()) == replace(found, elapsed_s=round(found.elapsed_s, 4))
    assert 'errors="1" skipped="1"' in junit_report(found)
    assert json.loads(sarif_report(found, "."))["runs"][0]["invocations"][0]["executionSuccessful"] is False
    assert any(
        w.startswith("beside what is known, inconclusive: control escaped: host looked up") for w in found.warnings
    )


def vars_of(entry: Entry) -> dict[str, str]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def test_entries_of_other_handlers_and_reasons_are_kept() -> None:
    seen = report(crossing())
    other, own = Entry("f" * 16, "other.py:x", "theirs"), Entry(fingerprint(crossing()), seen.handler, "ours")
    entries = json.loads(renewed(seen, Baseline(Path("b"), (other, own)), "new"))["known"]
    assert {entry["handler"]: entry["reason"] for entry in entries} == {"other.py:x": "theirs", seen.handler: "ours"}
    assert not any("f" * 16 in warning for warning in with_known(seen, Baseline(Path("b"), (other,))).warnings)


def test_a_search_that_is_inconclusive_takes_nothing_out_of_a_baseline() -> None:
    nothing = report()
    listed = Baseline(Path("b"), (Entry("0" * 16, nothing.handler, "ticket 12"),))
    assert json.loads(renewed(replace(nothing, verdict="clean"), listed))["known"] == []
    kept = json.loads(renewed(replace(nothing, verdict="inconclusive"), listed))["known"]
    assert [entry["reason"] for entry in kept] == ["ticket 12"]


@given(st.text(min_size=1, max_size=8), st.integers(1, 9_999))
def test_a_fingerprint_knows_neither_users_nor_values_nor_lines(text: str, line: int) -> None:
    one = crossing()
    other = crossing(text, text, text, f"elsewhere.py:{line}")
    same = replace(other, write=replace(other.write, code=one.write.code), read=replace(other.read, code=one.read.code))
    same = replace(same, carrier=replace(one.carrier, name=one.carrier.name), kind=one.kind)
    same = replace(same, sink=replace(same.sink, where=one.sink.where, path=one.sink.path))
    assert fingerprint(same) == fingerprint(one)


def test_a_fingerprint_tells_causes_apart() -> None:
    one = crossing()
    assert one.carrier is not None
    others = [
        replace(one, carrier=Carrier("app.other", one.carrier.kind, None)),
        replace(one, kind="derived"),
        replace(one, sink=replace(one.sink, where="log")),
        replace(one, sink=replace(one.sink, path="headers.x-user")),
        replace(one, write=replace(one.write, code="elsewhere = 1")),
        replace(one, carrier=None),
    ]
    assert len({fingerprint(each) for each in (one, *others)}) == 7
    keyed = [replace(one, carrier=Carrier(f"app.cache['{user}']", "entry", None)) for user in ("alice", "bob")]
    assert fingerprint(keyed[0]) == fingerprint(keyed[1])
    places = [replace(one, sink=Sink("b", "s", "r", "response", f"body.items[{n}].text", "x")) for n in (0, 7)]
    assert fingerprint(places[0]) == fingerprint(places[1])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "is no baseline"),
        ('{"known": []}', "is of version None, not 1"),
        ('{"version": 1, "known": [{}]}', "entry 1: has no fingerprint"),
        ('{"version": 1, "known": [{"fingerprint": "x", "reason": 1}]}', "entry 1: reason must be a string"),
    ],
)
def test_what_is_no_baseline_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(BaselineError, match=said):
        load_baseline(tmp_path / "b.json")
    with pytest.raises(BaselineError, match="write it with: crosslane check --write-baseline"):
        load_baseline(tmp_path / "none.json")
