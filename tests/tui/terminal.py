"""A pseudo-terminal with a program in it: what it shows, and keys to send. It waits for what is shown, never for time."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_SEQUENCE = re.compile(
    rb"\x1b(?:\[[0-9;?<>=!]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[P_^][^\x1b]*\x1b\\|[ -/]*[0-~])"
)


class Terminal:
    """Runs `arguments` in a terminal of `columns` by `rows`. `text` is all that was shown, without its escapes."""

    def __init__(
        self, arguments: Sequence[str], *, cwd: Path, env: dict[str, str], columns: int = 100, rows: int = 30
    ) -> None:
        self._raw = b""
        self._read = 0
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        settings = {**env, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
        settings.pop("COLUMNS", None)
        self._process = subprocess.Popen(
            list(arguments), cwd=cwd, env=settings, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
        )
        os.close(slave)
        self._master = master

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        return _SEQUENCE.sub(b"", self._raw).decode("utf-8", "replace")

    @property
    def raw(self) -> str:
        """All that was written, with its escapes."""
        return self._raw.decode("utf-8", "replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until(self, shown: str, limit_s: float = 60.0) -> None:
        """Wait until `shown` has been written since the last call.

        Raises:
            AssertionError: it was not, within the limit or before the program ended.
        """
        end = time.monotonic() + limit_s
        while shown not in self.text[self._read :]:
            if not self._more(end - time.monotonic()):
                raise AssertionError(f"{shown!r} was not shown; the last lines: {self.text[-3000:]!r}")
        self._read = self.text.index(shown, self._read) + len(shown)

    def wait(self, limit_s: float = 60.0) -> int:
        """The exit code, once the program has ended."""
        end = time.monotonic() + limit_s
        while self._more(end - time.monotonic()):
            pass
        try:
            return self._process.wait(max(1.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end; the last it showed: {self.text[-3000:]}") from None

    def _more(self, seconds: float) -> bool:
        """Read what comes next; False at the end of the program's output or of the time."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the last writer has gone
            return False
        self._raw += data
        return bool(data)
