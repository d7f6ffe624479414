"""Jaeger JSON: microseconds, references, and tags in place of attributes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from crosslane.replay.formats.jaeger import FORMAT
from hypothesis import given, settings
from hypothesis import strategies as st

from .span_files import NOON_NS, only, read, source


def tags(**of: Any) -> list[dict[str, Any]]:
    kinds = {bool: "bool", int: "int64", str: "string"}
    return [{"key": key, "type": kinds[type(value)], "value": value} for key, value in of.items()]


def span(
    identity: str, parent: str | None = None, kind: str = "CHILD_OF", trace: str = "t1", **more: Any
) -> dict[str, Any]:
    references = [{"refType": kind, "traceID": trace, "spanID": parent}] if parent else []
    return {
        "traceID": trace, "spanID": identity, "operationName": more.pop("name", "step"), "references": references,
        "startTime": NOON_NS // 1000 + int(identity, 16), "duration": 900_000, "tags": tags(**more.pop("tags", {})),
        "logs": [], "processID": "p1", **more,
    }  # fmt: skip


def document(*spans: Any) -> dict[str, Any]:
    return {"data": [{"traceID": "t1", "spans": list(spans), "processes": {"p1": {"serviceName": "bot", "tags": []}}}]}


ROOT = span("a", name="POST /chat", tags={"session.id": "s-1", "http.request.body.content": '{"message":"hi"}'})
MODEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"hello"}]}]',
}


def test_a_root_named_like_a_request_is_one() -> None:
    exchange = only(FORMAT, document(ROOT, span("b", "a", tags=MODEL))).exchange
    assert exchange.request.session == "s-1"
    assert exchange.request.request == {"method": "POST", "path": "/chat", "headers": [], "json": {"message": "hi"}}
    assert exchange.request.at_ns == NOON_NS + 10_000
    assert exchange.response is not None
    assert exchange.response.at_ns - exchange.request.at_ns == 900_000_000
    (call,) = exchange.upstream
    assert call.sent == {"messages": [{"role": "user", "content": "hi"}]}


def test_references_tie_by_child_before_follower_and_links_to_other_traces_do_not() -> None:
    linked = span("b", "c", trace="t1", tags=MODEL)
    linked["references"] = [
        {"refType": "CHILD_OF", "traceID": "t9", "spanID": "f"},
        {"refType": "FOLLOWS_FROM", "traceID": "t1", "spanID": "e"},
        {"refType": "CHILD_OF", "traceID": "t1", "spanID": "a"},
    ]
    follower = span("c", "a", "FOLLOWS_FROM", tags=MODEL)
    old = {**span("d", tags=MODEL), "references": None, "parentSpanID": "a"}
    assert len(only(FORMAT, document(ROOT, linked, follower, old)).exchange.upstream) == 3


def test_leading_zeros_that_jaeger_leaves_out_make_no_difference() -> None:
    root = {**ROOT, "traceID": "0" * 15 + "1", "spanID": "00000000000000ab"}
    child = span("b", "ab", trace="1", tags=MODEL)
    assert len(only(FORMAT, document(root, child)).exchange.upstream) == 1


def test_kinds_errors_and_lists_come_from_tags() -> None:
    of = {"span.kind": "server", "http.method": "GET", "http.target": "/a", "error": True, "http.status_code": "503",
          "http.request.header.x-user-id": '["u-1"]'}  # fmt: skip
    exchange = only(FORMAT, document(span("a", tags=of))).exchange
    assert (exchange.request.user, exchange.request.grade) == ("u-1", "replayable")
    assert exchange.response is not None
    assert (exchange.response.status, exchange.response.end) == (503, "error")


def test_messages_in_logs_are_read() -> None:
    log = {"timestamp": 1, "fields": tags(event="gen_ai.user.message", content="hi")}
    (call,) = only(
        FORMAT, document(ROOT, span("b", "a", tags={"gen_ai.operation.name": "chat"}, logs=[log]))
    ).exchange.upstream
    assert call.sent == {"messages": [{"role": "user", "content": "hi"}]}


def test_an_anonymised_file_has_times_and_no_session() -> None:
    found = only(FORMAT, document(span("a", name="3f2e"), span("b", "a", name="77ab")))
    assert found.exchange.request.grade == "timing-only"
    assert "no session: one for each trace" in found.lossy


def test_pages_and_single_traces_are_read_like_documents() -> None:
    whole = document(ROOT, span("b", "a", tags=MODEL))
    expected = only(FORMAT, whole)
    for text in (
        json.dumps(whole, indent=2),
        json.dumps(whole["data"][0]),
        json.dumps(whole["data"]),
        json.dumps(whole["data"], indent=1),
    ):
        assert FORMAT.detects(source(text))
        assert only(FORMAT, text) == expected


@given(
    st.permutations(
        [ROOT, span("b", "a", tags=MODEL), span("c", "b"), span("d", "c", tags=MODEL), span("e", trace="t2")]
    )
)
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_spans_never_changes_what_is_imported(spans: list[Any]) -> None:
    assert read(FORMAT, document(*spans)) == read(FORMAT, document(*sorted(spans, key=lambda each: each["spanID"])))


@given(st.lists(st.sampled_from(["garbage", "[1", '{"data":[{"spans":[7]}]}', '{"x":1}', "\x00"]), max_size=5))
@settings(max_examples=30, deadline=None)
def test_garbage_lines_cost_only_themselves(junk: list[str]) -> None:
    found, dropped = read(FORMAT, [document(ROOT), *junk, document(span("b", "a", tags=MODEL))])
    assert len(found) == len(found[0].exchange.upstream) == 1
    assert len(dropped) == len(junk)


@pytest.mark.parametrize("text", [
    '{"data":[{"id":"r","run_type":"llm"}]}', '{"data":[]}', '{"spans":[]}', "", '{"resourceSpans":[]}',
    '{"session_id":"s","spans":[{"name":"x"}],"request":{}}',
])  # fmt: skip
def test_files_of_other_formats_are_not_claimed(text: str) -> None:
    assert not FORMAT.detects(source(text))
