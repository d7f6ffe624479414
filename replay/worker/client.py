"""The client's side of the pipe: starts the worker under the user's interpreter and asks it to run jobs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import errors
from ..errors import CrosslaneError, HandlerBlockedInC, HandlerError, StateEscaped, WorkerError
from ..report import Result
from ..run import Run
from ..scouted import Scouted
from . import handing, sources
from .job import Job, Progress
from .options import WorkerOptions
from .watchdog import DUMP_SIGNAL, GO_ON_SIGNAL, PAUSE_SIGNAL

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Protocol, Self

    from ..trace.model import Exchange

    class Others(Protocol):
        """The workers with which one that leads a search can share it; see `pool`."""

        async def share(self, job: Job, stage: dict[str, Any]) -> None: ...
        async def reports(self) -> list[dict[str, Any]]: ...


__all__ = ["Worker", "WorkerOptions"]

_LAUNCH = Path(__file__).with_name("launch.py")
_STDERR_KEPT = 64_000
_LINE_LIMIT = 1 << 30
# Four times a second the worker gives a sign of life, unless C code holds it. A machine may be slow.
_SILENCE_S = 6.0
_DUMP_S = 0.5
# So many times the silence after which a handler is taken for stuck, we may be at work on a trace ourselves.
_PATIENCE = 6
_RESTARTS = 4
_LOOK_S = 0.2
_clock = time.monotonic
_DUMP_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)
_OF_PYTHON = re.compile(r"[/\\]lib[/\\]python3\.\d+t?[/\\](?!site-packages|dist-packages)|^<frozen ")


class Worker:
    """One worker process, started with the first job. It keeps the handler loaded between jobs on the same one, until
    its files are edited.

    Attributes:
        reloaded: the files whose edits the running job was the first to see, or the last one.
    """

    def __init__(self, options: WorkerOptions) -> None:
        self._options = options
        self._process: asyncio.subprocess.Process | None = None
        self._handler: tuple[object, ...] | None = None
        self._stderr = b""
        self._reading: asyncio.Task[None] | None = None
        self._cancelled = False
        self._paused = False
        self._ready = False
        self._ended = False
        self._loaded: dict[str, tuple[int, int]] = {}
        self._given: tuple[Exchange, ...] | None = None
        self.reloaded: tuple[str, ...] = ()
        self._lessons: dict[tuple[object, ...], tuple[tuple[str, ...], bool]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(
        self, job: Job, on_progress: Callable[[Progress], None] | None = None, others: Others | None = None
    ) -> Result:
        """Run one job to its end. Jobs of one worker run one at a time. `others` are needed where `job.shards` are.

        Where state turns out to outlive being put back, the job starts over: that is put back as well, or, where it
        cannot be, a new process forks for each execution.

        Raises:
            HandlerError: the handler cannot be loaded or called, blocks in C code, or ended its process.
            ScheduleError, CrosslaneError: as the job's stages raise them.
            WorkerError: the worker cannot be started, or died for another reason.
        """
        await self.go_on()
        return Result.from_json(await self._settled(job, on_progress, others))

    async def share(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> dict[str, Any]:
        """Run a job that is a share of another worker's search, in the same way; the JSON of `sharing.Scouted`."""
        return await self._settled(job, on_progress, None)

    async def _settled(
        self, job: Job, on_progress: Callable[[Progress], None] | None, others: Others | None
    ) -> dict[str, Any]:
        began = _clock()
        self._cancelled, self.reloaded = False, sources.edited(self._loaded)
        if self.reloaded:
            await self.close()
        lesson = _program(job)
        keep, fork = self._lessons.get(lesson, (job.keep, job.fork))
        job = replace(job, keep=keep, fork=fork)
        for _ in range(_RESTARTS):
            try:
                return await self._run(job, on_progress, others)
            except StateEscaped as error:
                # Also for the jobs to come, which would else start with the same lesson.
                if not error.where:
                    break
                job = replace(job.less(_clock() - began), keep=(*job.keep, *error.where.splitlines()))
                self._lessons[lesson] = (job.keep, job.fork)
        job = replace(job.less(_clock() - began), fork=True)
        self._lessons[lesson] = (job.keep, job.fork)
        return await self._run(job, on_progress, others)

    async def _run(
        self, job: Job, on_progress: Callable[[Progress], None] | None, others: Others | None
    ) -> dict[str, Any]:
        if self._handler is not None and self._handler != _program(job):
            await self.close()
        process = await self._started()
        self._handler = _program(job)
        assert process.stdin is not None
        dying = ""
        began = _clock()
        try:
            with contextlib.suppress(ConnectionError):
                if not await self._hand_over(process.stdin, job, on_progress):
                    await self.close()
                    return _not_begun(job, _clock() - began, "given the trace")
                _send(process.stdin, {"do": "run", "job": job.less(_clock() - began).to_json()})
                await process.stdin.drain()
            while True:
                message = await self._next(process, job)
                if message is None and self._ended:
                    await self.close()
                    return _not_begun(job, _clock() - began, "started")
                if message is None:
                    raise await self._death(process, dying)
                if "ready" in message:
                    self._ready = True
                    if self._paused:
                        process.send_signal(PAUSE_SIGNAL)
                    if self._cancelled and not self._ended:
                        process.send_signal(signal.SIGINT)
                if "loaded" in message:
                    self._loaded = {file: (at_ns, size) for file, (at_ns, size) in message["loaded"].items()}
                if "result" in message:
                    if message.get("over"):
                        await self.close()
                    return message["result"]
                if "error" in message:
                    raise self._error(message["error"])
                if "progress" in message and on_progress is not None:
                    on_progress(_progress(message["progress"]))
                if "share" in message and others is not None:
                    await others.share(job, message["share"])
                if "await" in message and others is not None:
                    _send(process.stdin, {"reports": await others.reports()})
                dying = message.get("dying", dying)
        except StateEscaped as error:
            if not error.where:
                await self.close()
            raise  # what has a name can be put back where it is
        except BaseException:
            # After an error the handler's modules may be half imported, and a cancelled task leaves an answer behind:
            # the next job starts a new process.
            await self.close()
            raise

    async def _hand_over(
        self, pipe: asyncio.StreamWriter, job: Job, on_progress: Callable[[Progress], None] | None
    ) -> bool:
        """Give the worker the trace, unless it has it; False when it was broken off."""
        if handing.are_same(self._given, job.exchanges):
            return True
        self._given = None
        _send(pipe, {"do": "trace", "recorded": job.upstream in ("", "recorded")})
        for count, line in handing.pieces(job.exchanges):
            pipe.write(line)
            await asyncio.sleep(0)  # whoever wants to cancel has a turn, also where nothing has to be waited for
            await self._drained(pipe)
            if self._cancelled:
                return False
            if on_progress is not None and count < len(job.exchanges):
                on_progress(Progress(f"handing over the trace, {100 * count // len(job.exchanges)} %", 0, 0.0, 0))
        self._given = job.exchanges
        return True

    async def _drained(self, pipe: asyncio.StreamWriter) -> None:
        """Wait until the worker has read, which one that is still starting does not, or nobody wants it any more."""
        draining = asyncio.ensure_future(pipe.drain())
        while not self._cancelled and not draining.done():
            await asyncio.wait((draining,), timeout=_LOOK_S)
        if draining.done():
            draining.result()
        draining.cancel()

    async def cancel(self) -> None:
        """Ask the running job to stop; its `run` then returns what was found so far."""
        self._cancelled, self._paused = True, False
        self._signal(signal.SIGINT)
        if not self._ready and self._process is not None and self._process.returncode is None:
            self._process.kill()  # nothing of the handler's runs in it, and it may take long to listen
            self._ended = True

    async def pause(self) -> None:
        """Have the running job wait before its next execution; what it waits is no part of its budget."""
        self._paused = True
        self._signal(PAUSE_SIGNAL)

    async def go_on(self) -> None:
        """End the pause."""
        self._paused = False
        self._signal(GO_ON_SIGNAL)

    def _signal(self, which: signal.Signals) -> None:
        # Before it listens, the signal would end or stop it; it is sent as soon as it does.
        if self._process is not None and self._process.returncode is None and self._ready:
            self._process.send_signal(which)

    async def close(self) -> None:
        process, self._process, self._handler = self._process, None, None
        self._loaded, self._given = {}, None
        if process is None:
            return
        if process.returncode is None:
            # Its whole group: forked executions and whatever the handler started.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if self._reading is not None:
            await self._reading
            self._reading = None

    async def _started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        python = self._options.python or sys.executable
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"}
        if self._options.path:
            before = (os.environ.get("PYTHONPATH") or "").split(os.pathsep)
            environment["PYTHONPATH"] = os.pathsep.join((*self._options.path, *filter(None, before)))
        if not self._options.cwd.is_dir():
            raise WorkerError("no such directory", str(self._options.cwd), "give --cwd a directory that exists")
        try:
            self._process = await asyncio.create_subprocess_exec(
                python,
                str(_LAUNCH),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd=self._options.cwd,
                env=environment,
                limit=_LINE_LIMIT,
                # The terminal's ctrl-c is for us: we pass it on when it is the job that should stop.
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(
                f"cannot start the interpreter ({error.strerror})", python, "give --python an interpreter that exists"
            ) from None
        self._stderr = b""
        self._ready = self._ended = False
        self._reading = asyncio.create_task(self._read_stderr(self._process))
        return self._process

    async def _read_stderr(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while piece := await process.stderr.read(1 << 16):
            self._stderr = (self._stderr + piece)[-_STDERR_KEPT:]

    async def _next(self, process: asyncio.subprocess.Process, job: Job) -> dict[str, Any] | None:
        """The next message; None when the process has ended or was ended because it no longer answers."""
        assert process.stdout is not None
        silence_s = job.blocked_after_s + _SILENCE_S
        reading = asyncio.ensure_future(process.stdout.readline())
        try:
            for _ in range(_PATIENCE):
                done, _ = await asyncio.wait((reading,), timeout=silence_s)
                if done:
                    line = reading.result()
                    return json.loads(line) if line else None
                process.send_signal(DUMP_SIGNAL)
                await asyncio.sleep(_DUMP_S)
                dumped = self._stderr.decode("utf-8", "replace")
                if self._is_at_work(dumped):
                    raise HandlerBlockedInC(silence_s, self._dumped(dumped))
        finally:
            reading.cancel()
        raise WorkerError(
            f"the worker gave no sign of life in {_PATIENCE * silence_s:.0f} s, in none of the handler's lines",
            job.trace,
            "the trace may be too large for one run: cut it with crosslane slice",
        )

    async def _death(self, process: asyncio.subprocess.Process, dying: str) -> CrosslaneError:
        status = await process.wait()
        if self._reading is not None:
            await self._reading
        said = self._stderr.decode("utf-8", "replace").strip().splitlines()
        if dying:
            return HandlerError(f"the handler {dying}, and caught the exception that should have stopped it")
        if said and said[-1].startswith("crosslane: "):
            return WorkerError(said[-1].removeprefix("crosslane: "), remedy="use --python with a newer interpreter")
        how = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with exit status {status}"
        at = self._dumped("\n".join(said))
        last = f"; it last said: {said[-1][:300]}" if said and not at else ""
        return WorkerError(f"the process that holds the handler {how}{last}", at, "the handler ended its own process")

    def _error(self, data: dict[str, str]) -> CrosslaneError:
        kind = getattr(errors, data["type"], CrosslaneError)
        if kind is HandlerBlockedInC:
            dumped = self._dumped(self._stderr.decode("utf-8", "replace"))
            return HandlerError(data["what"], data["where"] or dumped, data["remedy"])
        return kind(data["what"], data["where"], data["remedy"])

    def _is_at_work(self, text: str) -> bool:
        """Whether a line of the program, or of its libraries, is in a stack that the interpreter dumped.

        Else it is we who are busy, with a very large trace. Without any stack the program is taken to be.
        """
        files = [file for file, _ in _DUMP_FRAME.findall(text)]
        ours = str(_LAUNCH.parent.parent)
        return not files or any(not file.startswith(ours) and not _OF_PYTHON.search(file) for file in files)

    def _dumped(self, text: str) -> str:
        """The innermost line of the user's in a stack that the interpreter dumped, else of a library."""
        frames: list[tuple[str, str]] = _DUMP_FRAME.findall(text)
        others = [frame for frame in frames if not frame[0].startswith(str(_LAUNCH.parent.parent))]
        own = [frame for frame in others if frame[0].startswith(str(self._options.cwd) + os.sep)]
        return _shown(*(own or others)[0], self._options.cwd) if others else ""


def _progress(data: dict[str, Any]) -> Progress:
    run = Run.from_json(data["run"]) if data["run"] is not None else None
    return replace(Progress(**data), found=tuple(data["found"]), run=run)


def _send(pipe: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    pipe.write((json.dumps(message) + "\n").encode())


def _not_begun(job: Job, elapsed_s: float, doing: str) -> dict[str, Any]:
    if job.action == "share":
        return replace(Scouted(), interrupted=True).to_json()
    from ..verdict import not_begun

    return not_begun(job, elapsed_s, doing).to_json()


def _program(job: Job) -> tuple[object, ...]:
    """What the worker has loaded for a job; another job on the same can use it."""
    return job.handler, job.kind, job.fork, job.upstream_calls, job.upstream, job.upstream_allow


def _shown(file: str, number: str, cwd: Path) -> str:
    with contextlib.suppress(ValueError):
        file = str(Path(file).relative_to(cwd))
    return f"{file}:{number}"
