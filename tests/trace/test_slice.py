"""A slice is a trace of its own: entire exchanges, the same times and ids, and nothing that was not selected."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import TraceError
from crosslane.replay.trace.model import Exchange, Request, Response, Trace, Upstream
from crosslane.replay.trace.slice import Selection, Sliced, slice_trace
from crosslane.replay.trace.store import dump, load
from hypothesis import given
from hypothesis import strategies as st

S = 10**9
HEADER: dict[str, Any] = {"clock": {"wall0_ns": 1_795_168_800 * S, "mono0_ns": None}}


def exchange(identity: str, session: str, start: float, end: float | None) -> Exchange:
    """A request of `session`, in flight from `start` to `end` seconds, with a call and a part in the middle."""
    at_ns = int(start * S)
    request = Request(identity, session, f"user of {session}", at_ns, None, {"path": "/chat"}, 1)
    if end is None:
        return Exchange(request)
    until_ns = int(end * S)
    call = Upstream(at_ns, until_ns - at_ns, "llm", "in", "out")
    return Exchange(request, Response(until_ns, 200, (), "ab", ("a", "b"), "ok", (at_ns, until_ns)), (call,))


DAY = [
    exchange("a1", "a", 0, 1),
    exchange("b1", "b", 100, 101),
    exchange("c1", "c", 150, 160),
    exchange("a2", "a", 200, 210),
    exchange("b2", "b", 205, 215),
    exchange("d1", "d", 300, 301),
    exchange("a3", "a", 400, 401),
]


def written(folder: Path, exchanges: list[Exchange], name: str = "day.jsonl") -> Path:
    with (folder / name).open("w") as stream:
        dump(exchanges, stream, HEADER)
    return folder / name


def sliced(path: Path, **selection: Any) -> tuple[Sliced, Trace]:
    target = path.with_name("slice.jsonl")
    done = slice_trace(path, target, Selection(**selection))
    trace = load(target)
    assert trace.problems == ()
    return done, trace


def ids(trace: Trace) -> list[str]:
    return [request.id for request in trace.requests]


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        ({"begin": "155"}, ["c1", "a2", "b2", "d1", "a3"]),
        ({"end": "100"}, ["a1", "b1"]),
        ({"begin": "206", "end": "207s"}, ["a2", "b2"]),
        ({"begin": "2026-11-20T10:05:00Z", "end": "2026-11-20T12:05:00.5+02:00"}, ["d1"]),
        ({"sessions": frozenset({"a", "d"})}, ["a1", "a2", "d1", "a3"]),
        ({"users": frozenset({"user of b"})}, ["b1", "b2"]),
        ({"sessions": frozenset({"a"}), "begin": "200"}, ["a2", "a3"]),
        ({"around": "a2"}, ["a1", "b1", "a2", "b2"]),
        ({"around": "a2", "margin_ns": 40 * S}, ["a1", "b1", "c1", "a2", "b2"]),
        ({"around": "d1"}, ["d1"]),
    ],
)
def test_what_is_selected_is_kept_with_all_its_events(
    tmp_path: Path, selection: dict[str, Any], kept: list[str]
) -> None:
    done, trace = sliced(written(tmp_path, DAY), **selection)
    assert ids(trace) == kept
    whole = {each.request.id: each for each in load(tmp_path / "day.jsonl").exchanges}
    for each in trace.exchanges:
        before = whole[each.request.id]
        assert (each.response, each.upstream, each.request.at_ns) == (
            before.response,
            before.upstream,
            before.request.at_ns,
        )
    assert (done.requests, done.of_requests, done.of_sessions) == (len(kept), 7, 4)
    assert trace.header["clock"] == HEADER["clock"]
    assert trace.closed


def test_hand_written_lines_keep_the_ids_they_have_in_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({"session": s, "message": m}) + "\n" for s, m in ("a1", "b2", "a3", "b4")))
    _, trace = sliced(path, sessions=frozenset({"b"}))
    assert [(r.id, r.message, r.at_ns) for r in trace.requests] == [("r2", "2", 2), ("r4", "4", 4)]


def test_what_was_in_flight_when_recording_broke_off_counts_to_the_end(tmp_path: Path) -> None:
    path = written(tmp_path, [exchange("a", "a", 0, None), exchange("b", "b", 1, 2), exchange("c", "c", 8, 9)])
    assert ids(sliced(path, begin="8")[1]) == ["c"]
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    _, trace = sliced(path, begin="8")
    assert (ids(trace), trace.closed) == (["a", "c"], False)


def test_bodies_beside_the_trace_come_along(tmp_path: Path) -> None:
    name = "a" * 64
    (tmp_path / "t.blobs").mkdir()
    (tmp_path / "t.blobs" / name).write_text('"large"')
    requests = [{"k": "req", "id": s, "t": 1, "session": s, "path": "/", "body": {"ref": name}} for s in "ab"]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(request) + "\n" for request in requests))
    _, trace = sliced(tmp_path / "t.jsonl", sessions=frozenset({"a"}))
    assert trace.requests[0].request == {"path": "/", "json": "large"}


def test_parts_are_sliced_as_the_one_trace_they_are(tmp_path: Path) -> None:
    for number, wall in ((1, 0), (2, 5 * S)):
        header = {"k": "header", "v": 1, "clock": {"wall0_ns": wall, "mono0_ns": None}}
        request = {"k": "req", "id": f"r{number}", "t": 0, "session": "s", "message": "m"}
        (tmp_path / f"t.part-{number}-1.jsonl").write_text(json.dumps(header) + "\n" + json.dumps(request) + "\n")
    _, trace = sliced(tmp_path / "t.jsonl", begin="1")
    assert [(r.id, r.at_ns) for r in trace.requests] == [("r2", 5 * S)]


@pytest.mark.parametrize(
    ("selection", "line"),
    [
        ({"sessions": frozenset({"z"})}, "none of its 7 requests is selected; its sessions are a, b, c and 1 more"),
        ({"users": frozenset({"z"})}, "its users are user of a"),
        ({"begin": "1e6"}, "its requests span 400 seconds"),
        ({"around": "nope"}, "has no request 'nope'; its ids look like a1"),
        ({"begin": "soon"}, "cannot read the time 'soon'"),
    ],
)
def test_a_selection_of_nothing_is_one_clear_line_and_no_file(
    tmp_path: Path, selection: dict[str, Any], line: str
) -> None:
    with pytest.raises(TraceError, match=line):
        sliced(written(tmp_path, DAY), **selection)
    assert not (tmp_path / "slice.jsonl").exists()


def test_a_clock_time_needs_a_clock_and_no_slice_overwrites_its_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"session":"s","message":"m"}\n')
    with pytest.raises(TraceError, match="does not say when it was recorded"):
        sliced(path, begin="2026-11-20T10:00:00Z")
    with pytest.raises(TraceError, match="is the trace itself"):
        slice_trace(path, path, Selection(sessions=frozenset({"s"})))


def test_lines_that_are_no_events_are_told_and_cost_nothing_else(tmp_path: Path) -> None:
    path = written(tmp_path, DAY)
    path.write_text("\n".join(["{torn", *path.read_text().splitlines()]))
    done, trace = sliced(path, sessions=frozenset({"a"}))
    assert (len(done.problems), ids(trace)) == (1, ["a1", "a2", "a3"])


SPANS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=12
)  # fmt: skip


@given(SPANS, st.integers(0, 11), st.integers(0, 3))
def test_around_a_request_is_all_that_overlapped_it_and_what_those_sessions_did_before(
    spans: list[tuple[str, int, int]], index: int, margin: int
) -> None:
    exchanges = [exchange(f"x{n}", s, start, start + took) for n, (s, start, took) in enumerate(spans)]
    _, begin, took = spans[index % len(spans)]
    near = {n for n, (_, s, t) in enumerate(spans) if s + t >= begin - margin and s <= begin + took + margin}
    sessions = {spans[n][0] for n in near}
    before = {n for n, (session, start, _) in enumerate(spans) if session in sessions and start <= begin + took}
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), exchanges)
        _, trace = sliced(path, around=f"x{index % len(spans)}", margin_ns=margin * S)
    assert set(ids(trace)) == {f"x{n}" for n in near | before}
