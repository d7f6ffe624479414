"""mitmproxy flow files, of old and new versions, whole and damaged."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import TraceError
from hypothesis import given
from hypothesis import strategies as st

from .imported import imported

T = 1_795_168_800


def net(value: Any) -> bytes:
    """A value as a tagged netstring, as mitmproxy writes it."""
    if isinstance(value, bytes):
        return b"%d:%b," % (len(value), value)
    if isinstance(value, str):
        raw = value.encode()
        return b"%d:%b;" % (len(raw), raw)
    if value is None:
        return b"0:~"
    if isinstance(value, bool):
        return b"4:true!" if value else b"5:false!"
    if isinstance(value, (int, float)):
        raw = repr(value).encode()
        return b"%d:%b%b" % (len(raw), raw, b"#" if isinstance(value, int) else b"^")
    items = [part for pair in value.items() for part in pair] if isinstance(value, dict) else value
    raw = b"".join(map(net, items))
    return b"%d:%b%b" % (len(raw), raw, b"}" if isinstance(value, dict) else b"]")


def flow(session: str = "s-1", at: float = 0, **changes: Any) -> dict[str, Any]:
    request = {
        "method": b"POST",
        "scheme": b"http",
        "host": "app",
        "port": 8000,
        "path": b"/chat?x=1",
        "headers": [[b"x-session-id", session.encode()], [b"content-type", b"application/json"]],
        "content": b'{"message": "hi"}',
        "timestamp_start": T + at,
        "timestamp_end": T + at + 0.125,
    }
    response = {
        "status_code": 200,
        "headers": [[b"content-type", b"application/json"]],
        "content": b'{"reply": "hello"}',
        "timestamp_start": T + at + 0.5,
        "timestamp_end": T + at + 0.75,
    }
    return {
        "type": "http",
        "version": 21,
        "id": f"id-{session}-{at}",
        "client_conn": {"id": "c-1"},
        "error": None,
        "websocket": None,
        "request": {**request, **changes.pop("request", {})},
        "response": {**response, **changes.pop("response", {})},
        **changes,
    }


def old(value: Any) -> Any:
    """The same with keys as bytes, as before version 1."""
    if isinstance(value, dict):
        return {key.encode(): old(item) for key, item in value.items()}
    return [old(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("era", [lambda value: value, old])
def test_a_flow_is_an_exchange(tmp_path: Path, era: Any) -> None:
    summary, trace = imported(tmp_path, net(era(flow())))
    assert summary.files[0].format == "mitm"
    (exchange,) = trace.exchanges
    request, response = exchange.request, exchange.response
    assert (request.id, request.session, request.source) == ("id-s-1-0", "s-1", "in0#1")
    assert (request.request["path"], request.request["query"]) == ("/chat", "x=1")
    assert request.request["json"] == {"message": "hi"}
    assert response is not None
    assert (response.status, response.body, response.at_ns) == (200, {"reply": "hello"}, 750_000_000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(b'{"a": 1}', mtime=0)),
        (b"deflate", zlib.compress(b'{"a": 1}')),
        (b"deflate", zlib.compress(b'{"a": 1}')[2:-4]),
        (b"identity", b'{"a": 1}'),
    ],
)
def test_bodies_are_unpacked_and_no_longer_say_that_they_are_packed(
    tmp_path: Path, encoding: bytes, body: bytes
) -> None:
    headers = [[b"content-type", b"application/json"], [b"Content-Encoding", encoding]]
    _, trace = imported(tmp_path, net(flow(response={"content": body, "headers": headers})))
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.body == {"a": 1}
    assert trace.exchanges[0].response.headers == (("content-type", "application/json"),)


def test_a_body_that_cannot_be_unpacked_is_kept_as_it_is_and_said(tmp_path: Path) -> None:
    headers = [[b"content-encoding", b"br"]]
    summary, trace = imported(tmp_path, net(flow(response={"content": b"\x8b\xff", "headers": headers})))
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.body == {"b64": "i/8="}
    assert summary.files[0].lossy["a body is still encoded (br)"] == 1


def test_messages_of_a_websocket_are_kept_with_their_times(tmp_path: Path) -> None:
    messages = [
        [1, True, b"hi", T + 1.0, False, False],
        [1, False, b"yo", T + 1.5, False, False],
        [2, True, b"\0", T + 2],
    ]
    _, trace = imported(
        tmp_path, net(flow(websocket={"messages": messages}, response={"status_code": 101, "content": b""}))
    )
    (exchange,) = trace.exchanges
    assert exchange.request.request["messages"] == ["hi", {"b64": "AA=="}]
    assert exchange.response is not None
    assert (exchange.response.chunks, exchange.response.chunks_at_ns) == (("yo",), (1_500_000_000,))
    assert exchange.response.at_ns == 2_000_000_000


def test_a_streamed_answer_and_a_client_that_left_are_said(tmp_path: Path) -> None:
    streamed = flow(response={"content": None, "headers": [[b"content-type", b"text/event-stream"]]})
    left = flow("s-2", error={"msg": "Client disconnected.", "timestamp": T + 0.25}, response=None or {})
    left["response"] = None
    summary, trace = imported(tmp_path, net(streamed) + net(left))
    assert summary.files[0].lossy == {"a response was streamed through and not kept": 1}
    response = {r.request.session: r.response for r in trace.exchanges}["s-2"]
    assert response is not None
    assert (response.end, response.status, response.at_ns) == ("cancelled", None, 250_000_000)


def test_calls_of_an_llm_go_to_the_request_they_were_made_for(tmp_path: Path) -> None:
    call = flow("x", 0.25, request={"host": "api.anthropic.com", "port": 443, "path": b"/v1/messages"})
    call["response"]["timestamp_end"] = T + 0.5
    _, trace = imported(tmp_path, net(flow()) + net(call))
    (exchange,) = trace.exchanges
    assert [call.name for call in exchange.upstream] == ["POST api.anthropic.com/v1/messages"]


def test_what_is_no_http_flow_or_damaged_inside_costs_only_itself(tmp_path: Path) -> None:
    tcp = {"type": "tcp", "id": "t", "messages": []}
    inside = net(flow("lost")).replace(b"12:x-session-id,", b"99:x-session-id,")
    summary, trace = imported(tmp_path, net(flow("a")) + net(tcp) + inside + net(["a"]) + net(flow("b", 1)))
    assert [request.session for request in trace.requests] == ["a", "b"]
    assert summary.files[0].dropped[0].reason == "is a tcp flow, not an HTTP one"
    assert summary.files[0].dropped_total == 3


@given(st.integers(min_value=1))
def test_a_file_cut_off_anywhere_keeps_the_flows_before(cut: int) -> None:
    first, whole = net(flow("a")), net(flow("a")) + net(flow("b", 1))
    kept = len(first) + cut % (len(whole) - len(first))
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), whole[:kept])
    assert [request.session for request in trace.requests] == ["a"]
    assert summary.files[0].dropped_total == (1 if kept > len(first) else 0)


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=4))
def test_netstrings_of_garbage_between_good_flows_cost_only_themselves(garbage: list[bytes]) -> None:
    framed = b"".join(b"%d:%b}" % (len(raw), raw) for raw in garbage)
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), net(flow("a")) + framed + net(flow("b", 1)))
    assert [request.session for request in trace.requests] == ["a", "b"]
    assert summary.files[0].dropped_total == len(garbage)


@pytest.mark.parametrize("nested", [b"]" * 1, b""])
def test_nesting_and_lengths_without_end_are_refused(tmp_path: Path, nested: bytes) -> None:
    deep: Any = []
    for _ in range(200):
        deep = [deep]
    hostile = net({"type": "http", "request": deep}) if nested else b"999999999999:4:type;4:http;}"
    with pytest.raises(TraceError, match="no usable record"):
        imported(tmp_path, hostile)
