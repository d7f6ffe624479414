"""Notices what leaves control while the handler runs: threads, sockets, subprocesses, files written.

An audit hook (PEP 578) sees these whatever library they come through. It only watches; it cannot be removed again, so
it asks first whether an execution is under way.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from ..state import content

if TYPE_CHECKING:
    from types import FrameType

    from ..state.files import UserFiles

_WATCHED = {
    "socket.connect": "connection opened",
    "socket.getaddrinfo": "host looked up, by something other than httpx, requests or aiohttp,",
    "socket.sendto": "datagram sent",
    "subprocess.Popen": "subprocess started",
    "os.system": "subprocess started",
    "os.posix_spawn": "subprocess started",
    "os.fork": "process forked",
    "sqlite3.connect": "database opened",
}
_MOST_FILES = 100
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT


class Escapes:
    """Collects one line for each kind and place, in order of appearance.

    Attributes:
        files: written by the program, with what stood in them before: they are put back after each execution.
    """

    def __init__(self, files: UserFiles) -> None:
        self._files = files
        self._seen: list[str] = []
        self.files: dict[str, bytes | None] = {}
        self.active = False

    def install(self) -> None:
        sys.addaudithook(self._hook)

    def thread_started(self) -> None:
        """A thread that the baton does not reach."""
        if self.active:
            self._note("thread started", sys._getframe(2))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

    def _kept(self, path: str) -> bool:
        """Whether the file is one that is put back after the execution, and so does not leave control."""
        path = os.path.abspath(path)
        if path in self.files:
            return True
        if len(self.files) >= _MOST_FILES or (os.path.exists(path) and not os.path.isfile(path)):
            return False
        if os.path.exists(path) and os.path.getsize(path) > content.LARGEST_FILE:
            return False
        self.active = False  # reading it raises an audit event of its own
        try:
            self.files[path] = content.read_file(path)
        finally:
            self.active = True
        return True

    def begin(self) -> None:
        if self._seen:
            self._seen = []
        self.active = True

    def end(self) -> list[str]:
        self.active = False
        for path, first in self.files.items():
            content.write_file(path, first)
        return self._seen

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.active:
            return
        what = _WATCHED.get(event)
        if what is None:
            if event != "open" or not isinstance(arguments[0], str) or not arguments[2] & _WRITES:
                return
            if self._kept(arguments[0]):
                return
            what = f"file opened for writing ({os.path.basename(arguments[0])})"
        if what == "sqlite3.connect" and arguments and arguments[0] == ":memory:":
            return
        self.active = False  # finding the place raises audit events of its own
        try:
            self._note(what, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        finally:
            self.active = True

    def _note(self, what: str, frame: FrameType | None) -> None:
        at = self.place(frame)
        line = f"{what} at {at}" if at else what
        if line not in self._seen:
            self._seen.append(line)

    def place(self, frame: FrameType | None) -> str | None:
        """The innermost line of the user's code on the stack."""
        while frame is not None:
            if frame.f_code.co_filename in self._files:
                return self._files.at(frame.f_code.co_filename, frame.f_lineno)
            frame = frame.f_back
        return None
