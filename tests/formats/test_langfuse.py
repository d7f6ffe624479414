"""Langfuse: downloads, table exports with their join, and blob storage rows."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.formats.langfuse import FORMAT
from hypothesis import given, settings
from hypothesis import strategies as st

from .span_files import named, only, read, source

DOWNLOAD = {
    "trace": {
        "id": "t1", "timestamp": "2026-11-20T10:00:00.000Z", "userId": "u-1", "sessionId": "s-1", "latency": 0.95,
        "input": '{"message":"hi"}', "output": '{"reply":"hello"}', "metadata": "{}",
    },
    "observations": [
        {
            "id": "o1", "traceId": "t1", "parentObservationId": None, "type": "GENERATION",
            "startTime": "2026-11-20T10:00:00.100Z", "endTime": "2026-11-20T10:00:00.900Z",
            "input": '[{"role":"user","content":"hi"}]', "output": "hello", "model": "m-1", "metadata": "{}",
        },
        {
            "id": "o2", "traceId": "t1", "parentObservationId": "o1", "type": "TOOL", "name": "look",
            "startTime": "2026-11-20T10:00:00.200Z", "endTime": "2026-11-20T10:00:00.300Z",
            "input": '{"of":"u-1"}', "output": "42", "level": "ERROR",
        },
    ],
}  # fmt: skip
BLOB = {
    "id": "o1", "trace_id": "t1", "parent_observation_id": None, "type": "AGENT", "name": "turn",
    "start_time": "2026-11-20 10:00:00.123456", "end_time": "2026-11-20 10:00:01.000000",
    "user_id": "u-1", "session_id": "s-1", "input": "hi", "output": "hello",
}  # fmt: skip
TRACES = [
    {"id": f"t{n}", "timestamp": f"2026-11-20T10:00:0{n}.000Z", "name": "chat", "bookmarked": False,
     "userId": f"u-{n}", "sessionId": f"s-{n}", "input": {"message": f"hi {n}"}, "output": "hello"}
    for n in (1, 2)
]  # fmt: skip
OBSERVATIONS = [
    {"id": f"o{n}", "traceId": f"t{n}", "type": "GENERATION", "startTime": f"2026-11-20T10:00:0{n}.100Z",
     "endTime": f"2026-11-20T10:00:0{n}.500Z", "userId": f"u-{n}", "completionStartTime": None,
     "input": [{"role": "user", "content": f"hi {n}"}], "output": {"role": "assistant", "content": "hello"}}
    for n in (1, 2)
]  # fmt: skip


@pytest.mark.parametrize("text", [
    json.dumps(DOWNLOAD), json.dumps(DOWNLOAD, indent=2), json.dumps([DOWNLOAD], indent=2),
    json.dumps({"observations": DOWNLOAD["observations"], "trace": DOWNLOAD["trace"]}, indent=1),
    json.dumps({**DOWNLOAD["trace"], "projectId": "p", "observations": DOWNLOAD["observations"]}, indent=1),
])  # fmt: skip
def test_the_download_of_a_trace_is_one_request_with_its_calls(text: str) -> None:
    assert FORMAT.detects(source(text))
    exchange = only(FORMAT, text).exchange
    assert (exchange.request.session, exchange.request.user) == ("s-1", "u-1")
    assert exchange.request.request == {"message": "hi"}
    assert exchange.response is not None
    assert exchange.response.body == {"reply": "hello"}
    assert exchange.response.at_ns - exchange.request.at_ns == 950_000_000
    generation, tool = exchange.upstream
    assert generation.sent == {"model": "m-1", "messages": [{"role": "user", "content": "hi"}]}
    assert generation.answered == "hello"
    assert (generation.duration_ns, tool.name, tool.sent, tool.answered) == (800_000_000, "look", {"of": "u-1"}, "42")


def test_times_without_a_zone_are_utc() -> None:
    exchange = only(FORMAT, [BLOB]).exchange
    assert exchange.request.at_ns == 1_795_168_800_123_456_000
    assert (exchange.request.session, exchange.request.user, exchange.request.message) == ("s-1", "u-1", "hi")
    assert exchange.response is not None
    assert exchange.response.body == "hello"


def test_rows_of_traces_alone_are_requests() -> None:
    found, dropped = read(FORMAT, TRACES)
    assert dropped == []
    assert [each.exchange.request.session for each in found] == ["s-1", "s-2"]
    assert found[0].exchange.response is not None
    assert found[0].exchange.response.body == "hello"


def test_observations_without_their_traces_have_a_user_and_no_session() -> None:
    found, _ = read(FORMAT, OBSERVATIONS)
    assert [named(each.exchange.request.claims) for each in found] == [[("user", "u-1")], [("user", "u-2")]]
    assert found[0].exchange.request.message == "hi 1"
    assert found[0].lossy == ("no session: one for each user",)


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    for row in rows:
        writer.writerow(
            {key: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in row.items()}
        )
    return out.getvalue()


@pytest.mark.parametrize("write", [as_csv, json.dumps, lambda rows: "\n".join(json.dumps(row) for row in rows)])
@pytest.mark.parametrize("names", [
    ("lf-observations.x", "lf-traces.x"),
    ("observations/1.x", "traces/1.x"),
    ("1763632800000-lf-observations-export-p.x", "1763632811111-lf-traces-export-p.x"),
])  # fmt: skip
def test_observations_get_their_session_from_the_traces_beside_them(
    tmp_path: Path, write: Any, names: tuple[str, str]
) -> None:
    for name, rows in zip(names, (OBSERVATIONS, TRACES), strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(write(rows), "utf-8")
    both = [read(FORMAT, source((tmp_path / name).read_bytes(), name, tmp_path / name)) for name in names]
    assert both[0] == both[1]
    found, dropped = both[0]
    assert dropped == []
    assert [(each.exchange.request.session, len(each.exchange.upstream)) for each in found] == [("s-1", 1), ("s-2", 1)]
    assert found[0].exchange.request.request == {"message": "hi 1"}


def test_a_file_beside_that_is_no_export_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "observations.jsonl").write_text("diary\n" * 3, "utf-8")
    found, dropped = read(FORMAT, source(TRACES, "traces.jsonl", tmp_path / "traces.jsonl"))
    assert (len(found), dropped) == (2, [])


def test_both_tables_in_one_file_are_joined() -> None:
    found, _ = read(FORMAT, [*OBSERVATIONS, *TRACES])
    assert [(each.exchange.request.session, len(each.exchange.upstream)) for each in found] == [("s-1", 1), ("s-2", 1)]


def test_a_torn_row_of_a_csv_costs_only_itself() -> None:
    lines = as_csv(TRACES).splitlines()
    found, dropped = read(FORMAT, "\r\n".join([lines[0], lines[1], "t9,2026", "", lines[2]]))
    assert len(found) == 2
    assert [each.source for each in dropped] == ["spans.jsonl:3"]


def test_a_trace_without_input_lets_the_span_below_it_speak() -> None:
    span = {
        "id": "o0",
        "traceId": "t1",
        "type": "SPAN",
        "startTime": "2026-11-20T10:00:00.050Z",
        "input": {"args": ["hi"], "kwargs": {}},
    }
    bare = {"id": "t1", "timestamp": "2026-11-20T10:00:00.000Z", "sessionId": "s-1", "projectId": "p", "input": None}
    exchange = only(FORMAT, [bare, span, {**DOWNLOAD["observations"][0], "parentObservationId": "o0"}]).exchange
    assert (exchange.request.session, exchange.request.message, len(exchange.upstream)) == ("s-1", "hi", 1)


def test_attributes_that_langfuse_has_no_column_for_name_a_session_too() -> None:
    row = {**BLOB, "session_id": None, "metadata": '{"attributes":{"gen_ai.conversation.id":"c-1"}}'}
    assert only(FORMAT, [row]).exchange.request.session == "c-1"


@given(st.permutations([*TRACES, *OBSERVATIONS, *DOWNLOAD["observations"][1:]]))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_never_changes_what_is_imported(rows: list[Any]) -> None:
    assert read(FORMAT, rows) == read(FORMAT, [*TRACES, *OBSERVATIONS, *DOWNLOAD["observations"][1:]])


@given(
    st.lists(
        st.sampled_from(
            ["garbage", '{"id":"x"}', "[1", '{"id":"x","timestamp":"late"}', "\x00", '{"observations":[7]}']
        ),
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None)
def test_garbage_lines_cost_only_themselves(junk: list[str]) -> None:
    lines = [*TRACES, *OBSERVATIONS]
    found, dropped = read(FORMAT, [lines[0], *junk, *lines[1:]])
    assert [each.exchange for each in found] == [each.exchange for each in read(FORMAT, lines)[0]]
    assert len(dropped) == len(junk)


def test_each_export_is_detected() -> None:
    for rows in (TRACES, OBSERVATIONS, [BLOB]):
        assert FORMAT.detects(source(rows))
        assert FORMAT.detects(source(json.dumps(rows)))
        assert FORMAT.detects(source(json.dumps(rows, indent=2)))
        assert FORMAT.detects(source(as_csv(rows)))


@pytest.mark.parametrize("text", [
    '{"timestamp":"2026-11-20T10:00:00Z","id":"r1","session_id":"s","request":{"message":"hi"}}',
    "timestamp,session_id,user_id,message\n1,s,u,hi\n", "id,timestamp,userId,sessionId,message\n1,1,u,s,hi\n",
    '{"id":"r1","trace_id":"r1","run_type":"chain","start_time":"2026-11-20","inputs":{}}', '{"trace":{"resourceSpans":[]}}',
    '{"resourceSpans":[]}', "", "a,b\n", '{"data":[{"traceID":"t"}]}',
])  # fmt: skip
def test_files_of_other_formats_are_not_claimed(text: str) -> None:
    assert not FORMAT.detects(source(text))
