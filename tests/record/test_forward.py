"""Bytes between a client and a service: what passes, in which order, and what is noted of it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from pathlib import Path

import pytest
from crosslane.replay.record.forward import _SURELY_OPEN_S as SURELY_OPEN_S
from crosslane.replay.record.forward import Front
from crosslane.replay.record.forward_back import Back
from crosslane.replay.record.proxy import Proxy
from crosslane.replay.record.recorder import Recorder
from crosslane.replay.record.websocket_frames import Messages
from crosslane.replay.trace.store import load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import events
from .test_http1 import SMUGGLING


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.data = b""
        self.closed = ""
        self.paused = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.data += data

    def close(self) -> None:
        self.closed = self.closed or "closed"

    def abort(self) -> None:
        self.closed = "aborted"

    def is_closing(self) -> bool:
        return bool(self.closed)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


class Between:
    """A client and its service, without sockets."""

    prefix = b""
    authority = b"service"
    keeps_host = True

    def __init__(self, path: Path) -> None:
        self.recorder = Recorder(path)
        self.pool: list[Back] = []
        self.asked_for: list[float] = []
        self.backs: list[Back] = []
        self.front = Front(self)
        self.client = Wire()
        self.front.connection_made(self.client)

    def connected(self, front: Front) -> str:
        return "connection-1"

    def left(self, front: Front) -> None: ...
    def gone(self, back: Back) -> None: ...

    def failed(self, what: str) -> str:
        return f"failed: {what}"

    def idle(self, back: Back) -> None:
        self.pool.append(back)

    def back(self, front: Front, most_idle_s: float) -> Back:
        self.asked_for.append(most_idle_s)
        if self.pool and most_idle_s:
            return self.pool.pop()
        back = Back(self)
        back.connection_made(Wire())
        self.backs.append(back)
        return back

    @property
    def service(self) -> Wire:
        return self.backs[-1].transport

    def says(self, data: bytes) -> None:
        self.front.data_received(data)

    def answers(self, data: bytes) -> None:
        self.backs[-1].data_received(data)

    def end(self) -> list[dict]:
        self.recorder.close()
        return [event for event in events(self.recorder.path) if event["k"] in ("req", "res", "chunk", "msg")]


@pytest.fixture
def between(trace: Path) -> Between:
    return Between(trace)


REQUEST = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi"
FORWARDED = b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

CLIENT = (
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\n yo\r\n0\r\nX-T: 1\r\n\r\n"
)
SERVICE = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"
    b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(ends) if a < b]


_places = st.lists(st.integers(0, len(CLIENT)), max_size=6)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(one=_places, other=_places)
async def test_however_the_streams_are_cut_the_same_passes_and_the_same_is_noted(tmp_path_factory, one, other):
    between = Between(tmp_path_factory.mktemp("traces") / "trace.jsonl")
    for piece in cut(CLIENT, one):
        between.says(piece)
    assert between.service.data == CLIENT
    for piece in cut(SERVICE, other):
        between.answers(piece)
    assert between.client.data == SERVICE
    assert between.pool, "the connection can be used again"
    request, response = between.end()
    assert (request["text"], response["text"], response["end"]) == ("hi yo", "hello!", "ok")


async def test_requests_one_after_the_other_are_answered_in_order_over_one_connection(between: Between):
    between.says(REQUEST + REQUEST.replace(b"/chat", b"/next") + REQUEST[:30])
    assert between.service.data == FORWARDED
    between.answers(ANSWER)
    await asyncio.sleep(0)
    assert between.service.data == FORWARDED + FORWARDED.replace(b"/chat", b"/next")
    between.answers(ANSWER.replace(b"hello", b"world"))
    assert between.client.data == ANSWER + ANSWER.replace(b"hello", b"world")
    assert len(between.backs) == 1
    assert [event["end"] for event in between.end() if event["k"] == "res"] == ["ok", "ok"]


@pytest.mark.parametrize("head", SMUGGLING.values(), ids=SMUGGLING)
async def test_what_is_no_request_is_answered_and_never_passed_on(between: Between, head: bytes):
    between.says(head + b"0\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n")
    assert between.client.data.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert between.client.closed == "closed"
    assert not between.backs


async def test_a_body_that_is_not_in_order_is_cut_off_where_it_is_not(between: Between):
    between.says(CLIENT.replace(b"3;x=y\r\n", b"3 x\r\n"))
    assert not between.backs or b" yo" not in between.service.data
    assert between.client.data.startswith(b"HTTP/1.1 400 ")
    _request, response = between.end()
    assert (response["status"], response["end"]) == (400, "error")


async def test_a_connection_that_the_service_had_closed_is_replaced_once(between: Between):
    between.says(REQUEST.replace(b"POST", b"PUT"))
    between.answers(ANSWER)
    between.says(REQUEST.replace(b"POST", b"PUT"))
    between.backs[0].connection_lost(ConnectionResetError())
    assert len(between.backs) == 2
    assert between.service.data == FORWARDED.replace(b"POST", b"PUT")
    between.answers(ANSWER)
    assert between.client.data == ANSWER * 2
    assert [event["end"] for event in between.end() if event["k"] == "res"] == ["ok", "ok"]


async def test_what_may_have_been_done_already_is_not_sent_again_nor_over_a_connection_long_idle(between: Between):
    between.says(REQUEST)
    between.answers(ANSWER)
    between.says(REQUEST)
    assert between.asked_for == [SURELY_OPEN_S, SURELY_OPEN_S]
    between.backs[0].connection_lost(ConnectionResetError())
    assert len(between.backs) == 1
    assert between.client.data.startswith(ANSWER + b"HTTP/1.1 502 Bad Gateway\r\n")
    assert [event["end"] for event in between.end() if event["k"] == "res"] == ["ok", "error"]


async def test_a_fresh_connection_that_breaks_is_not_tried_again(between: Between):
    between.says(REQUEST)
    between.backs[0].connection_lost(ConnectionResetError())
    assert len(between.backs) == 1
    assert between.client.data.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert not between.client.closed
    _, response = between.end()
    assert (response["status"], response["end"], response["error"]) == (502, "error", "ConnectionResetError")


async def test_an_answer_that_breaks_off_breaks_off_for_the_client(between: Between):
    between.says(REQUEST)
    between.answers(ANSWER[:-2])
    between.backs[0].connection_lost(None)
    assert between.client.closed == "aborted"
    assert between.end()[-1]["end"] == "error"


async def test_an_answer_that_is_none_is_a_failure_of_the_service(between: Between):
    between.says(REQUEST)
    between.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
    assert between.client.data.startswith(b"HTTP/1.1 502 ")
    assert between.service.closed == "aborted"


@pytest.mark.parametrize(
    ("method", "head"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"),
    ],
)
async def test_answers_without_a_body_end_with_their_head(between: Between, method: bytes, head: bytes):
    between.says(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    between.answers(head)
    assert between.client.data == head
    assert between.pool
    assert between.end()[-1]["end"] == "ok"


async def test_an_answer_that_ends_with_its_connection_ends_the_clients_too(between: Between):
    between.says(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    between.answers(b"HTTP/1.1 200 OK\r\n\r\nhel")
    between.answers(b"lo")
    assert not between.client.closed
    between.backs[0].connection_lost(None)
    assert between.client.data == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"
    assert between.client.closed == "closed"
    assert between.end()[-1]["text"] == "hello"


async def test_a_client_of_version_1_0_gets_no_chunks(between: Between):
    between.says(b"GET / HTTP/1.0\r\n\r\n")
    assert between.service.data == b"GET / HTTP/1.1\r\nHost: service\r\n\r\n"
    between.answers(SERVICE)
    assert between.client.data == b"HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nhello!"
    assert between.client.closed == "closed"


async def test_an_answer_that_comes_before_the_request_has_ended_passes_and_the_rest_of_the_request_too(
    between: Between,
):
    between.says(REQUEST[:-1])
    between.answers(ANSWER)
    assert between.client.data == ANSWER
    assert not between.pool
    between.says(b"i" + REQUEST)
    assert between.pool or between.service.data.startswith(FORWARDED)
    await asyncio.sleep(0)
    assert between.service.data == FORWARDED * 2
    assert between.end()[1]["end"] == "ok"


async def test_a_client_that_leaves_ends_its_request_at_the_service(between: Between):
    between.says(REQUEST)
    between.answers(ANSWER[:-2])
    between.front.connection_lost(None)
    assert between.service.closed == "aborted"
    assert between.end()[-1]["end"] == "cancelled"


async def test_whoever_is_slow_holds_up_the_other(between: Between):
    between.says(REQUEST[:-1])
    between.backs[0].pause_writing()
    assert between.client.paused
    between.backs[0].resume_writing()
    assert not between.client.paused
    between.front.pause_writing()
    assert between.service.paused
    between.says(b"i")
    between.answers(ANSWER)
    assert not between.pool[0].transport.paused, "a connection is not left paused for the next exchange"


async def test_headers_of_one_connection_stay_on_it(between: Between):
    between.says(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close, X-Mine, Host\r\nX-Mine: 1\r\nTE: gzip\r\nKeep-Alive: 5\r\nX-A: \xe9\r\n\r\n"
    )
    assert between.service.data == b"GET / HTTP/1.1\r\nHost: x\r\nX-A: \xe9\r\n\r\n"
    between.answers(b"HTTP/1.1 200 Fine, thanks\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n")
    assert between.client.data == b"HTTP/1.1 200 Fine, thanks\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert between.client.closed == "closed"


async def test_a_service_elsewhere_is_called_by_its_own_name(between: Between):
    between.keeps_host = False
    between.prefix = b"/base"
    between.says(b"GET /a HTTP/1.1\r\nX: y\r\nHost: x\r\n\r\n")
    assert between.service.data == b"GET /base/a HTTP/1.1\r\nHost: service\r\nX: y\r\n\r\n"


@pytest.mark.parametrize("target", [b"http://elsewhere/", b"elsewhere:443", b"@elsewhere"])
async def test_it_is_no_forward_proxy(between: Between, target: bytes):
    between.says(b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n" % target)
    assert between.client.data.startswith(b"HTTP/1.1 400 ")
    assert not between.backs


# ---- websockets


def frame(code: int, data: bytes, final: bool = True, mask: bytes = b"") -> bytes:
    size = len(data)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    head = bytes([code | (0x80 if final else 0), length[0] | (0x80 if mask else 0)]) + length[1:]
    return head + mask + bytes(byte ^ mask[i % 4] if mask else byte for i, byte in enumerate(data))


@given(
    st.lists(st.tuples(st.text(max_size=80), st.integers(0, 80), st.sampled_from([b"", b"abcd"])), max_size=4),
    st.lists(st.integers(0, 500), max_size=6),
)
def test_messages_are_the_same_however_their_frames_are_cut(messages, places):
    raw = b""
    for text, split, mask in messages:
        data = text.encode()
        raw += frame(1, data[:split], False, mask) + frame(9, b"ping", True, mask) + frame(0, data[split:], True, mask)
    reader = Messages(1_000)
    found = [message for piece in cut(raw, places) for message in reader.feed(piece)]
    assert found == [text for text, _, _ in messages]
    assert not reader.closed
    assert list(reader.feed(frame(8, b"\x03\xe8"))) == []
    assert reader.closed


def test_of_a_long_message_only_so_much_is_kept_and_the_next_is_still_found():
    reader = Messages(10)
    assert list(reader.feed(frame(2, b"x" * 300, mask=b"abcd") + frame(1, b"hi"))) == [b"x" * 10, "hi"]


def test_what_is_no_message_ends_the_reading():
    reader = Messages(10)
    assert list(reader.feed(b"\xf1\x02hi" + frame(1, b"hi"))) == []


UPGRADE = (
    b"GET /talk HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: k\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n"
)


@pytest.mark.parametrize(("said", "end"), [(True, "ok"), (False, "cancelled")])
async def test_a_websocket_passes_and_its_end_tells_who_left(between: Between, said: bool, end: str):
    between.says(UPGRADE)
    assert b"deflate" not in between.service.data
    assert between.service.data.endswith(
        b"\r\nSec-WebSocket-Key: k\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    between.answers(SWITCHED + frame(1, b"welcome"))
    between.says(frame(1, b"hi", mask=b"abcd"))
    if said:
        between.says(frame(8, b"", mask=b"abcd"))
    between.front.connection_lost(None)
    assert between.service.closed == "closed", "what the client said last still goes out"
    assert [(e["k"], e.get("text"), e.get("end")) for e in between.end()[1:]] == [
        ("chunk", "welcome", None),
        ("msg", "hi", None),
        ("res", None, end),
    ]


async def test_a_protocol_that_nobody_asked_for_is_a_failure(between: Between):
    between.says(REQUEST)
    between.answers(SWITCHED)
    assert between.client.data.startswith(b"HTTP/1.1 502 ")


# ---- over sockets


async def test_a_large_body_passes_both_ways_and_a_waiting_client_is_told_to_go_on(trace: Path):
    size = 3_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        data = await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + data[::-1])
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    recorder = Recorder(trace)
    async with Proxy(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", recorder) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % size)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        sent = b"abc" * (size // 3)
        writer.write(sent)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(size) == sent[::-1]
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    server.close()
    recorder.close()
    (exchange,) = load(trace).exchanges
    assert exchange.request.request["text"] == sent.decode()
    assert exchange.response.end == "ok"
