"""Whether a trace is still being written by the process beside a service that is gone.

That process outlives a service that was killed, until it has written all it was given. It holds a lock on its file; who
reads the file meanwhile would miss the end, so reading waits. While the service is alive the trace is read as it is.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from .model import Json

_LONGEST_S = 60.0
_LOOK_S = 0.01


def writer_of(pid: int) -> dict[str, Json]:
    """The header's `writer`: the service that is recorded, named so that only a reader on this system looks for it."""
    return {"pid": pid, "system": _system()}


def mark(descriptor: int) -> None:
    """Say that this process is writing the file, for as long as it has it open."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # a file system without locks: readers do not wait
        return


def wait_until_written(path: Path) -> None:
    """Return once the file is whole, as far as anybody is still writing it for a service that is gone."""
    try:
        with path.open("rb") as file:
            if not _orphaned(file.readline(1 << 16)):
                return
            import fcntl

            until = time.monotonic() + _LONGEST_S
            while time.monotonic() < until:
                try:
                    fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(_LOOK_S)
                else:
                    return
    except (ImportError, OSError):
        return


def _orphaned(header: bytes) -> bool:
    if b'"writer"' not in header:
        return False
    try:
        event: Any = json.loads(header)
    except (ValueError, RecursionError):
        return False
    writer = cast("dict[str, Any]", event).get("writer") if isinstance(event, dict) else None
    if not isinstance(writer, dict):
        return False
    pid = cast("dict[str, Any]", writer).get("pid")
    if not isinstance(pid, int) or pid <= 0 or cast("dict[str, Any]", writer).get("system") != _system():
        return False
    return not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    try:  # one that is dead and not yet waited for is dead
        return Path(f"/proc/{pid}/stat").read_text(encoding="latin-1").rpartition(") ")[2][:1] not in ("Z", "X")
    except OSError:
        return True


def _system() -> str:
    """What numbers processes: a container has numbers of its own."""
    try:
        return os.readlink("/proc/self/ns/pid") + os.uname().nodename
    except (OSError, AttributeError):
        return ""
