"""Plain logs: fields found under their usual names or the user's, and lines that are none cost only themselves."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import SettingsError
from crosslane.replay.formats.mapping import mapping_of
from crosslane.replay.trace.identity import Rules
from hypothesis import given
from hypothesis import strategies as st

from .imported import imported

RECORD = {
    "ts": "2026-11-20T10:00:00.000Z",
    "session_id": "s-1",
    "user_id": "u-1",
    "path": "/chat",
    "request": {"message": "hi"},
    "response": {"reply": "hello"},
    "duration_ms": 900,
}


def log(*records: Any) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def record(**changes: Any) -> dict[str, Any]:
    return {key: value for key, value in {**RECORD, **changes}.items() if value is not None}


def test_a_usual_record_is_a_request_with_its_answer(tmp_path: Path) -> None:
    summary, trace = imported(tmp_path, log(RECORD))
    (exchange,) = trace.exchanges
    assert exchange.request.request == {"method": "POST", "path": "/chat", "headers": [], "json": {"message": "hi"}}
    assert (exchange.request.session, exchange.request.user, exchange.request.at_ns) == ("s-1", "u-1", 0)
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.at_ns) == ({"reply": "hello"}, 900_000_000)
    assert exchange.request.source == "in0:1"
    assert trace.header["clock"] == {"wall0_ns": 1_795_168_800_000_000_000, "mono0_ns": None}
    assert dict(summary.files[0].mapping)[("start", "ts")] == 1
    assert summary.places == {"session": {"field:session_id": 1}, "user": {"field:user_id": 1}}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (1_795_168_800, 1_795_168_801),
        (1_795_168_800.25, 1_795_168_801.25),
        (1_795_168_800_000, 1_795_168_801_000),
        (1_795_168_800_000_000, 1_795_168_801_000_000),
        (1_795_168_800_000_000_000, 1_795_168_801_000_000_000),
        ("1795168800.5", "1795168801.5"),
        ("2026-11-20T10:00:00Z", "2026-11-20T12:00:01+02:00"),
        ("2026-11-20 10:00:00.123456789", "2026-11-20 10:00:01.123456789"),
    ],
)
def test_times_in_every_common_unit_are_read(tmp_path: Path, start: Any, end: Any) -> None:
    _, trace = imported(tmp_path, log(record(ts=None, duration_ms=None, start_time=start, end_time=end)))
    assert trace.header["clock"]["wall0_ns"] // 10**9 == 1_795_168_800
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.at_ns == 10**9


@pytest.mark.parametrize(
    ("duration", "ns", "guessed"),
    [
        ({"latency_ms": 2}, 2_000_000, False),
        ({"duration_us": 2}, 2_000, False),
        ({"durationMs": "1.5"}, 1_500_000, False),
        ({"request_time": 0.25}, 250_000_000, False),
        ({"elapsed": "250ms"}, 250_000_000, False),
        ({"took": "1.5s"}, 1_500_000_000, False),
        ({"duration": 250}, 250_000_000, True),
        ({"elapsed": 0.25}, 250_000_000, True),
    ],
)
def test_the_unit_of_a_duration_stands_in_its_name_or_value_and_a_guess_is_told(
    tmp_path: Path, duration: dict[str, Any], ns: int, guessed: bool
) -> None:
    summary, trace = imported(tmp_path, log(record(duration_ms=None, **duration)))
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.at_ns == ns
    assert any("guessed" in note for note in summary.files[0].lossy) == guessed


def test_a_record_that_only_ended_began_its_duration_before(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, log(record(ts=None, end_time="2026-11-20T10:00:01Z")))
    assert trace.header["clock"]["wall0_ns"] == 1_795_168_800_100_000_000


def test_later_records_that_began_earlier_move_the_start_of_the_trace(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, log(record(ts=1_795_168_805), record(ts=1_795_168_800, session_id="s-2")))
    assert [(r.session, r.at_ns) for r in trace.requests] == [("s-2", 0), ("s-1", 5 * 10**9)]
    assert trace.header["clock"]["wall0_ns"] == 1_795_168_800 * 10**9


def test_without_times_the_order_of_the_file_stays_and_is_said(tmp_path: Path) -> None:
    summary, trace = imported(tmp_path, log(*[{"session": f"s{n}", "message": f"m{n}"} for n in range(3)]))
    assert [request.message for request in trace.requests] == ["m0", "m1", "m2"]
    assert summary.files[0].lossy["no time: kept in the order of the file"] == 3


def test_nested_requests_and_responses_are_taken_apart(tmp_path: Path) -> None:
    nested = {
        "timestamp": 1_795_168_800,
        "request": {
            "method": "PUT",
            "url": "http://h/chat?x=1",
            "headers": {"X-Session-Id": "s-9"},
            "body": '{"user_id": "u"}',
        },
        "response": {"status": 201, "headers": [["a", "b"]], "body": {"ok": True}},
    }
    _, trace = imported(tmp_path, log(nested))
    (exchange,) = trace.exchanges
    assert exchange.request.request == {
        "method": "PUT",
        "path": "/chat",
        "query": "x=1",
        "headers": [["X-Session-Id", "s-9"]],
        "json": {"user_id": "u"},
    }
    assert (exchange.request.session, exchange.request.user) == ("s-9", "u")
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.headers) == (201, (("a", "b"),))
    assert exchange.response.body == {"ok": True}


def test_nested_spans_are_upstream_calls(tmp_path: Path) -> None:
    span = {"name": "chat gpt", "start_time": 1_795_168_800.5, "duration_ms": 100, "input": '["hi"]', "output": "yo"}
    _, trace = imported(tmp_path, log(record(spans=[span, "junk"])))
    (call,) = trace.exchanges[0].upstream
    assert (call.name, call.at_ns, call.duration_ns) == ("chat gpt", 500_000_000, 100_000_000)
    assert (call.sent, call.answered) == (["hi"], "yo")


def test_the_users_mapping_comes_before_the_usual_names(tmp_path: Path) -> None:
    odd = {"when": 1_795_168_800, "ts": "ignored", "who": {"n": "ann"}, "conv": 7, "say": "hi", "path": "/a"}
    mapping = mapping_of(["start=when", "user=who.n", "session=conv", "request=say"])
    summary, trace = imported(tmp_path, log(odd), mapping=mapping)
    (request,) = trace.requests
    assert (request.session, request.user, request.request["text"]) == ("7", "ann", "hi")
    assert ("request", "say") in summary.files[0].mapping
    assert summary.places["user"] == {"field:who.n": 1}


def test_a_mapping_file_is_read_and_a_field_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text('start = "when"\n')
    assert mapping_of(["user=who"], tmp_path / "map.toml") == {"start": "when", "user": "who"}
    for wrong in (["nonsense=a"], ["start"]):
        with pytest.raises(SettingsError):
            mapping_of(wrong)
    (tmp_path / "map.toml").write_text("start = \n")
    with pytest.raises(SettingsError, match="not TOML"):
        mapping_of([], tmp_path / "map.toml")


@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_csv_is_read_by_its_header_line(tmp_path: Path, separator: str) -> None:
    rows = [
        ["ts", "session_id", "prompt", "answer", "latency_ms"],
        ["2026-11-20T10:00:00Z", "s-1", '"two\nlines"', "yo", "5"],
        ["only", "two"],
        ["2026-11-20T10:00:01Z", "s-2", "x", "y", ""],
    ]
    summary, trace = imported(tmp_path, "\r\n".join(separator.join(row) for row in rows))
    assert [(r.session, r.message) for r in trace.requests] == [("s-1", "two\nlines"), ("s-2", "x")]
    assert summary.files[0].dropped_total == 1


def test_a_quote_that_is_never_closed_costs_its_own_row_alone(tmp_path: Path) -> None:
    rows = ["ts,session_id,prompt"] + [f"{1_795_168_800 + n},s-{n},hi" for n in range(9)]
    rows[3] = '1795168802,s-2,"torn'
    summary, trace = imported(tmp_path, "\n".join(rows))
    assert [request.session for request in trace.requests] == [f"s-{n}" for n in range(9) if n != 2]
    assert [each.source for each in summary.files[0].dropped] == ["in0:4"]


def test_a_json_list_is_read_record_by_record_and_keeps_what_came_before_a_break(tmp_path: Path) -> None:
    text = json.dumps([record(session_id="s-1"), 5, record(session_id="s-2", duration_ms=1.5)], indent=1)
    summary, trace = imported(tmp_path, text)
    assert {request.session for request in trace.requests} == {"s-1", "s-2"}
    assert summary.files[0].dropped_total == 1
    summary, trace = imported(tmp_path, text[:-30] + "?")
    assert {request.session for request in trace.requests} == {"s-1"}
    assert summary.files[0].dropped_total == 2
    deep = (
        json.dumps(record(session_id="s-1")) + "," + '{"a":' * 50_000 + "}" * 50_000 + ',{"a": ?},' + json.dumps(RECORD)
    )
    summary, trace = imported(tmp_path, f"[{deep}]")
    assert (len(trace.requests), summary.files[0].dropped_total) == (2, 2)


def test_lines_of_a_log_that_are_no_requests_are_said_to_be_none(tmp_path: Path) -> None:
    chatter = {"ts": 1_795_168_800, "level": "info", "message": "server started"}
    summary, trace = imported(tmp_path, log(chatter, RECORD))
    assert len(trace.requests) == 1
    assert summary.files[0].dropped[0].reason == "is a line of a log, not a request"


@pytest.mark.parametrize(
    ("changes", "grade"),
    [
        ({}, "replayable"),
        ({"request": None, "method": "POST"}, "needs-body"),
        ({"request": None, "method": "GET"}, "replayable"),
        ({"request": None, "path": None}, "timing-only"),
    ],
)
def test_each_record_is_graded(tmp_path: Path, changes: dict[str, Any], grade: str) -> None:
    summary, trace = imported(tmp_path, log(record(**changes)))
    assert trace.requests[0].grade == grade
    assert summary.files[0].grades == {grade: 1}


def test_a_session_that_nothing_names_is_guessed_as_told_and_said(tmp_path: Path) -> None:
    bare = [record(session_id=None, user_id=None, trace_id="t1", connection="c1", ts=n) for n in (1, 2)]
    for fallback, expected in (
        ("trace", {"trace t1"}),
        ("connection", {"connection c1 of in0"}),
        ("request", {"request in0:1", "request in0:2"}),
    ):
        summary, trace = imported(tmp_path, log(*bare), fallback=fallback)
        assert {request.session for request in trace.requests} == expected
        assert summary.files[0].lossy[f"session guessed: one for each {fallback}"] == 2


def test_rules_name_the_session_before_the_usual_places(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, log(record(request={"conv": "c"})), rules=Rules(session=("body:conv",)))
    assert trace.requests[0].session == "c"


GARBAGE = st.one_of(
    st.binary(max_size=40).map(lambda raw: raw.replace(b"\n", b" ").replace(b"\r", b" ")),
    st.sampled_from(
        [b"[" * 5_000, b'{"ts": NaN}', b"{", b"null", b'{"ts": 1' + b"0" * 5_000 + b"}", b'"\\ud800"', b"[]"]
    ),
    st.dictionaries(
        st.sampled_from(["ts", "path", "headers", "request", "response", "duration", "spans", "status", "id", "level"]),
        st.sampled_from(
            [
                None,
                True,
                -1,
                1e300,
                10**30,
                "",
                "x",
                "9" * 400,
                "2026-13-99T99:99:99Z",
                [],
                [[]],
                [None, {}],
                {},
                {"a": {"b": [1]}},
                {"method": 5, "body": []},
                [["a", "b", "c"], ["d", 1]],
                "[1",
                '{"a": NaN}',
                "�",
            ]
        ),
        max_size=4,
    ).map(lambda value: json.dumps(value).encode()),
)


@given(st.lists(GARBAGE, max_size=4), st.lists(GARBAGE, max_size=4))
def test_garbage_between_good_lines_costs_only_itself(before: list[bytes], after: list[bytes]) -> None:
    good = [json.dumps(record(session_id=f"good-{n}", id=f"g{n}")).encode() for n in (1, 2, 3)]
    content = b"\n".join([good[0], *before, good[1], *after, good[2]])
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), content)
    kept = {r.session for r in trace.requests}
    assert {"good-1", "good-2", "good-3"} <= kept
    written = sum(1 for line in [*before, *after] if line.strip())
    (file,) = summary.files
    assert len(trace.requests) + file.dropped_total + file.duplicates == written + 3
