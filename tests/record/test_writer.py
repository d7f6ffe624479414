"""Nothing recorded is lost in silence: crashes, slow disks, forks, rotation."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from crosslane.replay.record.recorder import Recorder
from crosslane.replay.record.writer import Limits, Writer
from crosslane.replay.trace.events import parts
from crosslane.replay.trace.store import load

from .conftest import events

SERVICE = """
import itertools, os, sys
from pathlib import Path
from crosslane.replay.record.recorder import Recorder
recorder = Recorder(Path(sys.argv[1]), shared=sys.argv[2] == "shared")
for number in range(int(sys.argv[3])):
    recording = recorder.begin("GET", f"/{number}", [("X-User-Id", f"u{os.getpid()}")])
    recording.request()
    recording.respond(200, ())
    recording.part(b"answer")
    recording.finish()
    print(number, flush=True)
if sys.argv[4:] == ["hang"]:
    recorder.begin("GET", "/open", [("X-User-Id", "last")]).request()
    print("open", flush=True)
    sys.stdin.read()
"""


def exchange(recorder: Recorder, user: str, body: bytes = b"hello") -> None:
    recording = recorder.begin("POST", "/chat", [("X-User-Id", user), ("Content-Type", "text/plain")])
    recording.request(body)
    recording.respond(200, [("Content-Type", "text/plain")])
    recording.part(b"answer to " + body)
    recording.finish()


def test_a_kill_keeps_every_exchange_that_was_completed_and_shows_the_one_in_flight(trace: Path):
    service = subprocess.Popen(
        [sys.executable, "-c", SERVICE, str(trace), "alone", "500", "hang"],
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
    )
    for line in service.stdout:
        if line.strip() == b"open":
            break
    os.kill(service.pid, signal.SIGKILL)
    service.communicate()
    loaded = load(trace)
    assert not loaded.closed
    assert not loaded.problems
    assert len(loaded.exchanges) == 501
    assert [e.response is None for e in loaded.exchanges].count(True) == 1
    assert loaded.exchanges[-1].request.user == "last"


def test_processes_that_record_side_by_side_load_as_one_trace_on_one_clock(trace: Path):
    services = [
        subprocess.Popen([sys.executable, "-c", SERVICE, str(trace), "shared", "50"], stdout=subprocess.DEVNULL)
        for _ in range(3)
    ]
    for service in services:
        assert service.wait() == 0
    assert len(parts(trace)) == 3
    loaded = load(trace)
    assert len(loaded.exchanges) == 150
    assert len({request.user for request in loaded.requests}) == 3
    times = [request.at_ns for request in loaded.requests]
    assert times == sorted(times)
    assert max(times) - min(times) < 60e9


def test_rotation_compresses_closed_parts_and_loses_nothing(trace: Path):
    recorder = Recorder(trace, limits=Limits(part_bytes=20_000))
    for number in range(300):
        exchange(recorder, f"u{number}")
    recorder.close()
    recorder._writer._thread.join(10)
    files = parts(trace)
    assert len(files) > 3
    assert any(file.suffix == ".gz" for file in files)
    loaded = load(trace)
    assert [r.user for r in loaded.requests] == [f"u{number}" for number in range(300)]
    assert loaded.closed


def test_a_disk_that_cannot_keep_up_costs_counted_events_and_never_time(trace: Path):
    writer = Writer(trace, {}, Limits(backlog_bytes=10_000))
    with writer._lock:  # as if a write were under way
        for number in range(1000):
            writer.put({"k": "x", "number": number, "fill": "y" * 50})
    writer.close()
    kept = [event["number"] for event in events(trace) if event["k"] == "x"]
    assert kept == sorted(kept)
    assert 0 < len(kept) < 1000
    assert events(trace)[-1] == {"k": "end", "n": len(kept), "lost": 1000 - len(kept)}


def test_threads_write_whole_lines(trace: Path):
    recorder = Recorder(trace)
    threads = [
        threading.Thread(target=lambda n=n: [exchange(recorder, f"u{n}", b"z" * 5000) for _ in range(50)])
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    loaded = load(trace)
    assert len(loaded.exchanges) == 400
    assert not loaded.problems


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_server_that_forks_after_loading_records_in_every_child(trace: Path):
    script = SERVICE.replace("for number", "os.fork()\nfor number")
    done = subprocess.run([sys.executable, "-c", script, str(trace), "shared", "20"], capture_output=True, check=True)
    assert done.stdout.count(b"\n") == 40
    loaded = load(trace)
    assert len(loaded.exchanges) == 40
    assert len({request.user for request in loaded.requests}) == 2


def test_the_file_is_for_its_owner_alone(trace: Path):
    Writer(trace, {}).close()
    assert trace.stat().st_mode & 0o077 == 0


def test_events_are_ascii_so_that_no_terminal_escape_stands_in_the_file(trace: Path):
    recorder = Recorder(trace)
    exchange(recorder, "alice", "\x1b[31mred\u202e".encode())
    recorder.close()
    assert b"\x1b" not in trace.read_bytes()
    assert trace.read_bytes().isascii()
    assert json.loads(trace.read_text().splitlines()[1])["text"] == "\x1b[31mred\u202e"
