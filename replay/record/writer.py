"""The file of a recording. It never holds up the service that it records, and never loses an event in silence.

An event is one `os.write` of a whole line on a descriptor opened for appending: once `put` has returned, the kernel has
it, and not even `kill -9` takes it away. That costs microseconds as long as the disk keeps up. Where it does not (a
write took long, or another thread is in one), lines go to a bounded backlog that a thread of our own writes; what does
not fit there is counted, and the count stands in the closing `end` event. The same thread flushes to the disk, and
compresses the parts that rotation has closed. Measured for this choice: append 2 us, fsync 150 us.

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

from __future__ import annotations

import atexit
import gzip
import json
import os
import shutil
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..trace.writing import mark, writer_of

_SLOW_S = 0.02
"""A write that takes longer sends the next ones to the backlog."""
_FLUSH_S = 0.2
_HELD_BACK = 8_192


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a recording may grow in memory and in one file.

    Attributes:
        part_bytes: a part of this size is closed, compressed, and followed by another.
        backlog_bytes: how much may wait while the disk is slow; what comes on top is lost and counted.
        body_bytes: a body longer than this goes into a file of its own beside the trace.
        kept_bytes: of a body longer than this only so much is kept.
    """

    part_bytes: int = 64 << 20
    backlog_bytes: int = 32 << 20
    body_bytes: int = 256 << 10
    kept_bytes: int = 16 << 20


@dataclass(frozen=True, slots=True)
class Origin:
    """The process whose traffic is written, and its clock, where another process does the writing."""

    pid: int
    wall0_ns: int
    mono0_ns: int

    @staticmethod
    def here() -> Origin:
        return Origin(os.getpid(), time.time_ns(), time.monotonic_ns())


class Writer:
    """Appends events to a trace file, or to this process's part of it.

    Args:
        path: the trace. With `shared`, several processes record side by side: each writes `name.part-PID-N.jsonl`.
        header: members of the header line beside version, clock and creation time.
        origin: whose traffic it is; None: this process's own.

    Raises:
        OSError: the file cannot be created.
    """

    def __init__(
        self,
        path: Path,
        header: dict[str, Any],
        limits: Limits | None = None,
        shared: bool = False,
        origin: Origin | None = None,
    ) -> None:
        self._apart = origin is not None
        origin = origin or Origin.here()
        self.path = path
        self.limits = limits or Limits()
        self.lost = 0
        self.events = 0
        self._shared = shared
        self._header = header
        self._lock = threading.Lock()
        self._backlog: deque[bytes] = deque()
        self._backlog_bytes = 0
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._dirty = False
        self._slow = False
        self._size = 0
        self._number = 0
        self.pid = origin.pid
        self._pid = os.getpid()
        self._mono0_ns = origin.mono0_ns
        self._wall0_ns = origin.wall0_ns
        self._file = self._next()
        self._descriptor = self._open()
        _WRITERS.add(self)

    def now_ns(self) -> int:
        """Nanoseconds on the trace's clock."""
        return time.monotonic_ns() - self._mono0_ns

    def put(self, event: dict[str, Any]) -> None:
        """Append one event. Whole once this returns, unless the disk is slow; never waits for another writer."""
        line = _json(event).encode("ascii") + b"\n"
        if self._pid != os.getpid():
            self._after_fork()
        if self._slow or not self._lock.acquire(blocking=False):
            self._hold_back(line)
            return
        try:
            if self._closed:
                self.lost += 1
                return
            began = time.monotonic()
            if self._backlog:
                self._drain()
            self._append(line)
            self.events += 1
            self._slow = time.monotonic() - began > _SLOW_S
        except OSError:
            self.lost += 1
        finally:
            self._lock.release()
        if not self._dirty:
            self._dirty = True
            self._ensure_thread()

    def close(self, in_order: bool = True) -> None:
        """Write what is held back and, `in_order`, the `end` event; flush to the disk. Closing twice does nothing."""
        if self._pid != os.getpid():  # a forked child that recorded nothing has nothing to close
            return
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._drain()
            lost = {"lost": self.lost} if self.lost else {}
            if in_order:
                self._append(json.dumps({"k": "end", "n": self.events, **lost}).encode() + b"\n", rotate=False)
            elif lost:
                self._append(json.dumps({"k": "lost", **lost}).encode() + b"\n", rotate=False)
            os.fsync(self._descriptor)
            os.close(self._descriptor)
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)

    # ---- the file

    def _next(self) -> Path:
        if not self._shared and self._number == 0:
            return self.path
        return part_of(self.path, self.pid, self._number)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self._file, flags, 0o600)
        clock = {"wall0_ns": self._wall0_ns, "mono0_ns": self._mono0_ns, "boot": _boot()}
        writer = {"writer": writer_of(self.pid)} if self._apart else {}
        if self._apart:
            mark(descriptor)
        created = datetime.fromtimestamp(self._wall0_ns / 1e9, UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"k": "header", "v": 1, "created": created, "clock": clock, **writer, **self._header}) + "\n"
        self._size = os.fstat(descriptor).st_size
        self._size += os.write(descriptor, line.encode("ascii"))
        return descriptor

    def _append(self, lines: bytes, rotate: bool = True) -> None:
        written = os.write(self._descriptor, lines)
        while written < len(lines):  # a full disk or a signal: the rest of the line must follow
            written += os.write(self._descriptor, lines[written:])
        self._size += written
        if rotate and self._size >= self.limits.part_bytes:
            self._rotate()

    def _rotate(self) -> None:
        """Go on in another part. The thread compresses the one that is closed here."""
        os.close(self._descriptor)
        if self._number == 0 and not self._shared:
            closed = part_of(self.path, self.pid, 0)
            self._file.rename(closed)
            self._file = closed
        _COMPRESS.append(self._file)
        self._number += 1
        self._file = self._next()
        self._descriptor = self._open()
        self._start()

    # ---- when the disk is slow

    def _hold_back(self, line: bytes) -> None:
        if self._closed or self._backlog_bytes + len(line) > self.limits.backlog_bytes:
            self.lost += 1
            return
        self._backlog.append(line)
        self._backlog_bytes += len(line)
        self._start()

    def _drain(self) -> None:
        """Write the backlog. The lock is held."""
        while self._backlog:
            line = self._backlog.popleft()
            self._backlog_bytes -= len(line)
            try:
                self._append(line)
                self.events += 1
            except OSError:
                self.lost += 1
        self._backlog_bytes = 0

    def _start(self) -> None:
        self._ensure_thread()
        self._wake.set()

    def _ensure_thread(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="crosslane-writer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        """Drain, flush and compress until there has been nothing to do for a while."""
        idle = 0
        while not self._closed and idle < 50:
            self._wake.wait(_FLUSH_S)
            self._wake.clear()
            busy = bool(self._backlog) or self._dirty
            with self._lock:
                if self._closed:
                    break
                self._drain()
                self._slow = False
                duplicate, self._dirty = (os.dup(self._descriptor) if self._dirty else -1), False
            if duplicate >= 0:
                os.fsync(duplicate)
                os.close(duplicate)
            while _COMPRESS:
                _compress(_COMPRESS.popleft())
                busy = True
            idle = 0 if busy else idle + 1

    def _after_fork(self) -> None:
        """A server that forks after it was loaded: the child writes a part of its own."""
        self._lock = threading.Lock()
        self._backlog.clear()
        self._backlog_bytes = 0
        self._thread = None
        self._wake = threading.Event()
        self.pid = self._pid = os.getpid()
        self._shared, self._number, self.lost, self.events = True, 0, 0, 0
        os.close(self._descriptor)
        self._file = self._next()
        self._descriptor = self._open()


def part_of(path: Path, pid: int, number: int) -> Path:
    """The file of one part of a recording."""
    return path.with_name(f"{path.name.removesuffix('.jsonl')}.part-{pid}-{number:04d}.jsonl")


_json = json.JSONEncoder(separators=(",", ":")).encode  # made once: `dumps` makes one for every line
_COMPRESS: deque[Path] = deque()
_WRITERS: weakref.WeakSet[Writer] = weakref.WeakSet()


def _compress(part: Path) -> None:
    """Replace a closed part by its gzip. A crash between the two leaves both, and readers take the compressed one."""
    packed = part.with_name(part.name + ".gz")
    unfinished = packed.with_name(packed.name + ".tmp")
    try:
        with part.open("rb") as source, gzip.open(unfinished, "wb", compresslevel=5) as target:
            shutil.copyfileobj(source, target, 1 << 20)
        unfinished.rename(packed)
        part.unlink()
    except OSError:
        unfinished.unlink(missing_ok=True)


def _boot() -> str:
    """What tells one boot of a machine from another; monotonic clocks compare within one."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _close_all() -> None:
    for writer in list(_WRITERS):
        writer.close()


atexit.register(_close_all)
