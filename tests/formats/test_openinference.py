"""Phoenix spans: flat, nested or as columns, in lines, lists and pages."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from crosslane.replay.formats.openinference import FORMAT
from hypothesis import given, settings
from hypothesis import strategies as st

from .span_files import NOON_NS, named, only, read, source

SAMPLE = {
    "name": "turn", "context": {"trace_id": "t1", "span_id": "s1"}, "span_kind": "AGENT", "parent_id": None,
    "start_time": "2026-11-20T10:00:00+00:00", "end_time": "2026-11-20T10:00:01+00:00", "status_code": "OK",
    "attributes": {"session.id": "s-1", "user.id": "u-1", "input.value": "hi", "output.value": "hello"}, "events": [],
}  # fmt: skip


def span(identity: str, parent: str | None, kind: str, attributes: Any, **more: Any) -> dict[str, Any]:
    number = int(identity[1:])
    return {
        **SAMPLE, "context": {"trace_id": "t1", "span_id": identity}, "parent_id": parent, "span_kind": kind,
        "start_time": f"2026-11-20T10:00:00.{number:06d}Z", "attributes": attributes, **more,
    }  # fmt: skip


LLM_FLAT = {
    "openinference.span.kind": "LLM",
    "llm.model_name": "m-1",
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "be kind",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "hi",
    "llm.output_messages.0.message.role": "assistant",
    "llm.output_messages.0.message.content": "hello",
}
LLM_NESTED = {
    "openinference": {"span": {"kind": "LLM"}},
    "llm": {
        "model_name": "m-1",
        "input_messages": [
            {"message": {"role": "system", "content": "be kind"}},
            {"message": {"role": "user", "contents": [{"message_content": {"type": "text", "text": "hi"}}]}},
        ],
        "output_messages": [{"message": {"role": "assistant", "content": "hello"}}],
    },
}


def test_an_agents_span_is_a_request_with_its_answer() -> None:
    exchange = only(FORMAT, [SAMPLE]).exchange
    assert (exchange.request.session, exchange.request.user, exchange.request.message) == ("s-1", "u-1", "hi")
    assert exchange.request.at_ns == 1_795_168_800_000_000_000
    assert exchange.response is not None
    assert (exchange.response.body, exchange.response.end) == ("hello", "ok")
    assert exchange.response.at_ns < NOON_NS


@pytest.mark.parametrize("attributes", [LLM_FLAT, LLM_NESTED])
def test_flattened_and_nested_messages_are_the_same_call(attributes: Any) -> None:
    (call,) = only(FORMAT, [SAMPLE, span("s2", "s1", "LLM", attributes)]).exchange.upstream
    assert call.sent == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}],
    }
    assert call.answered == {"messages": [{"role": "assistant", "content": "hello"}]}


def test_tools_and_retrievers_are_upstream_calls() -> None:
    tool = span("s2", "s1", "TOOL", {"tool": {"name": "t", "parameters": '{"a":1}'}, "output": {"value": "2"}})
    retriever = span("s3", "s1", "RETRIEVER", {"input.value": "q", "retrieval.documents.0.document.content": "doc"})
    calls = only(FORMAT, [SAMPLE, retriever, tool]).exchange.upstream
    assert [(call.sent, call.answered) for call in calls] == [
        ({"a": 1}, "2"),
        ("q", [{"document": {"content": "doc"}}]),
    ]


@pytest.mark.parametrize("metadata", ['{"thread_id":"s-9","user_id":"u-9"}', {"thread_id": "s-9", "user_id": "u-9"}])
def test_identity_in_the_metadata_is_used(metadata: Any) -> None:
    found = only(FORMAT, [{**SAMPLE, "attributes": {"input.value": "hi", "metadata": metadata}}])
    assert named(found.exchange.request.claims) == [("session", "s-9"), ("user", "u-9")]


def test_nested_identity_and_input_are_read() -> None:
    found = only(FORMAT, [{**SAMPLE, "attributes": {"session": {"id": "s-2"}, "input": {"value": {"question": "hi"}}}}])
    assert (found.exchange.request.session, found.exchange.request.request) == ("s-2", {"question": "hi"})


def test_columns_of_a_data_frame_are_read() -> None:
    row = {
        "name": "turn", "span_kind": "AGENT", "parent_id": None, "start_time": 1_795_168_800_000, "end_time": 1_795_168_801_000,
        "context.trace_id": "t1", "context.span_id": "s1", "attributes.session.id": "s-1", "attributes.input.value": "hi",
        "attributes.llm.input_messages": None,
    }  # fmt: skip
    assert FORMAT.detects(source([row]))
    request = only(FORMAT, [row]).exchange.request
    assert (request.session, request.message, request.at_ns) == ("s-1", "hi", 1_795_168_800_000_000_000)


def test_lists_pages_and_pretty_documents_are_read_like_lines() -> None:
    spans = [SAMPLE, span("s2", "s1", "LLM", LLM_FLAT)]
    expected = only(FORMAT, spans)
    for text in (
        json.dumps(spans),
        json.dumps(spans, indent=2),
        json.dumps({"data": spans, "next_cursor": None}),
        json.dumps({"next_cursor": None, "data": spans}, indent=1),
        "[\n" + ",\n".join(json.dumps(each) for each in spans) + "\n]\n",
        "\n".join(json.dumps(each, indent=2) for each in spans),
    ):
        assert FORMAT.detects(source(text))
        assert only(FORMAT, text) == expected


@given(st.permutations(range(5)))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_spans_never_changes_what_is_imported(order: list[int]) -> None:
    spans = [
        SAMPLE,
        *(
            span(f"s{n}", f"s{n // 2}", kind, LLM_FLAT)
            for n, kind in ((2, "CHAIN"), (3, "LLM"), (4, "LLM"), (5, "TOOL"))
        ),
    ]
    assert read(FORMAT, [spans[n] for n in order]) == read(FORMAT, spans)


@given(
    st.lists(
        st.sampled_from(["garbage", "{}", '{"context":7}', "[", '{"context":{"trace_id":"t1","span_id":"x"}}', "\x00"]),
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None)
def test_garbage_lines_cost_only_themselves(junk: list[str]) -> None:
    lines = [json.dumps(SAMPLE), *junk]
    random.Random(len(junk)).shuffle(lines)
    found, dropped = read(FORMAT, "\n".join(lines))
    assert [each.exchange for each in found] == [only(FORMAT, [SAMPLE]).exchange]
    assert len(dropped) == len([line for line in junk if line != "["])


@pytest.mark.parametrize("text", [
    '{"name":"x","context":{"trace_id":"0x1","span_id":"0x2"},"kind":"SpanKind.SERVER","start_time":"2026"}',
    '{"trace_id":"t","span_id":"s","span_kind":"x","start_time":1}', '{"resourceSpans":[]}', "", "[]", "{",
    '{"id":"r1","run_type":"chain","start_time":"2026","inputs":{}}',
])  # fmt: skip
def test_files_of_other_formats_are_not_claimed(text: str) -> None:
    assert not FORMAT.detects(source(text))
