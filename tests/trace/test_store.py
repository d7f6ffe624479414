"""The trace store: every kind of damage has its line, and costs nothing else."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from crosslane.replay.detect.audit import audit
from crosslane.replay.errors import TraceError
from crosslane.replay.trace.model import Exchange, Request, Response, Upstream
from crosslane.replay.trace.redact_file import redact_file
from crosslane.replay.trace.redaction_rules import rules_of
from crosslane.replay.trace.slice import Selection, slice_trace
from crosslane.replay.trace.store import dump, load
from hypothesis import given, settings
from hypothesis import strategies as st

GOOD = '{"session":"s1","user":"alice","message":"hello"}'
OTHER = '{"session":"s2","user":"bob","message":"hi"}'


def written(folder: Path, *lines: str | bytes, end: bytes = b"\n") -> Path:
    path = folder / "trace.jsonl"
    path.write_bytes(b"\n".join(line.encode() if isinstance(line, str) else line for line in lines) + end)
    return path


def test_a_hand_written_line_is_a_complete_request(tmp_path: Path) -> None:
    trace = load(written(tmp_path, GOOD, '{"session":"s2","request":{"q":1}}', '{"user":"carol","message":"x"}'))
    first, second, third = trace.requests
    assert (first.id, first.session, first.user, first.message, first.line) == ("r1", "s1", "alice", "hello", 1)
    assert (second.message, second.request, second.user) == (None, {"q": 1}, None)
    assert (third.session, third.user) == ("carol", "carol")
    assert trace.problems == ()
    assert not trace.closed


def test_recorded_events_are_joined_by_request(tmp_path: Path) -> None:
    trace = load(
        written(
            tmp_path,
            '{"k":"header","v":1,"tool":"x"}',
            '{"k":"req","id":"a","t":5,"session":"s1","user":"u","method":"POST","path":"/chat","headers":[["A","b"]],"body":{"json":{"m":1}}}',
            '{"k":"up","parent":"a","t":6,"dt":2,"name":"chat","in":{"json":[]},"out":{"json":{}}}',
            '{"k":"chunk","id":"a","t":7,"text":"he"}',
            '{"k":"chunk","id":"a","t":8,"text":"llo"}',
            '{"k":"res","id":"a","t":9,"status":200,"headers":[["X","y"]],"end":"ok"}',
            '{"k":"something-new","whatever":1}',
            '{"k":"end","n":1}',
        )
    )
    (exchange,) = trace.exchanges
    assert exchange.request.request == {"method": "POST", "path": "/chat", "headers": [["A", "b"]], "json": {"m": 1}}
    assert exchange.response == Response(9, 200, (("X", "y"),), "hello", ("he", "llo"), "ok", (7, 8))
    assert exchange.upstream[0].duration_ns == 2
    assert trace.closed
    assert trace.problems == ()


def test_requests_come_in_order_of_time_and_not_of_lines(tmp_path: Path) -> None:
    trace = load(written(tmp_path, '{"t":20,"session":"b","message":"x"}', '{"t":10,"session":"a","message":"x"}'))
    assert [request.session for request in trace.requests] == ["a", "b"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{broken", "is not JSON"),
        ("[1,2]", "not a JSON object"),
        (b"\xff\xfe\x00binary", "binary"),
        (b'{"session":"\xff"}', "not UTF-8 (byte 12)"),
        ('{"message":"who?"}', "neither session nor user"),
        ('{"session":"s1"}', "neither message nor request"),
        ('{"session":"s1","message":"a","request":{}}', "both message and request"),
        ('{"session":"s1","message":{"no":1}}', "message that is not a text"),
        ('{"session":["s1"],"message":"a"}', "session that is neither"),
        ('{"session":"s1","message":"a","t":"late"}', "time that is not a number"),
        ('{"session":"s1","message":"a","t":NaN}', "NaN"),
        ('{"session":"s1","message":"a","t":99999999999999999999}', "time that does not fit into 64 bits"),
        ('{"session":"s1","message":"a","t":-99999999999999999999}', "time that does not fit into 64 bits"),
        ('{"session":"s1","message":"a","t":1e999}', "time that does not fit into 64 bits"),
        ('{"k":"up","parent":"r1","t":1,"dt":1e30}', "time that does not fit into 64 bits"),
        ('{"session":"s1","session":"s2","message":"a"}', "same key twice"),
        ('{"k":"res","id":"r9","text":"x"}', "not in the trace"),
        ('{"k":"res","id":"r1","text":"x","json":1}', "more than one body"),
        ("[" * 100_000, "nested too deeply"),
        ('{"session":"s1","message":"a","x":' + "1" * 4_301 + "}", "a number of more than 4,300 digits"),
    ],
)
def test_a_bad_line_in_the_middle_is_named_and_the_rest_is_kept(tmp_path: Path, bad: str | bytes, said: str) -> None:
    trace = load(written(tmp_path, GOOD, bad, OTHER))
    assert len(trace.exchanges) == 2
    (problem,) = trace.problems
    assert problem.line == 2
    assert said in problem.message


def test_a_torn_last_line_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    trace = load(written(tmp_path, GOOD, OTHER[:20], end=b""))
    assert len(trace.exchanges) == 1
    assert (trace.problems[0].line, trace.problems[0].message[:5]) == (2, "torn:")


def test_a_repeated_id_keeps_the_first(tmp_path: Path) -> None:
    trace = load(written(tmp_path, '{"id":"x","session":"a","message":"1"}', '{"id":"x","session":"b","message":"2"}'))
    assert [request.message for request in trace.requests] == ["1"]
    assert "repeats" in trace.problems[0].message


def test_a_line_of_ten_megabytes_loads_and_a_broken_one_is_not_quoted(tmp_path: Path) -> None:
    huge = "x" * 10_000_000
    trace = load(
        written(tmp_path, f'{{"session":"s1","message":"{huge}"}}', f'{{"session":"s1","message":"{huge}', OTHER)
    )
    assert [len(request.message or "") for request in trace.requests] == [10_000_000, 2]
    assert len(trace.problems[0].message) < 200
    assert "10 MB" in trace.problems[0].message


@pytest.mark.parametrize("number", ["1e400", "9" * 5000])
def test_numbers_beyond_measure_are_a_problem_of_their_line(tmp_path: Path, number: str) -> None:
    trace = load(written(tmp_path, GOOD, f'{{"session":"s1","message":"a","t":{number}}}'))
    assert len(trace.exchanges) == 1
    assert trace.problems[0].line == 2


def test_what_cannot_be_a_trace_is_refused_in_one_clear_line(tmp_path: Path) -> None:
    newer = written(tmp_path, '{"k":"header","v":2}', GOOD)
    for path, said in (
        (tmp_path / "missing.jsonl", "no such file"),
        (tmp_path, "is a directory"),
        (newer, "trace version 2"),
    ):
        with pytest.raises(TraceError, match=said) as raised:
            load(path)
        assert str(path) in str(raised.value)
        assert "\n" not in str(raised.value)
    with pytest.raises(TraceError, match="is empty"):
        load(written(tmp_path, end=b""))
    with pytest.raises(TraceError, match=r"no usable request .line 1: is binary or not UTF-8"):
        load(written(tmp_path, b"\x89PNG\r\n\x1a\n\0\0\xff"))


def test_byte_order_mark_and_windows_line_ends_are_accepted(tmp_path: Path) -> None:
    trace = load(written(tmp_path, b"\xef\xbb\xbf" + GOOD.encode() + b"\r", OTHER + "\r"))
    assert len(trace.exchanges) == 2
    assert trace.problems == ()


def test_compressed_traces_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_bytes(gzip.compress(f"{GOOD}\n".encode()))
    assert load(path).requests[0].message == "hello"
    zstandard = pytest.importorskip("zstandard")
    frames = b"".join(zstandard.ZstdCompressor().compress(f"{line}\n".encode()) for line in (GOOD, OTHER))
    path.write_bytes(frames)
    assert len(load(path).requests) == 2


def test_a_torn_gzip_keeps_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl.gz"
    lines = "".join(f'{{"session":"s{n}","message":"{n * 7919}"}}\n' for n in range(5_000))
    path.write_bytes(gzip.compress(lines.encode())[:-5_000])
    trace = load(path)
    assert len(trace.exchanges) > 100
    assert any("torn" in problem.message for problem in trace.problems)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def exchanges(draw: st.DrawFn) -> tuple[Exchange, ...]:
    made: list[Exchange] = []
    for number in range(draw(st.integers(1, 4))):
        hand_written = draw(st.booleans())
        request = Request(
            f"r{number}",
            draw(st.text(min_size=1)),
            draw(st.none() | st.text(min_size=1)),
            number,
            draw(st.text()) if hand_written else None,
            None if hand_written else draw(json_values.filter(lambda value: value is not None)),
            2,
        )
        response = None
        if draw(st.booleans()):
            body = draw(json_values.filter(lambda value: value is not None))
            response = Response(
                number, draw(st.none() | st.integers(100, 599)), (("a", "b"),), body, ("x",), "ok", (number,)
            )
        upstream = (Upstream(1, 2, "chat", draw(json_values), None),) if draw(st.booleans()) else ()
        made.append(Exchange(request, response, upstream))
    return tuple(made)


def without_lines(found: tuple[Exchange, ...]) -> list[object]:
    return [(e.request.to_json(), e.response, e.upstream) for e in found]


@settings(max_examples=60, deadline=None)
@given(exchanges())
def test_what_is_written_is_read_back_equal(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Exchange, ...]
) -> None:
    stream = io.StringIO()
    dump(made, stream)
    path = tmp_path_factory.mktemp("t") / "t.jsonl"
    path.write_text(stream.getvalue())
    trace = load(path)
    assert without_lines(trace.exchanges) == without_lines(made)
    assert trace.closed
    assert trace.problems == ()


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200).filter(lambda b: b"\n" not in b))
def test_garbage_between_good_lines_never_costs_them(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    path = tmp_path_factory.mktemp("t") / "t.jsonl"
    path.write_bytes(f"{GOOD}\n".encode() + garbage + f"\n{OTHER}\n".encode())
    trace = load(path)
    assert [r.message for r in trace.requests if r.line in (1, 3)] == ["hello", "hi"]
    assert len(trace.problems) <= 1


def test_dump_writes_one_json_object_a_line() -> None:
    stream = io.StringIO()
    dump((Exchange(Request("r1", "s1", None, 0, "a\nb", None, 1)),), stream)
    assert [json.loads(line)["k"] for line in stream.getvalue().splitlines()] == ["header", "req", "end"]


def test_a_websocket_whose_client_says_nothing_is_one_still(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"k":"header","v":1}\n{"k":"req","id":"r1","t":1,"user":"a","path":"/ws","messages":[]}\n')
    [request] = load(path).requests
    assert request.request == {"path": "/ws", "messages": []}


HAND_WRITTEN = (
    '{"session":"s1","user":"alice","message":"I am Alice Ferrante"}',
    '{"session":"s2","user":"bob","message":"hi"}',
)


@pytest.mark.parametrize("time", ["99999999999999999999", "-99999999999999999999", "1e300", '"late"', "true"])
def test_every_reader_leaves_out_the_same_lines_with_an_impossible_time(tmp_path: Path, time: str) -> None:
    bad = f'{{"k":"res","id":"r2","t":{time},"text":"Alice Ferrante"}}'
    last = '{"session":"s3","user":"carol","message":"order ORD-88231-A"}'
    path = written(tmp_path, *HAND_WRITTEN, bad, last)
    problems = load(path).problems
    assert [problem.line for problem in problems] == [3]
    assert audit(path).problems == list(problems)
    sliced = slice_trace(path, tmp_path / "sliced.jsonl", Selection())
    assert sliced.problems == problems
    redacted = redact_file(path, tmp_path / "redacted.jsonl", b"k" * 32, rules_of([]))
    assert redacted.problems == problems
    for copy in ("sliced.jsonl", "redacted.jsonl"):
        assert load(tmp_path / copy).problems == ()
        assert len(load(tmp_path / copy).exchanges) == 3


@pytest.mark.parametrize("kind", ["end", "lost"])
def test_what_the_recorder_had_to_leave_out_is_counted_and_told(tmp_path: Path, kind: str) -> None:
    lost = json.dumps({"k": kind, "n": 2, "lost": 3})
    path = written(tmp_path, GOOD, lost, OTHER, '{"k":"lost","lost":1}', '{"k":"end","lost":true}')
    trace = load(path)
    assert trace.lost == 4
    assert [(p.line, p.message[:45]) for p in trace.problems] == [
        (2, "3 events were lost while this was recorded: w"),
        (4, "1 event was lost while this was recorded: wha"),
    ]
    assert trace.skipped == 0
    assert [p.line for p in audit(path).problems] == [2, 4]
    assert [p.line for p in slice_trace(path, tmp_path / "s.jsonl", Selection(users=frozenset({"bob"}))).problems] == [
        2,
        4,
    ]
