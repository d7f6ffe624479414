"""Workers that are forked from one which has everything imported, instead of each importing it by itself.

Starting the interpreter and importing the worker's modules is most of what a small test takes, and is the same each
time. One process does it as `launch.py` does and then forks for each worker, which so begins where `launch.py` calls
`main`: with the folder, the environment, the pipes and the session that its client asks for. It is given to the test's
process as a child of its own, for that waits for it and sends it signals.

Where a worker is to have another interpreter or another `launch.py` it is started as ever; all are, with
CROSSLANE_TESTS_START_WORKERS set. Commands, which are processes of their own, always start theirs.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from crosslane.replay.worker import client

_LAUNCH = str(client._LAUNCH)
_LAST = "    sys.dont_write_bytecode = True\n"
"""The line of `launch.py` before which nothing depends on the worker that it becomes."""
_SERVING = f"""
import json, os, socket, sys
server = socket.socket(fileno=int(sys.argv[1]))
__file__ = {_LAUNCH!r}
sys.argv[:] = [__file__]
sys.path[0] = os.path.dirname(__file__)

def become_a_worker():
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 1 << 20, 3)
        if not message:
            os._exit(0)
        between = os.fork()
        if between == 0:
            heard, told = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.setsid()  # before anybody knows the process, and can send its group a signal
                os.close(heard)
                os.close(told)
                break
            os.close(told)
            os.read(heard, 1)
            server.send(b"%d" % pid)
            os._exit(0)
        os.waitpid(between, 0)
        for descriptor in descriptors:
            os.close(descriptor)
        server.send(b"it is an orphan now")
    server.close()
    asked = json.loads(message)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
"""
_PR_SET_CHILD_SUBREAPER = 36
_HANDED = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")


class _Starter:
    """A process that forks for each worker. `environment` is the first one's."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        before, last, after = Path(_LAUNCH).read_text(encoding="utf-8").partition(_LAST)
        assert last
        launching = f"{before}    become_a_worker()\n{last}{after}"
        code = f"{_SERVING}\nexec(compile({launching!r}, __file__, 'exec'))"
        command = [sys.executable, "-c", code, str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command, env=environment, cwd="/", pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL
            )
        self._lock = threading.Lock()

    def fork(self, folder: str, environment: dict[str, str], descriptors: list[int]) -> int:
        """The process of a new worker, which is a child of this process."""
        message = json.dumps({"folder": folder, "environment": environment}).encode()
        prctl = ctypes.CDLL(None).prctl
        with self._lock:
            assert prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0  # orphans are ours, while this lasts
            try:
                socket.send_fds(self._ours, [message], descriptors)
                pid = int(self._ours.recv(64))
                assert self._ours.recv(64)
            finally:
                prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
        return pid


_starters: dict[tuple[tuple[str, str], ...], _Starter] = {}


def _starter(environment: dict[str, str]) -> _Starter:
    """One for each set of variables that an interpreter reads at its start."""
    read = ("PYTHON", "LC_", "LANG")
    key = tuple(sorted(pair for pair in environment.items() if pair[0].startswith(read)))
    if key not in _starters:
        _starters[key] = _Starter(environment)
    return _starters[key]


def _is_absolute(path: str | None) -> bool:
    """Else what it means depends on the folder that an interpreter is started in."""
    return not path or all(map(os.path.isabs, path.split(os.pathsep)))


class _Popen(subprocess.Popen):  # type: ignore[type-arg]
    """Starts everything as ever but for workers. How pipes are made and closed is the standard library's."""

    def _execute_child(self, args: Any, *rest: Any) -> None:
        _, _, _, _, cwd, environment, _, _, _, *descriptors = rest[:15]
        a_worker = isinstance(args, (list, tuple)) and list(args) == [sys.executable, _LAUNCH]
        if not a_worker or not _is_absolute(environment.get("PYTHONPATH")):
            super()._execute_child(args, *rest)  # type: ignore[misc]
            return
        handed = dict(zip(_HANDED, descriptors, strict=True))
        self.pid = _starter(environment).fork(
            str(cwd), environment, [handed["p2cread"], handed["c2pwrite"], handed["errwrite"]]
        )
        self._child_created = True
        self._close_pipe_fds(*descriptors)  # type: ignore[attr-defined]


def install() -> None:
    if sys.platform == "linux" and not os.environ.get("CROSSLANE_TESTS_START_WORKERS"):
        subprocess.Popen = _Popen  # type: ignore[misc]
