"""Starts the process that writes a trace beside the recorded service, and keeps what belongs to it.

It has a session of its own, so that neither ctrl-c nor a signal to the service's group reaches it, and the service's
import path, but none of its environment for Python: it must come up quickly and alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import marshal
import os
import select
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from .overflow import Overflow

if TYPE_CHECKING:
    from collections.abc import Callable

    from .recorder import Note

_PIPE_BYTES = 1 << 20
COUNTS = struct.Struct("<qq")
"""How many frames are written and how many events are lost, as the sidecar keeps them in a file that both have open."""
_START = (
    "import sys; sys.path += [path for path in sys.argv[3:] if path not in sys.path]; "
    "from crosslane.replay.record.sidecar import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)


class Sidecar:
    """A running sidecar; `pipe` takes frames, non-blocking.

    Args:
        told: called, from a thread, with every `Note` that comes back.
        most: how many bytes may wait where the pipe is full.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, told: Callable[[Note], None] | None, most: int) -> None:
        python = interpreter()
        if python is None:
            raise FileNotFoundError("no interpreter of this installation")
        self._counts: IO[bytes] = tempfile.TemporaryFile(prefix="crosslane-")  # noqa: SIM115 - open as long as this is
        self.overflow = Overflow(most)
        ends, self.pipe = os.pipe()
        with contextlib.suppress(OSError, AttributeError):  # as large as this system lets it be
            fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        os.set_blocking(self.pipe, False)
        shared = (self._counts.fileno(), self.overflow.descriptor)
        try:
            self._process = subprocess.Popen(
                [python, "-I", "-c", _START, *map(str, shared), *(path for path in sys.path if path)],
                stdin=ends,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=shared,
                cwd="/",
            )
        except (OSError, ValueError, RuntimeError) as error:
            os.close(self.pipe)
            self._counts.close()
            self.overflow.close()
            raise OSError(str(error)) from None
        finally:
            os.close(ends)
        assert self._process.stdout is not None
        self._answers = self._process.stdout
        self._thread: threading.Thread | None = None
        self._told = told

    def up(self, seconds: float) -> None:
        """Wait, so long at most, until it has the file open.

        Raises:
            OSError: it does not come up.
        """
        if seconds and not (self._readable(seconds) and os.read(self._answers.fileno(), 1)):
            self._process.kill()
            self._process.wait()
            raise OSError("it does not come up")
        if self._told is not None:
            self._thread = threading.Thread(
                target=self._listen, args=(self._told, not seconds), name="crosslane-notes", daemon=True
            )
            self._thread.start()

    def counts(self) -> tuple[int, int]:
        """How many frames it has written, and how many events it lost."""
        data = os.pread(self._counts.fileno(), COUNTS.size, 0)
        return COUNTS.unpack(data) if len(data) == COUNTS.size else (0, 0)

    def unmet(self) -> list[str]:
        """The rules for redaction that nothing matched; known once it has ended, and else none."""
        data = os.pread(self._counts.fileno(), 1 << 20, COUNTS.size)
        return json.loads(data) if data else []

    def wait(self, seconds: float) -> None:
        """Until it has ended, which it does when the pipe is closed and all is written."""
        until = time.monotonic() + seconds
        if self._thread is not None:
            self._thread.join(seconds)
        else:
            while self._readable(until - time.monotonic()) and os.read(self._answers.fileno(), 4_096):
                pass
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(max(0.0, until - time.monotonic()))

    def forget(self) -> None:
        """After a fork: it is the parent's."""
        self._process.returncode = 0  # not ours to wait for

    def _readable(self, seconds: float) -> bool:
        return bool(select.select([self._answers], [], [], max(0.0, seconds))[0])

    def _listen(self, told: Callable[[Note], None], greeted: bool) -> None:
        from .recorder import Note

        with contextlib.suppress(ValueError, OSError):
            if greeted:  # nobody has waited for it to come up
                self._answers.read(1)
            while size := int.from_bytes(self._answers.read(4), "little"):
                for each in marshal.loads(self._answers.read(size)):
                    told(Note(*each))


def interpreter() -> str | None:
    """The Python that runs this; inside a server that embeds it, the one beside. None where there is none."""
    own = Path(sys.executable or "")
    beside = Path(sys.exec_prefix) / "bin"
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for path in (own, *(beside / name for name in (f"python{version}", "python3", "python"))):
        if path.name.startswith(("python", "pypy")) and os.access(path, os.X_OK) and path.is_file():
            return str(path)
    return None
