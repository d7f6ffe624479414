"""Where messages end, and what is never passed on."""

from __future__ import annotations

import itertools

import pytest
from crosslane.replay.record.http1 import (
    Body,
    Chunked,
    Malformed,
    head_end,
    request_body,
    request_head,
    response_body,
    response_head,
)
from hypothesis import given
from hypothesis import strategies as st

GOOD = b"POST /chat?a=%20b HTTP/1.1\r\nHost: x\r\nX-A:  b \t\r\nX-A: c\r\nContent-Length: 3\r\n\r\n"

# Each is read differently by servers in use; see the corpora of "HTTP Desync Attacks" and of llhttp's own tests.
SMUGGLING = {
    "two lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "the same length twice": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n",
    "a list of lengths": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\n",
    "a signed length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\n",
    "a length with an underscore": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1_0\r\n\r\n",
    "a length in other digits": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ٣\r\n\r\n".encode(),
    "no length": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n",
    "a length and chunks": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "two codings": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "a list of codings": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "another coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "a coding with a control": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    "chunks of version 1.0": b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a folded line": b"POST / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "a folded coding": b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n",
    "a bare line feed": b"POST / HTTP/1.1\r\nHost: x\nX: a\r\n\r\n",
    "a bare carriage return": b"POST / HTTP/1.1\r\nHost: x\rX: a\r\n\r\n",
    "a blank before the colon": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\n",
    "a blank before the name": b"POST / HTTP/1.1\r\n Host: x\r\n\r\n",
    "a nul": b"POST / HTTP/1.1\r\nHost: x\0\r\n\r\n",
    "no colon": b"POST / HTTP/1.1\r\nHost: x\r\nX\r\n\r\n",
    "no name": b"POST / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "another version": b"GET / HTTP/2.0\r\nHost: x\r\n\r\n",
    "two blanks": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a blank in the target": b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n",
}


def read(head: bytes) -> Body:
    return request_body(request_head(head))


def test_a_head_is_taken_apart():
    head = request_head(GOOD)
    assert (head.method, head.target, head.minor) == (b"POST", b"/chat?a=%20b", 1)
    assert head.headers == ((b"Host", b"x"), (b"X-A", b"b"), (b"X-A", b"c"), (b"Content-Length", b"3"))


@pytest.mark.parametrize("head", SMUGGLING.values(), ids=SMUGGLING)
def test_what_two_readers_could_read_differently_is_refused(head: bytes):
    with pytest.raises(Malformed):
        read(head)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
    ],
)
def test_so_is_such_a_response(head: bytes):
    with pytest.raises(Malformed):
        response_body(response_head(head), b"GET")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_head_or_refused(data: bytes):
    for parse in (request_head, response_head):
        try:
            head = parse(data)
        except Malformed:
            continue
        assert not any(c in name + value for name, value in head.headers for c in b"\r\n\0")


@given(st.integers(0, len(GOOD)), st.sampled_from([b"\n", b"\r", b"\0", b" ", b":", b"\r\n", b"\x0b"]))
def test_a_byte_put_into_a_head_never_makes_another_length(at: int, byte: bytes):
    """Refused, or still with the one length that a strict reader finds."""
    try:
        head = request_head(GOOD[:at] + byte + GOOD[at:])
        lengths = [value for name, value in head.headers if name.lower() == b"content-length"]
        body = request_body(head)
    except Malformed:
        return
    assert len(lengths) <= 1
    assert body.done is (not lengths)


def test_a_head_without_end_is_refused_when_it_is_too_large_or_cannot_become_one():
    assert head_end(b"GET / HTTP/1.1\r\nHost: x\r\n") == -1
    with pytest.raises(Malformed) as error:
        head_end(b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000)
    assert error.value.status == 431
    with pytest.raises(Malformed, match="bare line feed"):
        head_end(b"GET / HTTP/1.1\nHost: x\n\n")


@pytest.mark.parametrize(
    ("head", "method", "done"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"HEAD", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b"GET", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"GET", True),
        (b"HTTP/1.1 200\r\n\r\n", b"GET", False),
        (b"HTTP/1.1 200 \r\nTransfer-Encoding: Chunked\r\n\r\n", b"GET", False),
    ],
)
def test_which_responses_have_a_body(head: bytes, method: bytes, done: bool):
    assert response_body(response_head(head), method).done is done


def chunks(parts: list[bytes]) -> bytes:
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts if part) + b"0\r\nX-T: 1\r\n\r\n"


@given(st.lists(st.binary(max_size=30), max_size=5), st.lists(st.integers(0, 200), max_size=8), st.binary(max_size=9))
def test_a_chunked_body_says_the_same_however_it_is_cut(parts: list[bytes], cuts: list[int], after: bytes):
    raw = chunks(parts) + after
    places = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    body = Chunked()
    passed = said = rest = b""
    for start, end in itertools.pairwise(places):
        if body.done:
            rest += raw[start:end]
            continue
        one, other = body.feed(raw[start:end])
        passed, said, rest = passed + one, said + other, rest + body.rest
    assert body.done
    assert said == b"".join(parts)
    assert (passed, rest) == (chunks(parts), after)


@pytest.mark.parametrize(
    "data",
    [
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"-1\r\n",
        b"\r\n",
        b"3 3\r\nabc\r\n",
        b"1" * 16 + b"\r\n",
        b"3;\x00\r\nabc\r\n",
        b"0\r\nX : a\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"3;" + b"a" * 5_000,
    ],
)
def test_chunks_that_are_not_in_order_are_refused_before_they_are_passed_on(data: bytes):
    body = Chunked()
    with pytest.raises(Malformed):
        body.feed(data)
