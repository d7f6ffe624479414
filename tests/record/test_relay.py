"""Recording through a process of its own gives what recording in the service gives, and loses nothing in silence."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from crosslane.replay.errors import CrosslaneError
from crosslane.replay.record import sidecar_process
from crosslane.replay.record.asgi import RecordMiddleware
from crosslane.replay.record.frames import Clock, Replay, packed, unpacked
from crosslane.replay.record.overflow import Overflow, Rest
from crosslane.replay.record.recorder import Note, Recorder
from crosslane.replay.record.relay import Relay
from crosslane.replay.record.service import started
from crosslane.replay.record.settings import Settings
from crosslane.replay.record.sidecar import Intake
from crosslane.replay.record.writer import Limits
from crosslane.replay.trace.events import parts
from crosslane.replay.trace.store import load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .conftest import events

HEADERS = ((b"X-User-Id", b"alice"), (b"Authorization", b"Bearer tok0123456789abcdef"))
KINDS = [
    ((b"Content-Type", b"application/json"),),
    ((b"content-type", b"text/event-stream"),),
    ((b"Content-Type", b"application/octet-stream"),),
    (),
]


def run(recorder: Recorder | Relay, script: list) -> None:
    """Do to a recorder what a script says; each exchange a list of (method, arguments)."""
    for number, steps in enumerate(script):
        recording = recorder.begin("POST", f"/chat?n={number}", HEADERS, f"connection-{number}")
        for name, *arguments in steps:
            getattr(recording, name)(*arguments)
        recording.finish()


def told_alike(path: Path) -> list[dict]:
    """Events without what differs from one recording to another: times, and the prefix of ids."""
    kept = []
    for file in parts(path):
        for event in events(file):
            for member in ("t", "dt", "created", "clock", "writer"):
                event.pop(member, None)
            for member in ("id", "parent"):
                if member in event:
                    event[member] = event[member].rpartition("-")[2]
            kept.append(event)
    return kept


TALK = [
    [("request", b'{"session_id": "s1", "message": "hi"}'), ("respond", 200, KINDS[0]), ("finish", "ok", "", b'{"a":1}')],
    [("respond", 200, KINDS[1]), ("part", b"data: h\xc3"), ("part", b"\xa9llo\n\n"), ("part", b"data: 2\n\n")],
    [("request", b"", {"messages": []}), ("respond", 101, (), True), ("said", "hi"), ("part", "you said hi"), ("said", b"\0")],
    [("request", b"x" * 5000), ("respond", 200, KINDS[2]), ("part", b"\xff" * 900), ("part", b"\xfe" * 900), ("finish", "cancelled")],
    [("respond", 200, KINDS[3]), ("finish", "ok", "", b"y" * 3000)],
    [("finish", "error", "RuntimeError")],
    [("upstream", "POST llm/v1", ({"method": "POST", "url": "u"}, b'{"prompt":"p"}', KINDS[0]), ({"status": 200}, b"answer", ()), 5)],
]  # fmt: skip


@pytest.mark.parametrize("redact", [(), None])
def test_the_same_traffic_gives_the_same_events_in_this_process_and_beside_it(tmp_path: Path, state: Path, redact):
    limits = Limits(kept_bytes=2_000, body_bytes=1_000)
    here, beside = (
        Settings(str(tmp_path / name / "trace.jsonl"), "asgi", redact=redact, limits=limits)
        for name in ("here", "beside")
    )
    for each in (here, beside):
        Path(each.path).parent.mkdir()
    in_process = here.recorder()
    run(in_process, TALK)
    in_process.close()
    relay = started(beside)
    assert isinstance(relay, Relay)
    run(relay, TALK)
    relay.close()
    assert told_alike(Path(beside.path)) == told_alike(Path(here.path))
    assert load(Path(beside.path)).closed
    assert not load(Path(beside.path)).problems
    assert (relay.exchanges, relay.lost) == (len(TALK), 0)


_text = st.text(max_size=6)
_step = st.one_of(
    st.tuples(st.just("request"), st.binary(max_size=40)),
    st.tuples(st.just("respond"), st.sampled_from([200, 503]), st.sampled_from(KINDS)),
    st.tuples(st.just("part"), st.one_of(st.binary(max_size=40), _text)),
    st.tuples(st.just("said"), _text),
    st.tuples(st.just("finish"), st.sampled_from(["ok", "cancelled"]), st.just(""), st.binary(max_size=40)),
)


class _Caught(Relay):
    """A relay whose frames stay here."""

    def __init__(self, limits: Limits) -> None:
        import itertools

        self.frames = bytearray()
        self.limits = limits
        self.exchanges = self.mono0_ns = 0
        self.send = lambda frame: self.frames.extend(packed(frame))
        self._before_each = None
        self._numbers = itertools.count(1)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(st.lists(_step, max_size=6), max_size=4), cut=st.integers(0, 2_000))
def test_whatever_is_done_to_a_relay_arrives_at_the_recorder(tmp_path_factory, script: list, cut: int):
    folder = tmp_path_factory.mktemp("traces")
    limits = Limits(kept_bytes=50)
    relay = _Caught(limits)
    run(relay, script)
    clock = Clock()
    beside = Recorder(folder / "beside.jsonl", limits=limits, now=clock.now_ns)
    replay = Replay(beside, clock)
    buffer = bytearray()
    for piece in (relay.frames[:cut], relay.frames[cut:]):
        buffer += piece
        while frames := unpacked(buffer, 3):
            for frame in frames:
                replay.take(frame)
    assert not buffer
    beside.close()
    here = Recorder(folder / "here.jsonl", limits=limits)
    run(here, script)
    here.close()
    assert told_alike(folder / "beside.jsonl") == told_alike(folder / "here.jsonl")


SERVICE = """
import os, signal, sys
from crosslane.replay.record.service import recorder_for
from crosslane.replay.record.writer import Limits
limits = Limits(backlog_bytes=int(sys.argv[4])) if sys.argv[4:] else None
recorder = recorder_for(sys.argv[1], "asgi", limits=limits)
process = recorder._channel._sidecar._process.pid
if sys.argv[4:]:
    os.kill(process, signal.SIGSTOP)
for number in range(int(sys.argv[2])):
    if number == 5 and sys.argv[3:] == ["fork"]:
        os.fork()
    recording = recorder.begin("GET", f"/{number}", ((b"X-User-Id", b"u%d" % os.getpid()),))
    recording.request()
    recording.respond(200, ())
    recording.finish(last=b"answer" * 300)
if sys.argv[3:4] == ["hang"]:
    recorder.begin("GET", "/open", ((b"X-User-Id", b"last"),)).request()
    print(process, flush=True)
    sys.stdin.read()
"""


def test_a_killed_service_loses_nothing_that_it_had_answered(trace: Path):
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(trace), "3000", "hang"],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    beside = os.pidfd_open(int(service.stdout.readline()))
    os.killpg(service.pid, signal.SIGTERM)  # as an init system does; it reaches the service alone
    os.kill(service.pid, signal.SIGKILL)
    service.communicate()
    assert select.select([beside], [], [], 30)[0], "the writing process outlives what it has to write"
    os.close(beside)
    loaded = load(trace)
    assert not loaded.closed
    assert not loaded.problems
    assert len(loaded.exchanges) == 3001
    assert [e.response is None for e in loaded.exchanges].count(True) == 1
    assert loaded.exchanges[-1].request.user == "last"


@pytest.mark.parametrize(("room", "all_kept"), [(32 << 20, True), (1 << 20, False)])
def test_a_service_that_is_killed_while_nothing_can_be_written_loses_nothing_or_says_how_much(
    trace: Path, room: int, all_kept: bool
):
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(trace), "3000", "hang", str(room)],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    writing = int(service.stdout.readline())
    beside = os.pidfd_open(writing)
    os.kill(service.pid, signal.SIGKILL)
    service.communicate()
    os.kill(writing, signal.SIGCONT)
    assert select.select([beside], [], [], 30)[0]
    os.close(beside)
    loaded = load(trace)
    answered = [exchange for exchange in loaded.exchanges if exchange.response is not None]
    assert not loaded.closed
    assert loaded.skipped == 0
    assert (len(answered), loaded.lost) == (3000, 0) if all_kept else loaded.lost > 0
    # Every frame of an exchange that is not there is counted: two of each, and the one of the last request.
    assert len(loaded.exchanges) + len(answered) + loaded.lost == 6001


def test_what_waited_is_in_order_before_what_came_after_it_and_its_memory_is_given_back(trace: Path):
    relay = started(Settings(str(trace)))
    sidecar = relay._channel._sidecar
    for _ in range(3):
        os.kill(sidecar._process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, sidecar._process.pid, os.WSTOPPED | os.WNOWAIT)
        run(relay, [[("request", b"x" * 50_000), ("respond", 200, ()), ("finish", "ok", "", b"answer")]] * 60)
        assert not sidecar.overflow.empty
        os.kill(sidecar._process.pid, signal.SIGCONT)
        while not sidecar.overflow.empty:
            os.sched_yield()
        run(relay, [[("request", b"y"), ("respond", 200, ()), ("finish", "ok", "", b"answer")]] * 3)
    assert os.stat(sidecar.overflow.descriptor).st_blocks * 512 <= 1 << 20  # of the 6 MB that waited
    relay.close()
    loaded = load(trace)
    assert loaded.closed
    assert relay.lost == loaded.lost == loaded.skipped == 0
    assert [e.request.request.get("text", e.request.request.get("json"))[:1] for e in loaded.exchanges] == [
        *("x" * 60 + "y" * 3) * 3
    ]


def test_what_the_full_pipe_holds_comes_before_what_waits_beside_it(monkeypatch: pytest.MonkeyPatch):
    """Also where the pipe was empty, and both were filled before the other process looked beside it."""
    overflow = Overflow(1 << 20)
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    intake = object.__new__(Intake)
    intake._descriptor, intake._rest = reader, Rest(overflow.descriptor)
    read = os.read

    def empty_until_now(*arguments: int) -> bytes:
        monkeypatch.undo()
        os.write(writer, b"first")
        assert overflow.put(b"second")
        raise BlockingIOError

    monkeypatch.setattr(os, "read", empty_until_now)
    assert [intake._next(), intake._next(), intake._next(), intake._next()] == [None, b"first", b"second", None]
    os.close(writer)
    assert (intake._next(), os.read) == (b"", read)
    os.close(reader)
    overflow.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_server_that_forks_has_a_part_for_each_process(trace: Path):
    service = subprocess.run([sys.executable, "-c", SERVICE, str(trace), "10", "fork"], check=True, capture_output=True)
    assert service.stderr == b""
    loaded = load(trace)
    assert not loaded.problems
    assert len(parts(trace)) == 2
    assert sorted([r.user for r in loaded.requests].count(user) for user in {r.user for r in loaded.requests}) == [
        5,
        10,
    ]


def test_threads_that_record_at_once_lose_nothing(trace: Path):
    relay = started(Settings(str(trace)))
    script = [[("request", b"z" * 3000), ("respond", 200, ()), ("finish", "ok", "", b"answer")]] * 100
    threads = [threading.Thread(target=run, args=(relay, script)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    relay.close()
    assert relay.lost == 0
    loaded = load(trace)
    assert len([e for e in loaded.exchanges if e.response is not None]) == 400
    assert not loaded.problems


def test_what_a_stopped_writer_cannot_take_is_held_back_then_counted_and_the_count_is_in_the_trace(trace: Path):
    relay = started(Settings(str(trace), limits=Limits(backlog_bytes=1 << 20)))
    beside = relay._channel._sidecar._process.pid
    os.kill(beside, signal.SIGSTOP)
    run(relay, [[("request", b"x" * 50_000), ("respond", 200, ())]] * 100)
    os.kill(beside, signal.SIGCONT)
    relay.close()
    (end,) = [event for event in events(trace) if event["k"] == "end"]
    kept = load(trace).exchanges
    assert 10 < len(kept) < 100
    assert end["lost"] == relay.lost == load(trace).lost > 0
    assert load(trace).skipped == 0


def test_another_process_goes_on_where_the_writing_one_is_killed(trace: Path, caplog):
    relay = started(Settings(str(trace)))
    run(relay, [[("respond", 200, ())]])
    sidecar = relay._channel._sidecar
    while sidecar.counts()[0] < 2:
        os.sched_yield()
    os.kill(sidecar._process.pid, signal.SIGKILL)
    sidecar._process.wait()
    run(relay, [[("respond", 200, ())]] * 3)
    relay.close()
    loaded = load(trace)
    (end,) = [event for event in events(trace) if event["k"] == "end"]
    assert loaded.exchanges
    assert end["lost"] == relay.lost > 0
    assert "events are lost" in caplog.text


def test_notes_come_back_to_the_service(trace: Path):
    told: list[Note] = []
    relay = started(Settings(str(trace)), told.append)
    run(relay, [[("respond", 200, KINDS[1]), ("part", b"data: a\n\n")]])
    relay.close()
    assert [(note.what, note.user) for note in told if note.what != "chunk"] == [
        ("request", "alice"),
        ("response", "alice"),
    ]
    assert told[-1].status == 200


def test_where_no_process_can_be_started_the_service_records_itself(trace: Path, monkeypatch):
    monkeypatch.setattr(sidecar_process, "interpreter", lambda: None)
    recorder = started(Settings(str(trace)))
    assert isinstance(recorder, Recorder)
    run(recorder, TALK)
    recorder.close()
    assert len(load(trace).exchanges) == len(TALK)


def test_a_process_that_does_not_come_up_is_no_process(trace: Path, monkeypatch):
    monkeypatch.setattr(sidecar_process, "_START", "raise SystemExit(3)")
    assert isinstance(started(Settings(str(trace))), Recorder)


def test_an_interpreter_is_found_where_a_server_embeds_python(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/usr/bin/uwsgi")
    found = sidecar_process.interpreter()
    assert found is None or Path(found).name.startswith("python")


def test_what_is_wrong_with_the_settings_is_said_in_the_service(trace: Path, tmp_path: Path):
    with pytest.raises(CrosslaneError, match="cannot read the place"):
        started(Settings(str(trace), user=("nowhere",)))
    with pytest.raises(OSError, match="No such file"):
        started(Settings(str(tmp_path / "missing" / "trace.jsonl")))


def test_text_and_bytes_of_a_servers_own_kind_arrive_as_text_and_bytes():
    class Name(str):
        __slots__ = ()

    (frame,) = unpacked(bytearray(packed((1, [(Name("a"), bytearray(b"b"))], {Name("k"): None, "t": True}))), 5)
    assert frame == (1, ((("a", b"b")),), {"k": None, "t": True})


async def test_the_middleware_records_through_the_relay(trace: Path):
    relay = started(Settings(str(trace)))

    async def app(scope, receive, send):
        assert (await receive())["body"] == b'{"user_id": "bob"}'
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": json.dumps({"reply": "hello"}).encode()})

    async def receive():
        return {"type": "http.request", "body": b'{"user_id": "bob"}'}

    async def send(message):
        pass

    scope = {"type": "http", "method": "POST", "path": "/chat", "headers": [[b"content-type", b"application/json"]]}
    await RecordMiddleware(app, recorder=relay)(scope, receive, send)
    relay.close()
    (exchange,) = load(trace).exchanges
    assert (exchange.request.user, exchange.response.body) == ("bob", {"reply": "hello"})


PROXY = """
import asyncio, sys
from aiohttp import web
from crosslane.replay.record.proxy import Proxy
from crosslane.replay.record.service import started
from crosslane.replay.record.settings import Settings

async def chat(request):
    return web.json_response({"for": (await request.json())["user_id"]})

async def main():
    app = web.Application()
    app.router.add_post("/chat", chat)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    relay = started(Settings(sys.argv[1], "proxy"))
    async with Proxy(f"http://127.0.0.1:{runner.addresses[0][1]}", relay) as proxy:
        print(proxy.port, relay._channel._sidecar._process.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_proxy_that_is_killed_under_load_keeps_every_exchange_that_a_client_saw_completed(trace: Path):
    proxy = subprocess.Popen([sys.executable, "-c", PROXY, str(trace)], stdout=subprocess.PIPE)
    port, beside = map(int, proxy.stdout.readline().split())
    ended = os.pidfd_open(beside)
    seen: list[str] = []

    async def client(name: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            for number in range(1_000):
                user = f"u{name}-{number}"
                body = json.dumps({"user_id": user}).encode()
                writer.write(b"POST /chat HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
                await reader.readuntil(b"\r\n\r\n")
                answer = json.dumps({"for": user}).encode()
                assert await reader.readexactly(len(answer)) == answer
                seen.append(user)
                if len(seen) == 500:
                    proxy.kill()

    await asyncio.gather(*(client(name) for name in range(8)))
    proxy.communicate()
    assert select.select([ended], [], [], 30)[0]
    os.close(ended)
    loaded = load(trace)
    assert not loaded.problems
    kept = {e.request.user: e.response.body for e in loaded.exchanges if e.response is not None}
    assert len(seen) >= 500
    assert all(kept[user] == {"for": user} for user in seen)


def test_a_trace_is_read_once_the_process_beside_a_killed_service_has_written_it(trace: Path):
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(trace), "500", "hang"], stdout=subprocess.PIPE, stdin=subprocess.PIPE
    )
    service.stdout.readline()
    service.kill()
    service.communicate()
    assert len(load(trace).exchanges) == 501


def test_a_trace_is_read_as_it_is_while_the_service_is_alive(trace: Path):
    relay = started(Settings(str(trace)))
    run(relay, [[("respond", 200, ())]])
    sidecar = relay._channel._sidecar
    while sidecar.counts()[0] < 2:
        os.sched_yield()
    assert len(load(trace).exchanges) == 1
    assert not load(trace).closed
    relay.close()
    assert load(trace).closed
