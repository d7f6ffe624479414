"""The console exporter of OpenTelemetry: objects over many lines, between whatever else was printed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from crosslane.replay.formats.otel_console import FORMAT
from hypothesis import given, settings
from hypothesis import strategies as st

from .span_files import named, only, read, source


def span(number: int, parent: int | None, kind: str = "INTERNAL", **attributes: Any) -> dict[str, Any]:
    return {
        "name": "step",
        "context": {"trace_id": "0x5B8EFFF798038103D269B633813FC60C", "span_id": f"0x{number:016x}", "trace_state": "[]"},
        "kind": f"SpanKind.{kind}", "parent_id": None if parent is None else f"0x{parent:016x}",
        "start_time": f"2026-11-20T10:00:00.{number:06d}Z", "end_time": "2026-11-20T10:00:01.000000Z",
        "status": {"status_code": "UNSET"}, "attributes": attributes, "events": [], "links": [],
        "resource": {"attributes": {"service.name": "bot"}, "schema_url": ""},
    }  # fmt: skip


MODEL = {"gen_ai.operation.name": "chat", "gen_ai.prompt.0.role": "user", "gen_ai.prompt.0.content": "hi"}
SERVER = {"http.method": "GET", "http.target": "/a", "session.id": "s-1"}
SPANS = [span(2, 1, "CLIENT", **MODEL), span(1, None, "SERVER", **SERVER)]


@pytest.mark.parametrize("text", [
    "\n".join(json.dumps(each, indent=4) for each in SPANS),
    "\r\n".join(json.dumps(each, indent=4).replace("\n", "\r\n") for each in SPANS),
    "\n".join(json.dumps(each) for each in SPANS), json.dumps(SPANS), json.dumps(SPANS, indent=2),
    "INFO: started\n" + "\nuser s-1 said {hi}\n".join(json.dumps(each, indent=4) for each in SPANS),
])  # fmt: skip
def test_printed_spans_are_read_in_every_layout(text: str) -> None:
    assert FORMAT.detects(source(text))
    found, _ = read(FORMAT, text)
    assert [each.exchange.request.session for each in found] == ["s-1"]
    assert found[0].exchange.request.at_ns == 1_795_168_800_000_001_000
    (call,) = found[0].exchange.upstream
    assert call.sent == {"messages": [{"role": "user", "content": "hi"}]}


def test_decimal_ids_are_the_same_as_hex_ones() -> None:
    root = span(1, None, "SERVER", **SERVER)
    root["context"] = {"trace_id": int("5B8EFFF798038103D269B633813FC60C", 16), "span_id": 1}
    assert len(only(FORMAT, [root, SPANS[0]]).exchange.upstream) == 1


def test_metadata_of_openinference_names_a_session() -> None:
    found = only(FORMAT, [span(1, None, "SERVER", **{"http.method": "GET", "metadata": '{"session_id":"s-4"}'})])
    assert named(found.exchange.request.claims) == [("session", "s-4")]


def test_an_object_that_is_cut_off_costs_only_itself() -> None:
    first, second = (json.dumps(each, indent=4) for each in SPANS)
    for text in (f"{first[:200]}\n{second}\n", f"{second}\n{first[:200]}"):
        found, dropped = read(FORMAT, text)
        assert len(found) == 1
        assert [each.reason for each in dropped] == ["is cut off"]


@given(st.permutations([*SPANS, span(3, 2), span(4, 1, **MODEL)]))
@settings(max_examples=25, deadline=None)
def test_the_order_of_the_spans_never_changes_what_is_imported(spans: list[Any]) -> None:
    ordered = sorted(spans, key=lambda each: each["context"]["span_id"])
    assert read(FORMAT, spans) == read(FORMAT, ordered)


@given(
    st.lists(
        st.sampled_from(["a log line", "[1, 2]", "7", '{"level":"info"}', "  {", "null", "}x", "\x00"]), max_size=6
    )
)
@settings(max_examples=30, deadline=None)
def test_garbage_lines_cost_only_themselves(junk: list[str]) -> None:
    text = "\n".join([json.dumps(SPANS[0], indent=4), *junk, json.dumps(SPANS[1], indent=4)])
    found, dropped = read(FORMAT, text)
    assert len(found) == len(found[0].exchange.upstream) == 1
    assert len(dropped) == len(junk)


@pytest.mark.parametrize("text", [
    '{"name":"turn","context":{"trace_id":"t1","span_id":"s1"},"span_kind":"AGENT","start_time":"2026"}', "", "[]", "{",
    '{"resourceSpans":[]}', '{"session":"s","message":"hi","context":{"page":1}}', "plain log\nanother\n",
])  # fmt: skip
def test_files_of_other_formats_are_not_claimed(text: str) -> None:
    assert not FORMAT.detects(source(text))
