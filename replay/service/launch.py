"""Starting a service with the user's command, and starting it again for fresh state.

The command runs without a shell, in a process group of its own, so that whatever it starts ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ..errors import HandlerError
from ..state.fresh import Interrupted
from ..worker.job import NO_LIMIT_S

if TYPE_CHECKING:
    from collections.abc import Callable

_clock = time.monotonic
_READY_S = 20.0
_FIRST_POLL_S = 0.01
_LONGEST_POLL_S = 0.1
_TAIL = 4_000
_MOMENTS = 30
_OF_THE_WAIT = 0.25
"""On a busy machine one that computes waits for a processor nearly all the time, and is not to be taken for silent. One
that only wakes up now and then waits a little each time."""
_PROC = Path("/proc")
_TELLING = re.compile(r"error|exception|cannot|refused|denied|failed|no such", re.IGNORECASE)


class Launched:
    """A service that is started by `command`, in which `{port}` and `{llm_port}` stand for the ports."""

    def __init__(self, command: str, cwd: Path, host: str, port: int, llm_port: int, ready_s: float) -> None:
        """`ready_s`: how long it may take to listen."""
        self._command = command
        self._cwd = cwd
        self._host = host
        self._port = port
        self._llm_port = llm_port
        self._ready_s = ready_s
        self._process: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._pids: list[str] = []

    async def start(self, interrupted: Callable[[], bool]) -> None:
        """Start it, and wait until it accepts connections.

        Raises:
            HandlerError: the command cannot be started, ends, or does not listen in time; or the port is taken.
            Interrupted: the user asked to stop meanwhile.
        """
        try:
            words = [
                word.replace("{port}", str(self._port)).replace("{llm_port}", str(self._llm_port))
                for word in shlex.split(self._command)
            ]
        except ValueError as error:
            raise HandlerError(f"cannot be read: {error}", "--launch") from None
        if not words:
            raise HandlerError("is empty", "--launch", 'write it like --launch "uvicorn app:app --port {port}"')
        if await self._listens():
            raise HandlerError(
                f"port {self._port} is taken already", "--launch", "stop what listens there, or take another port"
            )
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        try:
            self._process = subprocess.Popen(
                words,
                cwd=self._cwd,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                start_new_session=True,
            )
        except OSError as error:
            raise HandlerError(
                f"cannot start {words[0]!r}: {error.strerror}", "--launch", "is it on the PATH?"
            ) from None
        started, pause = _clock(), _FIRST_POLL_S
        while not await self._listens():
            if self._process.poll() is not None:
                raise HandlerError(f"the service ended before it listened ({self.how_it_ended()})", "--launch")
            if interrupted():
                self.stop()
                raise Interrupted
            if (waited_s := _clock() - started) > self._ready_s:
                said = self._last_words()
                self.stop()
                raise HandlerError(
                    f"the service does not listen on port {self._port} after {waited_s:.0f} s{said}",
                    "--launch",
                    "pass it the port: {port} in the command, or the variable PORT; if it is only slow, raise --budget",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_S)
        self._pids = _group(self._process.pid)

    def stop(self) -> None:
        """End the process and all that it started."""
        process, self._process = self._process, None
        if process is not None:
            # Killed, and not asked: it is to leave nothing behind, and its state is thrown away.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._said is not None:
            self._said.close()
            self._said = None

    async def ended(self) -> bool:
        """Whether it has ended. Its connections close a moment before it does."""
        for _ in range(_MOMENTS):
            if self._process is None or self._process.poll() is not None:
                break
            await asyncio.sleep(_FIRST_POLL_S)
        return self._process is not None and self._process.poll() is not None

    def busy_s(self) -> float:
        """The processor time that its processes have used so far, and some of what they waited for a processor; 0 where
        the system does not tell."""
        ticks = waited_ns = 0
        for pid in self._pids:
            with contextlib.suppress(OSError, IndexError, ValueError):  # it may be gone
                fields = _stat(pid)
                ticks += int(fields[11]) + int(fields[12])
                waited_ns += sum(int(each.read_text().split()[1]) for each in _PROC.glob(f"{pid}/task/*/schedstat"))
        return ticks / os.sysconf("SC_CLK_TCK") + waited_ns / 1e9 * _OF_THE_WAIT

    def how_it_ended(self) -> str:
        """`exit status 1; it last said: …`."""
        status = self._process.poll() if self._process is not None else None
        how = f"killed by signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        return f"{how}{self._last_words()}"

    def _last_words(self) -> str:
        if self._said is None:
            return ""
        size = os.fstat(self._said.fileno()).st_size
        tail = os.pread(self._said.fileno(), _TAIL, max(0, size - _TAIL)).decode("utf-8", "replace")
        lines = [line.strip() for line in tail.splitlines() if line.strip()]
        telling = [line for line in lines if _TELLING.search(line)] or lines
        return f"; it last said: {telling[-1][:300]}" if lines else ""

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            return False
        writer.close()
        return True

    def _environment(self) -> dict[str, str]:
        """The user's, with the stub in place of the LLMs and no proxy on the way to it."""
        llm = f"http://127.0.0.1:{self._llm_port}"
        return {
            **os.environ,
            "PORT": str(self._port),
            "OPENAI_BASE_URL": f"{llm}/v1",
            "OPENAI_API_BASE": f"{llm}/v1",
            "ANTHROPIC_BASE_URL": llm,
            "OPENAI_API_KEY": "crosslane",
            "ANTHROPIC_API_KEY": "crosslane",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def ready_s_of(budget_s: float) -> float:
    """How long a service may take to listen: as long as the search, and some moments at least."""
    return max(_READY_S, budget_s if budget_s < NO_LIMIT_S else 0.0)


def _group(leader: int) -> list[str]:
    """The processes of a process group."""
    found: list[str] = []
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if _stat(folder.name)[2] == str(leader):
                found.append(folder.name)
    return found


def _stat(pid: str) -> list[str]:
    """The fields of proc(5) after the name, which stands in parentheses and may hold anything."""
    return (_PROC / pid / "stat").read_text().rpartition(")")[2].split()


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
