from __future__ import annotations

import json
from pathlib import Path

import pytest
from crosslane.replay.errors import SettingsError
from crosslane.replay.formats.found import Reading
from crosslane.replay.formats.importing import import_files
from crosslane.replay.formats.prompts import place_of, with_prompt
from crosslane.replay.formats.source import sources
from crosslane.replay.trace.model import Exchange, Request, Upstream
from crosslane.replay.trace.redaction import Redactor
from crosslane.replay.trace.store import load


def exchange(sent: object, grade: str = "needs-body") -> Exchange:
    request = Request("r1", "s", "u", 0, None, {"method": "POST", "path": "/chat"}, 1, (), grade)  # type: ignore[arg-type]
    return Exchange(request, None, (Upstream(0, 1, "chat", sent, None),))


@pytest.mark.parametrize(
    "sent",
    [
        [{"role": "system", "content": "x"}, {"role": "user", "content": "first"}, {"role": "user", "content": "hi"}],
        {"messages": [{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]},
        {"json": {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}},
        [{"type": "human", "content": "hi"}],
        "hi",
    ],
)
def test_what_the_user_said_last_becomes_the_body(sent: object):
    made = with_prompt(exchange(sent), place_of("json:chat.text")).request
    assert made.request == {"method": "POST", "path": "/chat", "json": {"chat": {"text": "hi"}}}
    assert made.grade == "replayable"
    assert with_prompt(exchange(sent), place_of("message")).request.message == "hi"


@pytest.mark.parametrize("sent", [None, [], {}, [{"role": "system", "content": "x"}], 5])
def test_a_call_that_says_nothing_of_the_user_changes_nothing(sent: object):
    assert with_prompt(exchange(sent), ()) == exchange(sent)


def test_a_recorded_body_is_left_alone():
    assert with_prompt(exchange("hi", "replayable"), ()) == exchange("hi", "replayable")


@pytest.mark.parametrize("text", ["body", "json:", "json:a..b", ""])
def test_a_place_that_cannot_be_read_is_one_clear_line(text: str):
    with pytest.raises(SettingsError, match="cannot read"):
        place_of(text)


def test_what_is_imported_is_redacted_before_it_is_written(tmp_path: Path):
    entry = {
        "startedDateTime": "2026-11-20T10:00:00.000Z",
        "time": 5,
        "request": {
            "method": "POST",
            "url": "http://x/chat",
            "headers": [{"name": "Authorization", "value": "Bearer tok-123456789-alice"}],
            "postData": {"mimeType": "application/json", "text": '{"user_id": "alice", "session_id": "s1"}'},
        },
        "response": {
            "status": 200,
            "headers": [],
            "content": {"mimeType": "text/plain", "text": "tok-123456789-alice"},
        },
        "timings": {"send": 0, "wait": 5, "receive": 0},
    }
    (tmp_path / "a.har").write_text(json.dumps({"log": {"version": "1.2", "entries": [entry]}}))
    target = tmp_path / "t.jsonl"
    with sources([str(tmp_path / "a.har")]) as opened:
        import_files(opened, target, Reading(), redactor=Redactor(b"k" * 32))
    assert "tok-123456789" not in target.read_text()
    (found,) = load(target).exchanges
    stand_in = dict(found.request.request["headers"])["Authorization"].removeprefix("Bearer ")
    assert found.response.body == stand_in
    assert load(target).header["redaction"]["scheme"] == "hmac-v1"
