"""Notices what leaves control while the handler runs: threads, sockets, subprocesses, files written.

An audit hook (PEP 578) sees these whatever library they come through. It only watches; it cannot be removed again, so
it asks first whether an execution is under way.

A file that `tempfile` makes is new and has a name of its own each time: no execution finds what another left in it. It
is deleted at the end where the program has not done so. Moved to a name that lasts, it is noticed there.

A function of C that waits is called unseen. It is noticed when `ctypes` looks it up.

What SQLite writes is seen by nobody: so the files of a database are put back as soon as it is opened, at import too.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

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
# What waits for the clock or for another thread.
_SLEEPS = frozenset(
    {
        *("sleep", "usleep", "nanosleep", "clock_nanosleep", "Sleep", "SleepEx", "pause", "poll", "ppoll", "select"),
        *("epoll_wait", "sem_wait", "sem_timedwait", "pthread_cond_wait", "pthread_cond_timedwait", "sched_yield"),
    }
)
_OF_DATABASE = ("", "-journal", "-wal", "-shm")
_MOVES = frozenset({"os.rename", "os.link"})
_MOST_FILES = 100
_MOST_TEMPORARY = 10_000
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
        self._temporary: set[str] = set()
        self._databases: dict[str, str] = {}
        self._lasting: dict[str, None] = {}
        self.active = False

    def install(self) -> None:
        sys.addaudithook(self._hook)

    def thread_started(self) -> None:
        """A thread that the baton does not reach."""
        if self.active:
            self._note("thread started", sys._getframe(2))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

    def timer_set(self) -> None:
        """A signal that will come by the clock on the wall: in one execution, or where it is set at import, in all."""
        frame = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        if self.active:
            self._note("timer signal set", frame)
        elif (at := self.place(frame)) is not None:
            self._lasting[f"timer signal set at {at}"] = None

    def keep_databases(self) -> None:
        """Put those that were opened so far back after each execution, or say that it is not possible."""
        for path in self._databases:
            name = os.path.basename(path)
            if os.path.exists(f"{path}-wal"):
                self._databases[path] = f"database {name} kept open in WAL mode, which cannot be put back"
            elif not self._keeps_database(path):
                self._databases[path] = f"database {name} is too large to be put back"
        self.active = False

    def _keeps_database(self, path: str) -> bool:
        return all(self._kept(path + suffix) for suffix in _OF_DATABASE)

    def _kept(self, path: str) -> bool:
        """Whether the file is one that is put back after the execution, and so does not leave control."""
        path = os.path.abspath(path)
        if path in self.files or path in self._temporary or os.path.dirname(path) in self._temporary:
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
        for path, why_not in self._databases.items():
            if why_not:
                self._seen.append(why_not)
                continue
            for each in [path + suffix for suffix in _OF_DATABASE]:
                content.write_file(each, self.files[each])  # an execution that was killed has not done so
        self._seen += self._lasting
        self.active = True

    def end(self) -> list[str]:
        self.active = False
        for path, first in self.files.items():
            content.write_file(path, first)
        for path in self._temporary:
            with contextlib.suppress(OSError):
                os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
        self._temporary.clear()
        return self._seen

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "sqlite3.connect" and self._opens_database(arguments[0]):
            return
        if event == "ctypes.dlsym":
            self._finds_in_c(arguments[1], sys._getframe(1))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        if not self.active:
            return
        what = _WATCHED.get(event)
        if what is None:
            if event not in {"open", "os.mkdir"} and event not in _MOVES:
                return
            what = self._written(event, arguments, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
            if what is None:
                return
        self.active = False  # finding the place raises audit events of its own
        try:
            self._note(what, sys._getframe(1))  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
        finally:
            self.active = True

    def _finds_in_c(self, name: Any, frame: FrameType) -> None:
        """A function of C is looked up once, and then called by nobody who could be heard."""
        at = self.place(frame) if name in _SLEEPS else None
        if at is None:
            return
        line = f"waits in C ({name} by ctypes), where nothing else can run, at {at}"
        if line not in self._lasting:
            self._lasting[line] = None
            self._seen.append(line)

    def _opens_database(self, name: Any) -> bool:
        """Whether there is nothing to be said of it: it is nobody else's, or its files are put back."""
        text = os.fsdecode(name)
        if text in ("", ":memory:"):
            return True
        if text.startswith("file:"):
            address = urlsplit(text)
            if ":memory:" in text or "mode=memory" in address.query:
                return False  # several connections may share it
            text = unquote(address.path)
        path = os.path.abspath(text)
        if self.active:
            return self._keeps_database(path)
        self._databases.setdefault(path, "")
        return True

    def _written(self, event: str, arguments: tuple[Any, ...], frame: FrameType) -> str | None:
        """What is said of something written that cannot be put back; None where there is none."""
        if event in _MOVES:
            paths = [path for path in arguments[:2] if isinstance(path, str)]
            # Python keeps its compiled files by moving them into place.
            if all(path.endswith(".pyc") or self._kept(path) for path in paths[::-1]):
                return None
            return "file moved"
        path = arguments[0]
        if not isinstance(path, str) or (event == "open" and not arguments[2] & _WRITES):
            return None
        if self._made_by_tempfile(path, frame) or event == "os.mkdir" or self._kept(path):
            return None
        # Beyond so many, the names are made up anew each time, and tell nothing.
        many = len(self.files) >= _MOST_FILES and (not os.path.exists(path) or os.path.isfile(path))
        return (
            f"more than {_MOST_FILES} files opened for writing, the last"
            if many
            else f"file opened for writing ({os.path.basename(path)})"
        )

    def _made_by_tempfile(self, path: str, frame: FrameType) -> bool:
        """Whether Python's own `tempfile` makes it now, under a name that was free."""
        if frame.f_globals.get("__name__") != "tempfile" or frame.f_code.co_filename in self._files:
            return False
        path = os.path.abspath(path)
        # It opens the folder, by way of a function that makes the file there, or for a file without a name.
        if path not in self._temporary and not os.path.exists(path):
            if len(self._temporary) >= _MOST_TEMPORARY:
                return False
            self._temporary.add(path)
        return True

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
