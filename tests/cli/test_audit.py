"""`crosslane audit` and `crosslane redact` at the command line: what they print, and how they exit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from crosslane.tui import cli

if TYPE_CHECKING:
    from pathlib import Path

LEAK = (
    {"session": "s1", "user": "alice", "message": "I am alice@example.com"},
    {"k": "req", "id": "b", "t": 5, "session": "s2", "user": "bob", "message": "hi"},
    {"k": "res", "id": "b", "t": 9, "text": "hello \x1b[31m alice@example.com"},
)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> int:
    monkeypatch.setattr("sys.argv", ["crosslane", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(str(exit_.value.code or 0))


def trace(folder: Path, *events: dict[str, Any]) -> Path:
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


def test_a_crossing_is_told_in_words_and_as_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "audit", trace(tmp_path, *LEAK)) == 1
    out, err = capsys.readouterr()
    assert 'alice -> bob: email "alice@example.com" in body of b' in out
    assert "2 requests, 2 lanes" in err
    assert "\x1b" not in out


def test_json_is_one_object_and_a_clean_trace_says_what_was_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "audit", trace(tmp_path, *LEAK), "--format", "json") == 1
    data = json.loads(capsys.readouterr().out)
    assert [finding["sink"]["request"] for finding in data["findings"]] == ["b"]
    assert run(monkeypatch, "audit", trace(tmp_path, LEAK[0])) == 0
    assert "no value of one lane was seen in another's" in capsys.readouterr().err


def test_bad_input_is_one_line_and_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "audit", tmp_path / "none.jsonl") == 2
    assert run(monkeypatch, "audit", trace(tmp_path, *LEAK), "--boundary", "json.org") == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 2
    assert "Traceback" not in err


def test_a_trace_is_redacted_and_still_shows_the_crossing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    raw, out, kept = trace(tmp_path, *LEAK), tmp_path / "out.jsonl", tmp_path / "map.json"
    assert run(monkeypatch, "redact", raw, "-o", out, "--redact", "kind:email", "--keep-map", kept) == 0
    told = capsys.readouterr()
    assert "2 email" in told.err
    assert "alice@example.com" not in told.err + told.out + out.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert list(json.loads(kept.read_text()).values()) == ["alice@example.com"]
    assert run(monkeypatch, "audit", out) == 1
    assert 'alice -> bob: email "email_' in capsys.readouterr().out


def test_redacting_refuses_its_own_input_and_bad_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    raw = trace(tmp_path, *LEAK)
    before = raw.read_bytes()
    assert run(monkeypatch, "redact", raw, "-o", raw) == 2
    assert run(monkeypatch, "redact", raw, "-o", tmp_path / "o.jsonl", "--keep-map", raw) == 2
    assert run(monkeypatch, "redact", raw, "-o", tmp_path / "o.jsonl", "--redact", "pattern:(") == 2
    assert run(monkeypatch, "redact", raw, "-o", tmp_path / "no" / "o.jsonl") == 2
    assert raw.read_bytes() == before
    assert not list(tmp_path.glob("*o.jsonl*"))
    assert capsys.readouterr().err.count("\n") == 4


def test_a_rule_that_matches_nothing_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = tmp_path / "t.jsonl"
    raw.write_text('{"session":"s1","user":"alice","message":"hi"}\n')
    assert run(monkeypatch, "redact", raw, "-o", tmp_path / "o.jsonl", "--redact", "json:$.user.emial") == 0
    assert "warning: nothing matched --redact json:$.user.emial" in capsys.readouterr().err
