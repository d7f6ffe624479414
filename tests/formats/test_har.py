"""HAR as browsers, proxies and recorders really write it, and which request an upstream call was made for."""

from __future__ import annotations

import base64
import gzip
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .imported import imported

MINIMAL = '{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"entries":[{"startedDateTime":"2026-11-20T10:00:00.000Z","time":812.5,"request":{"method":"POST","url":"http://127.0.0.1:8000/chat","httpVersion":"HTTP/1.1","headers":[{"name":"X-Session-Id","value":"s-1"},{"name":"Content-Type","value":"application/json"}],"cookies":[],"queryString":[],"postData":{"mimeType":"application/json","text":"{\\"user\\":\\"u-1\\",\\"message\\":\\"hi\\"}"},"headersSize":-1,"bodySize":-1},"response":{"status":200,"statusText":"OK","httpVersion":"HTTP/1.1","headers":[],"cookies":[],"content":{"size":13,"mimeType":"application/json","text":"{\\"reply\\":\\"a\\"}"},"redirectURL":"","headersSize":-1,"bodySize":-1},"cache":{},"timings":{"send":1,"wait":801.5,"receive":10}}]}}'


def har(*entries: Any, creator: str = "x") -> str:
    return json.dumps({"log": {"version": "1.2", "creator": {"name": creator}, "entries": list(entries)}})


def entry(at: float = 0, took_ms: float = 100, session: str | None = "s-1", **changes: Any) -> dict[str, Any]:
    """An entry `at` seconds after ten o'clock; `url`, `headers`, `sent`, `content` and members of the entry change it."""
    headers = changes.pop("headers", [])
    sent = changes.pop("sent", {"mimeType": "application/json", "text": '{"message": "hi"}'})
    content = changes.pop("content", {"mimeType": "text/plain", "text": "hello"})
    named = [] if session is None else [{"name": "X-Session-Id", "value": session}]
    request = {
        "method": "POST",
        "url": changes.pop("url", "http://app:8000/chat"),
        "headers": [*named, *headers],
        "postData": sent,
    }
    return {
        "startedDateTime": f"2026-11-20T10:00:{at:06.3f}Z",
        "time": took_ms,
        "request": request,
        "response": {"status": 200, "headers": [], "content": content},
        **changes,
    }


def traceparent(trace: str) -> dict[str, str]:
    return {"name": "traceparent", "value": f"00-{trace * 32}-{'1' * 16}-01"}


LLM = "https://api.openai.com/v1/chat/completions"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_minimal_har_is_read_with_and_without_a_byte_order_mark(tmp_path: Path, mark: bytes) -> None:
    summary, trace = imported(tmp_path, mark + MINIMAL.encode())
    assert summary.files[0].format == "har"
    (exchange,) = trace.exchanges
    assert (exchange.request.session, exchange.request.user, exchange.request.source) == ("s-1", "u-1", "in0#1")
    assert exchange.request.request["json"] == {"user": "u-1", "message": "hi"}
    assert exchange.response is not None
    assert (exchange.response.at_ns, exchange.response.status, exchange.response.body) == (
        812_500_000,
        200,
        {"reply": "a"},
    )


def test_headers_may_be_pairs_and_pseudo_headers_become_a_host(tmp_path: Path) -> None:
    first = entry()
    first["request"]["headers"] = [["x-session-id", "p-1"], [":authority", "shop"], [":path", "/chat"]]
    _, trace = imported(tmp_path, har(first))
    assert trace.requests[0].session == "p-1"
    assert trace.requests[0].request["headers"] == [
        ["host", "shop"],
        ["x-session-id", "p-1"],
        ["content-type", "application/json"],
    ]


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ({"mimeType": "application/json", "text": '{"a": 1}'}, {"a": 1}),
        ({"mimeType": "application/json", "text": '{"a": NaN}'}, '{"a": NaN}'),
        ({"mimeType": "text/plain", "encoding": "base64", "text": "aMOp"}, "hé"),
        ({"mimeType": "image/png", "encoding": "base64", "text": "iVBORw0K"}, {"b64": "iVBORw0K"}),
        ({"mimeType": "text/plain", "encoding": "base64", "text": "?"}, ""),
        ({"size": 5, "mimeType": "text/plain"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_bodies_are_json_text_or_base64(tmp_path: Path, content: dict[str, Any], body: Any) -> None:
    summary, trace = imported(tmp_path, har(entry(content=content)))
    assert trace.exchanges[0].response is not None
    assert (trace.exchanges[0].response.body or "") == (body or "")
    assert ("the text of a response is missing" in summary.files[0].lossy) == ("size" in content)


def test_pieces_of_a_compressed_body_are_put_together(tmp_path: Path) -> None:
    packed = gzip.compress(b'{"reply": "hello"}')
    pieces = json.dumps([base64.b64encode(part).decode() for part in (packed[:9], packed[9:])])
    content = {"mimeType": "application/json", "encoding": "base64", "text": pieces}
    _, trace = imported(tmp_path, har(entry(content=content)))
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.body == {"reply": "hello"}


def test_a_missing_request_body_is_graded(tmp_path: Path) -> None:
    summary, _ = imported(
        tmp_path, har(entry(sent=None), entry(sent={"mimeType": "a", "params": [{"name": "q", "value": "1 2"}]}))
    )
    assert summary.files[0].grades == {"needs-body": 1, "replayable": 1}


def test_a_stream_stays_one_text_and_says_that_its_parts_have_no_times(tmp_path: Path) -> None:
    text = 'data: {"choices": []}\n\ndata: [DONE]\n\n'
    summary, trace = imported(tmp_path, har(entry(content={"mimeType": "text/event-stream", "text": text})))
    assert trace.exchanges[0].response is not None
    assert (trace.exchanges[0].response.body, trace.exchanges[0].response.chunks) == (text, ())
    assert summary.files[0].lossy["no chunk times: a stream came as one text"] == 1


def test_messages_of_a_websocket_are_kept_with_their_times(tmp_path: Path) -> None:
    messages = [
        {"type": "send", "time": 1_795_168_800.5, "opcode": 1, "data": "hi"},
        {"type": "receive", "time": 1_795_168_800.75, "opcode": 1, "data": "hello"},
        {"type": "send", "time": 1_795_168_801, "opcode": 2, "data": "AAE="},
    ]
    web_socket = entry(
        url="ws://app:8000/ws", sent=None, content={}, _resourceType="websocket", _webSocketMessages=messages
    )
    _, trace = imported(tmp_path, har(web_socket))
    (exchange,) = trace.exchanges
    assert exchange.request.request["messages"] == ["hi", {"b64": "AAE="}]
    assert exchange.response is not None
    assert (exchange.response.chunks, exchange.response.chunks_at_ns) == (("hello",), (750_000_000,))


def test_a_sanitised_export_says_what_was_removed(tmp_path: Path) -> None:
    cookie = {"name": "Cookie", "value": "sid=1"}
    summary, _ = imported(tmp_path, har(entry(), creator="WebInspector"))
    assert summary.files[0].lossy["cookies and authorization were removed"] == 1
    summary, _ = imported(tmp_path, har(entry(), entry(headers=[cookie]), creator="WebInspector"))
    assert not summary.files[0].lossy


def test_a_request_that_failed_has_an_answer_that_says_so(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, har(entry(response={"status": 0, "content": {}})))
    assert trace.exchanges[0].response is not None
    assert (trace.exchanges[0].response.status, trace.exchanges[0].response.end) == (None, "error")


# ---- upstream calls


def test_a_call_belongs_to_the_only_request_that_was_in_flight_all_the_while(tmp_path: Path) -> None:
    call = entry(0.5, 300, None, url=LLM)
    _, trace = imported(tmp_path, har(entry(0, 1000, "s-1"), entry(0.6, 1000, "s-2"), call))
    first, second = trace.exchanges
    assert [call.name for call in first.upstream] == ["POST api.openai.com/v1/chat/completions"]
    assert (first.upstream[0].at_ns, first.upstream[0].duration_ns) == (500_000_000, 300_000_000)
    assert (first.upstream[0].sent, first.upstream[0].answered) == ({"message": "hi"}, "hello")
    assert second.upstream == ()


def test_a_call_that_could_belong_to_several_is_left_out_and_said(tmp_path: Path) -> None:
    call = entry(0.5, 100, None, url=LLM)
    summary, trace = imported(tmp_path, har(entry(0, 1000, "s-1"), entry(0.1, 1000, "s-2"), call))
    assert all(not exchange.upstream for exchange in trace.exchanges)
    (file,) = summary.files
    assert file.lossy["upstream call could belong to several requests"] == 2
    assert (file.dropped[0].source, file.dropped_total) == ("in0#3", 1)


def test_the_trace_id_tells_which_of_several_requests_made_a_call(tmp_path: Path) -> None:
    calls = [
        entry(0.5, 100, None, url=LLM, headers=[traceparent("b")]),
        entry(0.5, 100, None, url="http://tools/search", headers=[traceparent("a")]),
    ]
    requests = [entry(0, 1000, "s-1", headers=[traceparent("a")]), entry(0.1, 1000, "s-2", headers=[traceparent("b")])]
    _, trace = imported(tmp_path, har(calls[0], *requests, calls[1]))
    assert [[call.name for call in exchange.upstream] for exchange in trace.exchanges] == [
        ["POST tools/search"],
        ["POST api.openai.com/v1/chat/completions"],
    ]


def test_a_service_that_speaks_an_llms_protocol_is_no_upstream_call(tmp_path: Path) -> None:
    gateway = [entry(n, 100, f"s-{n}", url="http://app:8000/v1/chat/completions") for n in range(3)]
    _, trace = imported(tmp_path, har(*gateway, entry(5, 100, "s-9", url="http://app:8000/health")))
    assert len(trace.exchanges) == 4


def test_the_same_path_on_another_host_is_one(tmp_path: Path) -> None:
    stub = entry(0.2, 100, None, url="http://127.0.0.1:9000/v1/messages")
    _, trace = imported(tmp_path, har(entry(0, 1000), stub))
    assert [len(exchange.upstream) for exchange in trace.exchanges] == [1]


def test_a_file_of_nothing_but_calls_reads_them_as_requests_and_says_so(tmp_path: Path) -> None:
    summary, trace = imported(tmp_path, har(entry(0, 100, "s-1", url=LLM), entry(1, 100, "s-2", url=LLM)))
    assert len(trace.requests) == 2
    assert summary.files[0].lossy["calls of an LLM read as requests: the file has no others"] == 2


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 12)), min_size=1, max_size=9),
)
def test_a_call_is_tied_exactly_where_one_request_was_in_flight_all_the_while(
    spans: list[tuple[bool, int, int]],
) -> None:
    entries = [
        entry(at, took * 1000, f"s-{n}", url=f"{LLM}?n={n}" if call else "http://app/chat", sent={"text": f"call-{n}"})
        for n, (call, at, took) in enumerate(spans)
    ]
    expected: dict[str, list[str]] = {f"s-{n}": [] for n, (call, _, _) in enumerate(spans) if not call}
    left_out = 0
    for n, (call, at, took) in enumerate(spans):
        around = [f"s-{m}" for m, (other, s, t) in enumerate(spans) if not other and s <= at and s + t >= at + took]
        if call and len(around) == 1:
            expected[around[0]].append(f"call-{n}")
        left_out += call and len(around) != 1
    if not expected:
        return
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), har(*entries))
    assert {e.request.session: sorted(str(c.sent) for c in e.upstream) for e in trace.exchanges} == expected
    assert summary.files[0].dropped_total == left_out


# ---- hostile files


def test_a_file_that_is_cut_off_keeps_the_entries_before(tmp_path: Path) -> None:
    text = har(*[entry(n) for n in range(5)])
    summary, trace = imported(tmp_path, text[: text.index('"s-1"', text.index("10:00:03"))])
    assert len(trace.requests) == 3
    assert "cut off" in summary.files[0].dropped[-1].reason


def test_an_entry_that_is_no_json_or_nested_without_end_costs_only_itself(tmp_path: Path) -> None:
    odd = f'{{"a": ?}}, {"[" * 50_000}{"]" * 50_000}, {{"time": NaN}}, tru'
    text = har(entry(session="a"), "ODD", entry(1, session="b")).replace('"ODD"', odd)
    summary, trace = imported(tmp_path, text)
    assert [request.session for request in trace.requests] == ["a", "b"]
    assert summary.files[0].dropped_total == 4


def test_a_byte_that_is_no_text_costs_no_entry(tmp_path: Path) -> None:
    text = har(entry(content={"mimeType": "text/plain", "text": "MARK"}), entry(1)).encode()
    _, trace = imported(tmp_path, text.replace(b"MARK", b"a\xffb\xc3"))
    assert len(trace.requests) == 2
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.body == "a�b�"


ODD = st.sampled_from(
    [None, True, -1, 10**30, 1e300, "", "x", "9" * 400, [], [[]], [None, {}], {}, {"a": 1}, ["a", "b"]]
)
BROKEN = st.dictionaries(
    st.sampled_from(["startedDateTime", "time", "request", "response", "connection", "_webSocketMessages", "_resourceType"]),
    ODD,
    min_size=1,
    max_size=3,
).map(lambda changes: {**entry(1), **changes})  # fmt: skip
BROKEN_INSIDE = st.builds(
    lambda part, name, value: {**entry(1), part: {**entry(1)[part], name: value}},
    st.sampled_from(["request", "response"]),
    st.sampled_from(["method", "url", "headers", "postData", "status", "content"]),
    ODD,
)


@given(st.lists(BROKEN | BROKEN_INSIDE | ODD, max_size=5), st.lists(BROKEN | BROKEN_INSIDE | ODD, max_size=5))
def test_broken_entries_between_good_ones_cost_only_themselves(before: list[Any], after: list[Any]) -> None:
    good = [entry(n * 20, session=f"good-{n}") for n in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), har(good[0], *before, good[1], *after, good[2]))
    assert {"good-0", "good-1", "good-2"} <= {request.session for request in trace.requests}
    assert len(trace.requests) + summary.files[0].dropped_total == 3 + len(before) + len(after)
