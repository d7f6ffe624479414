"""GoReplay files: messages joined by id, in whatever order they were captured."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .imported import imported

T = 1_795_168_800 * 10**9
END = "\n🐵🙈🙉\n".encode()


def sent(identity: str, session: str, at_ns: int, body: bytes = b'{"message":"hi"}', extra: bytes = b"") -> bytes:
    head = b"POST /chat HTTP/1.1\r\nHost: app\r\nX-Session-Id: %b\r\nContent-Type: application/json\r\n%bContent-Length: %d\r\n\r\n"
    return b"1 %b %d 0\n" % (identity.encode(), T + at_ns) + head % (session.encode(), extra, len(body)) + body


def answered(identity: str, at_ns: int, body: bytes = b"hello", head: bytes = b"", kind: int = 2) -> bytes:
    return b"%d %b %d 0\nHTTP/1.1 200 OK\r\n%b\r\n" % (kind, identity.encode(), at_ns, head) + body


A, B, C = "a" * 24, "b" * 24, "c" * 24


def test_requests_and_responses_are_joined_by_id_and_sorted_by_time(tmp_path: Path) -> None:
    parts = [answered(B, T + 900), sent(A, "s-a", 500), sent(B, "s-b", 100), answered(A, 250), sent(C, "s-c", 300)]
    summary, trace = imported(tmp_path, END.join(parts) + END)
    assert summary.files[0].format == "gor"
    assert [(r.session, r.at_ns) for r in trace.requests] == [("s-b", 0), ("s-c", 200), ("s-a", 400)]
    first, cut, last = (exchange.response for exchange in trace.exchanges)
    assert first is not None
    assert (first.at_ns, first.status, first.body) == (800, 200, "hello")
    assert last is not None
    assert last.at_ns == 650
    assert cut is None
    assert trace.requests[0].request["json"] == {"message": "hi"}


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Transfer-Encoding: chunked\r\n", b"3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\n\r\n"),
        (b"Content-Encoding: gzip\r\n", gzip.compress(b"hello", mtime=0)),
        (b"Content-Length: 5\r\n", b"hello"),
    ],
)
def test_bodies_are_freed_of_their_encodings(tmp_path: Path, head: bytes, body: bytes) -> None:
    _, trace = imported(tmp_path, sent(A, "s", 0) + END + answered(A, T + 1, body, head) + END)
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.body == "hello"


def test_what_was_cut_off_and_what_a_replay_answered_is_said(tmp_path: Path) -> None:
    parts = [sent(A, "s", 0), answered(A, T + 1, b"hel", b"Content-Length: 5\r\n"), answered(A, T + 9, b"no", kind=3)]
    summary, _ = imported(tmp_path, END.join([*parts, answered(C, T)]))
    (file,) = summary.files
    assert file.lossy["a body was cut off"] == 1
    assert [each.reason for each in file.dropped] == [
        "is the answer of a replay, not of the recording",
        "is a response without a request",
    ]


@given(st.lists(st.binary(max_size=60).filter(lambda raw: raw.strip() and END not in raw), max_size=4))
def test_garbage_between_good_messages_costs_only_itself(garbage: list[bytes]) -> None:
    content = END.join([sent(A, "s-a", 0), *garbage, sent(B, "s-b", 1), answered(A, T + 5), answered(B, T + 6)])
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), content)
    assert [(e.request.session, e.response is not None) for e in trace.exchanges] == [("s-a", True), ("s-b", True)]
    assert summary.files[0].dropped_total == len(garbage)
