"""OTLP/JSON: ids and enumerations in every spelling, three eras of messages, and identity that stands on one span."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from crosslane.replay.formats.found import Reading
from crosslane.replay.formats.otlp import FORMAT
from crosslane.replay.trace.identity import Rules
from hypothesis import given, settings
from hypothesis import strategies as st

from .span_files import NOON_NS, named, only, read, source

TRACE = "5b8efff798038103d269b633813fc60c"


def value(of: Any) -> Any:
    if isinstance(of, bool):
        return {"boolValue": of}
    if isinstance(of, int):
        return {"intValue": str(of)}
    if isinstance(of, list):
        return {"arrayValue": {"values": [value(item) for item in of]}}
    if isinstance(of, dict):
        return {"kvlistValue": {"values": attributes(of)}}
    return {"stringValue": of}


def attributes(of: dict[str, Any]) -> list[Any]:
    return [{"key": key, "value": value(each)} for key, each in of.items()]


def span(number: int, parent: int | None = None, trace: str = TRACE, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "traceId": trace,
        "spanId": f"{number:016x}",
        "name": more.pop("name", "step"),
        "kind": more.pop("kind", 1),
        "startTimeUnixNano": str(NOON_NS + number * 1000),
        "endTimeUnixNano": str(NOON_NS + 900_000 - number),
        "attributes": attributes(more.pop("attrs", {})),
        **more,
    }
    return made if parent is None else {**made, "parentSpanId": f"{parent:016x}"}


def traces(*spans: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {"name": "app"}, "spans": list(spans)}]}]}


MESSAGES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "m-1",
    "gen_ai.system_instructions": '[{"type":"text","content":"be kind"}]',
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"hello"}],"finish_reason":"stop"}]',
}
SERVER = {
    "http.request.method": "POST",
    "url.path": "/chat",
    "url.query": "v=2",
    "http.request.header.x-session-id": ["s-1"],
    "http.request.body.content": '{"message":"hi"}',
    "http.response.status_code": 200,
    "http.response.body.content": '{"reply":"hello"}',
}


def test_a_server_span_becomes_the_request_and_the_model_below_it_an_upstream_call() -> None:
    found = only(FORMAT, [traces(span(1, kind=2, attrs=SERVER), span(2, 1, name="chat m-1", kind=3, attrs=MESSAGES))])
    request, response = found.exchange.request, found.exchange.response
    assert request.request == {
        "method": "POST",
        "path": "/chat",
        "query": "v=2",
        "headers": [["x-session-id", "s-1"]],
        "json": {"message": "hi"},
    }
    assert (request.session, request.user, request.grade) == ("s-1", None, "replayable")
    assert (request.id, request.source) == ("813fc60c-0000000000000001", "spans.jsonl#813fc60c-0000000000000001")
    assert request.at_ns == NOON_NS + 1000
    assert response is not None
    assert (response.status, response.body, response.end) == (200, {"reply": "hello"}, "ok")
    assert response.at_ns == NOON_NS + 899_999
    (call,) = found.exchange.upstream
    assert call.name == "chat m-1"
    assert call.sent == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}],
    }
    assert call.answered == {"messages": [{"role": "assistant", "content": "hello"}]}
    assert found.lossy == ()


@pytest.mark.parametrize("kind", [2, "2", "SPAN_KIND_SERVER", "server"])
@pytest.mark.parametrize("code", [2, "2", "STATUS_CODE_ERROR"])
def test_enumerations_are_read_by_number_and_by_name(kind: Any, code: Any) -> None:
    found = only(FORMAT, [traces(span(1, name="GET /x", kind=kind, status={"code": code}))])
    assert found.exchange.request.request["method"] == "GET"
    assert found.exchange.response is not None
    assert found.exchange.response.end == "error"


def test_hex_in_any_case_base64_and_decimal_ids_name_the_same_spans() -> None:
    def as_base64(text: str) -> str:
        return base64.b64encode(bytes.fromhex(text)).decode()

    root = span(0xEEE19B7EC3C1B174, kind=2, name="POST /chat") | {"startTimeUnixNano": NOON_NS}
    for spelled in (
        str.upper,
        as_base64,
        lambda text: as_base64(text).rstrip("="),
        lambda text: f"0x{text}",
        lambda text: int(text, 16),
    ):
        child = span(5, attrs=MESSAGES, parentSpanId=spelled("eee19b7ec3c1b174"), traceId=spelled(TRACE))
        assert len(only(FORMAT, [traces(child), traces(root)]).exchange.upstream) == 1


@pytest.mark.parametrize(
    "broken", [{"traceId": ""}, {"traceId": "0" * 32}, {"spanId": None}, {"spanId": []}, {"startTimeUnixNano": "soon"}]
)
def test_a_span_without_id_or_time_is_dropped_with_its_line_and_costs_no_other(broken: Any) -> None:
    found, dropped = read(FORMAT, [traces(span(1, kind=2, name="GET /a")), traces({**span(2), **broken})])
    assert len(found) == 1
    assert len(dropped) == 1
    assert dropped[0].source.startswith("spans.jsonl:2")


def test_malformed_ids_still_tie_their_spans_together() -> None:
    root = span(1, kind=2, name="POST /chat") | {"spanId": "not-hex!", "traceId": "zz-1"}
    child = span(2, attrs=MESSAGES) | {"parentSpanId": "not-hex!", "traceId": "zz-1"}
    assert len(only(FORMAT, [traces(root, child)]).exchange.upstream) == 1


def test_snake_case_keys_old_scopes_and_groups_without_a_scope_are_read() -> None:
    old = {
        "trace_id": TRACE, "span_id": "00000000000000aa", "name": "GET /a", "kind": 2,
        "start_time_unix_nano": NOON_NS, "end_time_unix_nano": NOON_NS + 5,
        "attributes": [{"key": "session.id", "value": {"string_value": "s-9"}}],
    }  # fmt: skip
    for lines in (
        [{"resource_spans": [{"scope_spans": [{"spans": [old]}]}]}],
        [{"batches": [{"instrumentationLibrarySpans": [{"spans": [old]}]}]}],
        {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": [old]}]}]}},
        {"result": {"resourceSpans": [{"scopeSpans": [{"spans": [old]}]}]}},
    ):
        assert FORMAT.detects(source(lines))
        assert only(FORMAT, lines).exchange.request.session == "s-9"


NUMBERED = {
    "gen_ai.system": "openai",
    "gen_ai.request.model": "m-1",
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "be kind",
    "gen_ai.prompt.10.role": "user",
    "gen_ai.prompt.10.content": "hi",
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.name": "look",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "hello",
}


def event(name: str, **attrs: Any) -> dict[str, Any]:
    return {"name": name, "timeUnixNano": str(NOON_NS), "attributes": attributes(attrs)}


EVENTS = [
    event("gen_ai.system.message", content="be kind"),
    event("gen_ai.user.message", **{"gen_ai.event.content": '{"role":"user","content":"hi"}'}),
    event("gen_ai.choice", message={"role": "assistant", "content": "hello"}),
]


def test_numbered_messages_are_put_in_the_order_of_their_numbers() -> None:
    (call,) = only(FORMAT, [traces(span(1, kind=2), span(2, 1, attrs=NUMBERED))]).exchange.upstream
    assert [message["role"] for message in call.sent["messages"]] == ["system", "assistant", "user"]
    assert call.sent["messages"][1]["tool_calls"] == [{"name": "look"}]
    assert call.answered["messages"] == [{"role": "assistant", "content": "hello"}]


def test_messages_in_span_events_are_read() -> None:
    (call,) = only(
        FORMAT, [traces(span(1, kind=2), span(2, 1, kind=3, attrs={"gen_ai.operation.name": "chat"}, events=EVENTS))]
    ).exchange.upstream
    assert call.sent == {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]}
    assert call.answered == {"messages": [{"role": "assistant", "content": "hello"}]}


def test_messages_in_log_records_are_given_to_their_span() -> None:
    def log(name: str, body: Any, after: int) -> dict[str, Any]:
        return {
            "timeUnixNano": str(NOON_NS + after),
            "eventName": name,
            "traceId": TRACE,
            "spanId": f"{2:016x}",
            "body": value(body),
        }

    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [
        log("gen_ai.choice", {"message": {"role": "assistant", "content": "hello"}}, 2),
        log("gen_ai.user.message", {"content": "hi"}, 1),
        {"body": {"stringValue": "an ordinary line"}},
    ]}]}]}  # fmt: skip
    found = only(
        FORMAT, [logs, traces(span(1, kind=2, name="GET /"), span(2, 1, attrs={"gen_ai.operation.name": "chat"}))]
    )
    (call,) = found.exchange.upstream
    assert call.sent == {"messages": [{"role": "user", "content": "hi"}]}
    assert call.answered == {"messages": [{"role": "assistant", "content": "hello"}]}


def test_messages_in_the_details_event_are_read() -> None:
    details = event("gen_ai.client.inference.operation.details", **{
        key: json.loads(text) for key, text in MESSAGES.items() if text[0] == "["
    })  # fmt: skip
    (call,) = only(
        FORMAT, [traces(span(1, kind=2), span(2, 1, attrs={"gen_ai.operation.name": "chat"}, events=[details]))]
    ).exchange.upstream
    assert [message["content"] for message in call.sent["messages"]] == ["be kind", "hi"]
    assert call.answered["messages"][0]["content"] == "hello"


def test_three_eras_at_once_are_one_call_with_each_message_once() -> None:
    (call,) = only(
        FORMAT, [traces(span(1, kind=2), span(2, 1, attrs=NUMBERED | MESSAGES, events=EVENTS))]
    ).exchange.upstream
    assert [message["content"] for message in call.sent["messages"]] == ["be kind", "hi"]


def test_a_call_that_two_instrumentations_recorded_counts_once() -> None:
    outer, inner = span(2, 1, name="ChatOpenAI", attrs=MESSAGES), span(3, 2, name="chat m-1", attrs=NUMBERED)
    assert [c.name for c in only(FORMAT, [traces(span(1, kind=2), outer, inner)]).exchange.upstream] == ["ChatOpenAI"]
    bare = span(2, 1, name="ChatOpenAI", attrs={"gen_ai.operation.name": "chat"})
    assert [c.name for c in only(FORMAT, [traces(span(1, kind=2), bare, inner)]).exchange.upstream] == ["chat m-1"]


def test_a_tool_is_an_upstream_call_with_its_arguments_and_result() -> None:
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.call.arguments": '{"of":"u-1"}',
        "gen_ai.tool.call.result": "42",
    }
    (call,) = only(
        FORMAT, [traces(span(1, kind=2), span(2, 1, name="execute_tool balance", attrs=tool))]
    ).exchange.upstream
    assert (call.name, call.sent, call.answered) == ("execute_tool balance", {"of": "u-1"}, "42")


def test_identity_on_the_root_and_on_any_descendant_reaches_the_request() -> None:
    below = traces(
        span(1, kind=2, name="GET /"),
        span(2, 1),
        span(3, 2, attrs={"gen_ai.conversation.id": "s-1", "enduser.id": "u-1"}),
    )
    assert named(only(FORMAT, [below]).exchange.request.claims) == [("session", "s-1"), ("user", "u-1")]
    above = traces(span(1, kind=1, attrs={"session.id": "s-1", "user.id": 7}), span(2, 1, kind=2, name="GET /"))
    found = only(FORMAT, [above])
    assert found.exchange.request.id.endswith("2")
    assert (found.exchange.request.session, found.exchange.request.user) == ("s-1", "7")


def test_a_trace_that_names_two_sessions_keeps_both_and_says_so() -> None:
    found = only(
        FORMAT,
        [traces(span(1, kind=2, name="GET /", attrs={"session.id": "s-1"}), span(2, 1, attrs={"session.id": "s-2"}))],
    )
    assert named(found.exchange.request.claims) == [("session", "s-1"), ("session", "s-2")]
    assert found.exchange.request.session == "s-1"
    assert "the spans of the trace name different sessions" in found.lossy


def test_two_requests_in_one_trace_do_not_lend_each_other_their_users() -> None:
    found, _ = read(FORMAT, [traces(
        span(1), span(2, 1, kind=2, name="GET /a", attrs={"user.id": "a"}), span(3, 1, kind=2, name="GET /b", attrs={"user.id": "b"}),
    )])  # fmt: skip
    assert [named(each.exchange.request.claims) for each in found] == [[("user", "a")], [("user", "b")]]


def test_a_rule_comes_before_the_usual_places() -> None:
    reading = Reading(Rules(session=("attribute:app.tenant",)))
    found = only(FORMAT, [traces(span(1, kind=2, name="GET /", attrs={"session.id": "s", "app.tenant": "t"}))], reading)
    assert found.exchange.request.session == "t"


@pytest.mark.parametrize(("fallback", "session"), [("trace", TRACE), ("request", "0000000000000001")])
def test_without_a_session_the_fallback_names_it_and_says_so(fallback: str, session: str) -> None:
    found = only(FORMAT, [traces(span(1, kind=2, name="GET /"))], Reading(fallback=fallback))
    assert found.exchange.request.session == session
    assert found.lossy == (f"no session: one for each {fallback}",)


def test_a_user_alone_is_a_session() -> None:
    request = only(FORMAT, [traces(span(1, kind=2, name="GET /", attrs={"user.id": "u"}))]).exchange.request
    assert (request.session, request.user) == ("u", "u")


def test_content_that_was_not_recorded_lowers_the_grade() -> None:
    def grade(**more: Any) -> str:
        return only(FORMAT, [traces(span(1, **more))]).exchange.request.grade

    assert grade(kind=2, attrs={"http.request.method": "POST", "url.path": "/chat"}) == "needs-body"
    assert grade(kind=2, attrs={"http.method": "GET", "http.target": "/healthz"}) == "replayable"
    assert grade(attrs={"gen_ai.operation.name": "invoke_agent"}) == "needs-body"
    assert grade(kind="SPAN_KIND_CONSUMER", name="jobs receive") == "timing-only"
    assert grade(kind="SPAN_KIND_CONSUMER", name="jobs receive", attrs={"input.value": "hi"}) == "replayable"
    assert grade(kind=3, name="SELECT", attrs={"db.system": "postgresql"}) == "timing-only"


def test_older_http_attributes_and_underscored_headers_are_read() -> None:
    old = {
        "http.method": "get", "http.target": "/chat?session_id=q", "http.status_code": "500",
        "http.request.header.x_user_id": ["u-1"], "http.request.header.x_tag": ["a", "b"], "http.user_agent": "ua/1",
    }  # fmt: skip
    found = only(FORMAT, [traces(span(1, kind=2, attrs=old))])
    request = found.exchange.request
    assert request.request == {
        "method": "GET", "path": "/chat", "query": "session_id=q",
        "headers": [["x-tag", "a"], ["x-tag", "b"], ["x-user-id", "u-1"], ["user-agent", "ua/1"]],
    }  # fmt: skip
    assert (request.session, request.user) == ("q", "u-1")
    assert found.exchange.response is not None
    assert (found.exchange.response.status, found.exchange.response.end) == (500, "error")


def test_a_path_that_is_only_a_route_is_said_to_be_one() -> None:
    found = only(FORMAT, [traces(span(1, kind=2, attrs={"http.request.method": "GET", "http.route": "/threads/{id}"}))])
    assert "the path is only known as a route" in found.lossy


@pytest.mark.parametrize(
    ("given", "message", "request_"),
    [
        ({"input.value": "hi"}, "hi", None),
        ({"input.value": '{"question":"hi"}'}, None, {"question": "hi"}),
        ({"traceloop.entity.input": '{"inputs":{"question":"hi"},"tags":[],"metadata":{},"kwargs":{}}'}, None, {"question": "hi"}),
        ({"traceloop.entity.input": '{"args":["hi"],"kwargs":{}}'}, "hi", None),
        ({"mlflow.spanInputs": '{"question":"hi"}'}, None, {"question": "hi"}),
        ({"gen_ai.input.messages": MESSAGES["gen_ai.input.messages"]}, "hi", None),
        ({"input.value": '{"broken'}, '{"broken', None),
    ],
)  # fmt: skip
def test_what_an_agent_was_given_becomes_the_request(given: Any, message: Any, request_: Any) -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", **given, "output.value": '{"reply":"hello"}'}
    found = only(FORMAT, [traces(span(1, attrs=agent))])
    assert (found.exchange.request.message, found.exchange.request.request) == (message, request_)
    assert found.exchange.response is not None
    assert found.exchange.response.body == {"reply": "hello"}


def test_an_agent_without_recorded_input_is_given_the_users_last_message_and_says_so() -> None:
    found = only(FORMAT, [traces(span(1, attrs={"gen_ai.operation.name": "invoke_agent"}), span(2, 1, attrs=MESSAGES))])
    assert found.exchange.request.message == "hi"
    assert found.exchange.response is not None
    assert found.exchange.response.body == "hello"
    assert len([note for note in found.lossy if "message" in note or "body" in note]) == 2


def test_a_root_that_was_given_something_is_the_request_and_the_agents_below_it_are_not() -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", "input.value": "sub"}
    spans = [span(1, attrs={"input.value": "hi"}), span(2, 1, attrs=agent), span(3, 1, attrs=agent)]
    assert only(FORMAT, [traces(*spans)]).exchange.request.message == "hi"
    found, _ = read(FORMAT, [traces(span(1), *spans[1:])])
    assert [each.exchange.request.message for each in found] == ["sub", "sub"]


def test_a_call_to_a_model_that_stands_alone_is_request_and_upstream_call() -> None:
    found = only(FORMAT, [traces(span(1, kind=3, name="chat m-1", attrs=MESSAGES))])
    assert found.exchange.request.message == "hi"
    assert found.exchange.response is not None
    assert found.exchange.response.body == "hello"
    assert len(found.exchange.upstream) == 1


def test_spans_whose_request_is_missing_are_one_request_and_say_so() -> None:
    found = only(FORMAT, [traces(span(2, 1, attrs=MESSAGES), span(3, 1, attrs=MESSAGES))])
    assert found.exchange.request.message == "hi"
    assert len(found.exchange.upstream) == 2
    assert "the span of the request is missing" in found.lossy


def test_a_call_whose_parent_is_missing_goes_to_the_request_that_was_under_way() -> None:
    found = only(FORMAT, [traces(span(1, kind=2, name="GET /"), span(3, 2, attrs=MESSAGES))])
    assert len(found.exchange.upstream) == 1
    assert "upstream call tied by its time" in found.lossy


def test_spans_that_are_each_others_ancestors_are_imported_all_the_same() -> None:
    found, dropped = read(
        FORMAT, [traces(span(1, 2), span(2, 1), span(3, 3, kind=2, name="GET /"), span(4, 2, attrs=MESSAGES))]
    )
    assert dropped == []
    assert sum(len(each.exchange.upstream) for each in found) == 1


def test_a_span_that_was_never_ended_has_no_response() -> None:
    open_ = span(1, kind=2, name="GET /") | {"endTimeUnixNano": "0"}
    assert only(FORMAT, [traces(open_)]).exchange.response is None


def test_a_span_that_was_exported_twice_counts_once() -> None:
    one = traces(span(1, kind=2, name="GET /"), span(2, 1, attrs=MESSAGES))
    assert len(only(FORMAT, [one, one]).exchange.upstream) == 1


def test_one_line_with_many_traces_and_one_trace_over_many_lines_are_read() -> None:
    other = "ab" * 16
    lines = [
        traces(span(2, 1, attrs=MESSAGES), span(1, trace=other, kind=2, name="GET /b")),
        traces(span(1, kind=2, name="GET /a")),
    ]
    found, _ = read(FORMAT, lines)
    assert [(each.exchange.request.request["path"], len(each.exchange.upstream)) for each in found] == [
        ("/a", 1),
        ("/b", 0),
    ]


def test_a_stream_that_was_recorded_as_one_text_says_so() -> None:
    streamed = SERVER | {"http.response.header.content-type": ["text/event-stream; charset=utf-8"]}
    assert only(FORMAT, [traces(span(1, kind=2, attrs=streamed))]).lossy == ("no chunk times",)


def test_one_pretty_printed_document_is_read_like_lines() -> None:
    document = json.dumps(traces(span(1, kind=2, attrs=SERVER), span(2, 1, attrs=MESSAGES)), indent=2)
    for text in (document, "\ufeff" + document, document * 2):
        assert FORMAT.detects(source(text))
        assert len(only(FORMAT, text).exchange.upstream) == 1


def test_of_a_document_that_is_cut_off_the_spans_before_are_kept() -> None:
    document = json.dumps(traces(span(1, kind=2, attrs=SERVER), span(2, 1, attrs=MESSAGES)), indent=1)
    found, dropped = read(FORMAT, document[:-300])
    assert len(found) == 1
    assert len(dropped) == 1
    assert "after 1 records" in dropped[0].reason


def test_a_line_too_long_to_decode_whole_is_read_as_a_stream() -> None:
    long = traces(
        *(span(n, trace=f"{n:032x}", kind=2, name="GET /", attrs={"padding": "x" * 5000}) for n in range(1, 301))
    )
    found, dropped = read(
        FORMAT,
        [
            traces(span(1, kind=2, name="GET /a")),
            long,
            "garbage",
            traces(span(1, trace="ab" * 16, kind=2, name="GET /b")),
        ],
    )
    assert len(found) == 302
    assert [each.source for each in dropped] == ["spans.jsonl:3"]


@pytest.mark.parametrize("bomb", ["[" * 100_000, '{"a":' * 100_000, '{"resourceSpans":' + "[" * 3_000_000])
def test_a_nesting_bomb_costs_only_itself(bomb: str) -> None:
    found, dropped = read(FORMAT, [bomb, traces(span(1, kind=2, name="GET /a"))])
    assert len(found) == 1
    assert len(dropped) == 1


def test_lines_of_metrics_and_ordinary_logs_are_no_loss() -> None:
    lines = [
        traces(span(1, kind=2, name="GET /")),
        {"resourceMetrics": []},
        {"resourceSpans": []},
        {"resourceLogs": [{"scopeLogs": []}]},
    ]
    only(FORMAT, lines)


LINES = [
    traces(span(1, kind=2, attrs=SERVER), span(2, 1, attrs=MESSAGES)),
    traces(span(1, trace="ab" * 16, kind=2, name="GET /", attrs={"user.id": "u"})),
]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.one_of(
                st.binary(max_size=30),
                st.sampled_from(
                    [
                        b"{",
                        b'{"a":',
                        b"null",
                        b"[1,2",
                        b"\xff\xfe",
                        b'{"resourceSpans":[{"scopeSpans":[{"spans":[7]}]}]}',
                    ]
                ),
            ),
        ),
        max_size=6,
    )
)
@settings(max_examples=60, deadline=None)
def test_garbage_lines_cost_only_themselves(garbage: list[tuple[int, bytes]]) -> None:
    expected = [found.exchange for found in read(FORMAT, LINES)[0]]
    raw = [json.dumps(line).encode() for line in LINES]
    lines = [
        raw[0],
        *(junk.replace(b"\n", b" ") for place, junk in garbage if place),
        raw[1],
        *(junk.replace(b"\n", b" ") for place, junk in garbage if not place),
    ]
    found, _ = read(FORMAT, b"\n".join(lines))
    assert [each.exchange for each in found] == expected


def forest(draw: Any) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = []
    for number in range(1, draw(st.integers(2, 12))):
        kind = draw(st.sampled_from([1, 2, 3]))
        attrs = draw(
            st.sampled_from(
                [
                    {},
                    MESSAGES,
                    SERVER,
                    {"session.id": "s-1"},
                    {"session.id": "s-2", "user.id": "u"},
                    {"gen_ai.operation.name": "invoke_agent"},
                ]
            )
        )
        parent = draw(st.one_of(st.none(), st.integers(1, 14)))
        spans.append(span(number, parent, trace=draw(st.sampled_from([TRACE, "ab" * 16])), kind=kind, attrs=attrs))
    return spans


@given(st.composite(forest)(), st.randoms(use_true_random=False), st.booleans())
@settings(max_examples=80, deadline=None)
def test_the_order_of_the_spans_never_changes_what_is_imported(
    spans: list[dict[str, Any]], rng: random.Random, one_line: bool
) -> None:
    shuffled = list(spans)
    rng.shuffle(shuffled)
    given_ = [traces(*shuffled)] if one_line else [traces(each) for each in shuffled]
    assert read(FORMAT, given_) == read(FORMAT, [traces(*spans)])


@pytest.mark.parametrize("text", [
    '{"ts":"2026-11-20T10:00:00Z","session_id":"s","request":{"message":"hi"}}\n',
    '{"log":{"version":"1.2","entries":[]}}', '{"data":[{"traceID":"t","spans":[]}]}', '{"batches":[{"id":1}]}',
    '{"name":"x","context":{"trace_id":"0x1","span_id":"0x2"}}', "not json", "", '"resourceSpans"', '[{"resourceSpans":7}]',
])  # fmt: skip
def test_files_of_other_formats_are_not_claimed(text: str) -> None:
    assert not FORMAT.detects(source(text))


def test_a_head_that_ends_within_the_first_line_is_enough_to_detect() -> None:
    long = traces(*(span(n, attrs={"padding": "x" * 500}) for n in range(1, 400)))
    assert FORMAT.detects(source([long]))
    assert FORMAT.detects(source(json.dumps(long, indent=2)))
