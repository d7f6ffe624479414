"""Requests byte by byte: nothing is answered before the last byte, and answers are read however they are framed."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest
from crosslane.replay.errors import HandlerError
from crosslane.replay.handler.http import HttpRequest
from crosslane.replay.service.client import Address, Connection, Received, address_of, on_the_wire
from crosslane.replay.service.launch import free_port
from hypothesis import given
from hypothesis import strategies as st

HERE = Address("127.0.0.1", 8000)
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answered(raw: bytes) -> tuple[Received, list[str]]:
    """What the client makes of an answer, and the parts that it told of."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        connection = await Connection.opened(Address("127.0.0.1", port), b"GET / HTTP/1.1\r\n\r\n")
        connection.release()
        parts: list[str] = []
        return await connection.answer(parts.append), parts


async def test_a_request_is_complete_only_when_its_last_byte_is_released() -> None:
    heard: list[bytes] = []
    begun = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readexactly(3))
        begun.set()
        heard.append(await reader.read())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        connection = await Connection.opened(Address("127.0.0.1", server.sockets[0].getsockname()[1]), b"abcd")
        await begun.wait()
        assert heard == [b"abc"]
        connection.release()
        connection.close()
        while len(heard) < 2:
            await asyncio.sleep(0)
    assert heard == [b"abc", b"d"]


@pytest.mark.parametrize(
    ("raw", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", b"hello"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it closes", b"until it closes"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b""),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"packed", mtime=0),
            b"packed",
        ),
    ],
)
async def test_answers_are_read_however_they_are_framed(raw: bytes, body: bytes) -> None:
    received, _ = await answered(raw)
    assert (received.body, received.cut) == (body, "")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", "in the middle"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "no HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", "no HTTP"),
    ],
)
async def test_an_answer_that_is_not_whole_says_why(raw: bytes, said: str) -> None:
    received, _ = await answered(raw)
    assert said in received.cut


async def test_a_stream_has_the_parts_that_the_service_made_and_not_those_of_the_network() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\ndata: b\n\ndata: c"
    received, told = await answered(raw)
    assert received.parts == tuple(told) == ("data: a\n\n", "data: b\n\n", "data: c")


async def test_a_port_where_nothing_listens_is_one_clear_line() -> None:
    with pytest.raises(HandlerError, match=r"nothing listens there; start the service, or .*--launch"):
        await Connection.opened(Address("127.0.0.1", free_port()), b"x")


@pytest.mark.parametrize("url", ["http://example.com", "http://10.0.0.7:8000", "https://api.openai.com/v1"])
def test_another_machine_is_asked_only_where_that_is_allowed(url: str) -> None:
    with pytest.raises(HandlerError, match="not on this machine"):
        address_of(url, allow_remote=False)
    assert address_of(url, allow_remote=True).host in url


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:many", "http://127.0.0.1/?q=1"])
def test_what_is_no_url_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(HandlerError, match="is no URL of a service"):
        address_of(url, allow_remote=False)


def test_the_parts_of_an_address_are_those_of_its_url() -> None:
    assert address_of("http://localhost:8000/api/", allow_remote=False) == Address("localhost", 8000, False, "/api")
    assert address_of("http://[::1]", allow_remote=False).shown == "http://[::1]:80"


@given(st.text(), st.text(), st.text(alphabet=st.characters(codec="utf-8")))
def test_nothing_in_a_trace_can_begin_another_line_or_request(name: str, value: str, query: str) -> None:
    request = HttpRequest("GET", "/", "/", query, ((name, value),), b"")
    wire = on_the_wire(request, HERE)
    head, end, rest = wire.partition(b"\r\n\r\n")
    assert (end, rest) == (b"\r\n\r\n", b"")
    assert len(head.split(b"\r\n")) <= 4
    assert len(head.splitlines()[0].split(b" ")) == 3


def test_headers_of_the_recorded_connection_are_not_repeated() -> None:
    headers = (("connection", "keep-alive"), ("accept-encoding", "br"), ("content-length", "99"), ("x-kept", "yes"))
    wire = on_the_wire(HttpRequest("POST", "/", "/", "", headers, b"{}"), HERE)
    assert b"x-kept: yes" in wire
    assert b"content-length: 2\r\n" in wire
    assert b"99" not in wire
    assert b"br" not in wire
    assert b"keep-alive" not in wire
