"""What already crossed in recorded traffic, and what only looks like it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from crosslane.replay.detect.audit import audit
from crosslane.replay.errors import CrosslaneError
from crosslane.replay.trace.redact_file import redact_file
from crosslane.replay.trace.redaction import Redactor, Rules
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def write(path: Path, *events: dict) -> Path:
    path.write_text("".join(json.dumps(event) + "\n" for event in ({"k": "header", "v": 1}, *events)))
    return path


def turn(
    number: int, user: str, message: str, reply: str | dict, t: int | None = None, dt: int = 5, **more
) -> list[dict]:
    at = number * 10 if t is None else t
    headers = more.pop("headers", [["Content-Type", "application/json"]])
    return [
        {
            "k": "req",
            "id": f"r{number}",
            "t": at,
            "session": f"s-{user}",
            "user": user,
            "method": "POST",
            "path": "/chat",
            "headers": headers,
            "json": {"message": message},
            **more,
        },
        {"k": "res", "id": f"r{number}", "t": at + dt, "status": 200, "json": {"reply": reply}},
    ]


def found(path: Path, **options) -> list[tuple[str, str, str, str]]:
    return [(f.source.lane, f.sink.lane, f.path, f.evidence) for f in audit(path, **options).findings]


@pytest.mark.parametrize(
    ("message", "reply", "evidence"),
    [
        ("write to alice.cooper@example.com", "I wrote to alice.cooper@example.com", "alice.cooper@example.com"),
        ("where is order ORD-88231?", "Order ORD-88231 is on its way", "ORD-88231"),
        ("My name is Alice", "Hello Alice!", "Alice"),
        ("my account is 4420917735", "balance of 4420917735: 12", "4420917735"),
        (
            "please tell my boss that I am ill today",
            "You said: please tell my boss that I am ill",
            "please tell my boss that",
        ),
        ("see alice@example.com", "https://x/?mail=alice%40example.com", "alice%40example.com"),
    ],
)
def test_a_value_that_only_one_lane_sent_in_anothers_answer_is_found(tmp_path: Path, message, reply, evidence):
    path = write(tmp_path / "t.jsonl", *turn(1, "u-one", message, "ok"), *turn(2, "u-two", "hi", reply))
    ((source, sink, where, shown),) = found(path)
    assert (source, sink, where) == ("u-one", "u-two", "body.reply")
    assert shown.startswith(evidence[:8]) or evidence.startswith(shown)


def test_values_in_prompts_headers_and_streams_are_found(tmp_path: Path):
    one = turn(1, "alice", "order ORD-88231", "ok")
    prompt = [*turn(2, "bob", "hi", "ok")]
    prompt.insert(
        1,
        {
            "k": "up",
            "parent": "r2",
            "t": 21,
            "dt": 1,
            "name": "chat",
            "in": {"json": {"messages": [{"content": "about ORD-88231"}]}},
            "out": None,
        },
    )
    header = turn(3, "carol", "hi", "ok")
    header[1]["headers"] = [["X-Order", "ORD-88231"]]
    stream = turn(4, "dave", "hi", "ok")
    del stream[1]["json"]
    pieces = [
        "data: " + json.dumps({"choices": [{"delta": {"content": part}}]}) + "\n\n"
        for part in ("your ORD", "-88", "231 is here")
    ]
    stream[1:1] = [{"k": "chunk", "id": "r4", "t": 41 + n, "text": text} for n, text in enumerate(pieces)]
    path = write(tmp_path / "t.jsonl", *one, *prompt, *header, *stream)
    assert {(sink, where.split(".")[0]) for _, sink, where, _ in found(path)} == {
        ("bob", "upstream"),
        ("carol", "headers"),
        ("dave", "chunks"),
    }


@pytest.mark.parametrize(
    "turns",
    [
        turn(1, "alice", "ORD-88231 please", "ok") + turn(2, "bob", "is ORD-88231 mine?", "ORD-88231 is not"),
        turn(1, "alice", "what is the weather in the city", "sunny") + turn(2, "bob", "hi", "the weather is sunny"),
        turn(1, "alice", "hi", "see 2026-11-20 at 10:30, version 1.2.3")
        + turn(2, "bob", "hi", "see 2026-11-20 at 10:30, version 1.2.3"),
        turn(1, "bob", "hi", "your order is ORD-88231") + turn(2, "alice", "ORD-88231 please", "ok"),
        turn(1, "alice", "hi", "call us: model gpt-4o-2024-08-06")
        + turn(2, "bob", "hi", "call us: model gpt-4o-2024-08-06"),
    ],
    ids=[
        "the sink sent it too",
        "ordinary words",
        "dates and versions",
        "shown before it was sent",
        "the same for both",
    ],
)
def test_what_is_no_crossing_is_not_reported(tmp_path: Path, turns: list[dict]):
    assert found(write(tmp_path / "t.jsonl", *turns)) == []


def test_a_value_that_several_lanes_sent_is_nobodys(tmp_path: Path):
    turns = [
        *turn(1, "alice", "code SAVE-2026", "ok"),
        *turn(2, "bob", "code SAVE-2026", "ok"),
        *turn(3, "carol", "hi", "use SAVE-2026"),
    ]
    assert found(write(tmp_path / "t.jsonl", *turns)) == []


def test_stored_data_that_no_request_held_is_found_as_such(tmp_path: Path):
    turns = [
        *turn(1, "alice", "what is my address?", "alice.smith@example.org"),
        *turn(2, "bob", "what is my address?", "alice.smith@example.org"),
        *turn(3, "carol", "what is my address?", "none"),
    ]
    (finding,) = audit(write(tmp_path / "t.jsonl", *turns)).findings
    assert (finding.kind, finding.source.lane, finding.sink.lane) == ("response-value", "alice", "bob")


def test_whether_both_were_in_flight_is_told(tmp_path: Path):
    one = turn(1, "alice", "order ORD-88231", "ok", t=0, dt=100)
    two = turn(2, "bob", "hi", "ORD-88231", t=50, dt=100)
    three = turn(3, "carol", "hi", "ORD-88231", t=1_000_000_200, dt=100)
    by_lane = {
        f.sink.lane: f for f in audit(write(tmp_path / "t.jsonl", one[0], two[0], one[1], two[1], *three)).findings
    }
    assert by_lane["bob"].overlapped
    assert not by_lane["carol"].overlapped
    assert by_lane["carol"].gap_ns == 1_000_000_100
    assert by_lane["bob"].rank > by_lane["carol"].rank


def test_one_value_in_many_answers_of_a_pair_is_one_finding_with_a_count(tmp_path: Path):
    turns = [
        *turn(1, "alice", "order ORD-88231", "ok"),
        *(e for n in range(2, 9) for e in turn(n, "bob", "hi", "ORD-88231")),
    ]
    (finding,) = audit(write(tmp_path / "t.jsonl", *turns)).findings
    assert finding.times == 7


def test_a_trace_whose_places_disagree_is_a_finding(tmp_path: Path):
    turns = turn(1, "alice", "hi", "ok") + turn(2, "bob", "hi", "ok")
    turns[0]["claims"] = [["session", "s-3", "header:x-session-id"], ["session", "s-7", "attribute:session.id"]]
    turns[2]["claims"] = [["session", "s-7", "header:x-session-id"]]
    (finding,) = audit(write(tmp_path / "t.jsonl", *turns)).findings
    assert finding.kind == "identity"
    assert finding.what == "header:x-session-id says s-3"
    assert finding.evidence == "s-7"


def test_bounded_memory_is_said_when_it_left_something_out(tmp_path: Path):
    turns = [e for n in range(2000) for e in turn(n, f"user-{n:05}", f"order ORD-{n:06} and ITEM-{n:06}", "ok")]
    result = audit(write(tmp_path / "t.jsonl", *turns), most_values=1000)
    assert result.capped
    assert result.values <= 1000


def test_the_boundary_can_be_the_session(tmp_path: Path):
    turns = turn(1, "alice", "order ORD-88231", "ok") + turn(2, "alice", "hi", "ORD-88231")
    turns[2]["session"] = "s-other"
    path = write(tmp_path / "t.jsonl", *turns)
    assert found(path) == []
    assert len(found(path, boundary="session")) == 1


def test_a_file_without_requests_is_one_clear_line(tmp_path: Path):
    with pytest.raises(CrosslaneError, match="holds no usable request"):
        audit(write(tmp_path / "t.jsonl"))


# ---- redaction keeps what can be found, and hides what it is

_NAMES = ("alice", "bob", "carol")
_mail = st.builds(lambda n, d: f"user{n}.x@host{d}.example", st.integers(10, 99), st.integers(10, 99))
_token = st.builds(lambda n: f"tok{n:012d}abc", st.integers(0, 10**11))


@st.composite
def traffic(draw) -> list[dict]:
    """Three users with an e-mail and a token each; some answers hold somebody's, in some shape."""
    from urllib.parse import quote

    mails = draw(st.lists(_mail, min_size=3, max_size=3, unique=True))
    tokens = draw(st.lists(_token, min_size=3, max_size=3, unique=True))
    events = []
    for number in range(draw(st.integers(3, 8))):
        who = number % 3
        owner, kind = draw(st.integers(0, 2)), draw(st.sampled_from(["mail", "token", "none"]))
        value = {"mail": mails[owner], "token": tokens[owner], "none": "nothing"}[kind]
        shape = draw(st.sampled_from(["plain", "upper", "url", "sentence"]))
        text = {
            "plain": value,
            "upper": value.upper(),
            "url": "https://x/?q=" + quote(value, safe=""),
            "sentence": f"It is {value}, yes.",
        }[shape]
        events += turn(
            number, _NAMES[who], f"write to {mails[who]}", text, headers=[["Authorization", f"Bearer {tokens[who]}"]]
        )
    return events


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(traffic())
def test_redaction_keeps_every_crossing_visible_and_every_value_hidden(tmp_path: Path, events: list[dict]):
    raw, told = write(tmp_path / "raw.jsonl", *events), tmp_path / "told.jsonl"
    redactor = Redactor(b"k" * 32, Rules.of(("kind:email",)))
    redact_file(raw, told, redactor)

    def seen(path: Path) -> list[tuple]:
        return sorted(
            ((f.kind, f.source, f.sink, f.path, f.overlapped, f.times) for f in audit(path).findings), key=str
        )

    assert seen(told) == seen(raw)
    text = told.read_text().lower()
    for value in redactor.stand_ins:
        assert value.lower() not in text
    other = tmp_path / "other.jsonl"
    redact_file(raw, other, Redactor(b"x" * 32, Rules.of(("kind:email",))))
    assert not set(redactor.stand_ins.values()) & set(other.read_text().replace('"', " ").split())


def test_a_value_that_a_model_spelled_over_several_deltas_is_hidden_and_still_found(tmp_path: Path):
    one = turn(1, "alice", "write to alice.cooper@example.com", "ok")
    two = turn(2, "bob", "hi", "ok")
    del two[1]["json"]
    pieces = [
        "data: " + json.dumps({"delta": {"text": part}}) + "\n\n"
        for part in ("mail ali", "ce.coo", "per@exam", "ple.com now")
    ]
    cut = "".join(pieces)
    chunks = [cut[start : start + 37] for start in range(0, len(cut), 37)]
    two[1:1] = [{"k": "chunk", "id": "r2", "t": 21 + n, "text": text} for n, text in enumerate(chunks)]
    raw, told = write(tmp_path / "raw.jsonl", *one, *two), tmp_path / "told.jsonl"
    redact_file(raw, told, Redactor(b"k" * 32, Rules.of(("kind:email",))))
    for path in (raw, told):
        assert [(f.source.lane, f.sink.lane, f.path) for f in audit(path).findings] == [("alice", "bob", "chunks.text")]
    from crosslane.replay.trace.store import load
    from crosslane.replay.trace.streams import joined

    (text,) = joined("".join(load(told).exchanges[1].response.chunks))
    assert "cooper" not in text.text
    assert text.text.startswith("mail redacted-")
    assert text.text.endswith("@redacted.invalid now")
