"""The job that is under way: one at a time, in the processes that hold the handler.

It keeps what is to be said of the job, and the findings for `export`. It knows no screen: a `Listener` hears of it.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..replay.errors import CrosslaneError
from .safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..replay.report import Result
    from ..replay.run import Run
    from ..replay.worker.job import Job, Progress
    from .session import OpenSession, Runner


class Listener(Protocol):
    """Who is told of every job, whoever it is for."""

    def job_progressed(self, progress: Progress) -> None: ...
    def job_failed(self, error: CrosslaneError) -> None: ...
    def job_reloaded(self) -> None:
        """The program was edited: what is known of it as it was is no longer so. Its result is told after this."""
        ...

    def job_ended(self) -> None: ...


class Jobs:
    """See the module.

    Attributes:
        paused: the one that is under way waits.
        progress: how far it is, in words; "" for none.
        failed: the last one ended in an error, so that there is no verdict.
        reloaded: the files that were edited before the last one, in words; "" for none.
    """

    def __init__(self, session: OpenSession, listener: Listener) -> None:
        self._session = session
        self._listener = listener
        self._made: Runner | None = None
        self._free = asyncio.Event()
        self._free.set()
        self.paused = False
        self.progress = ""
        self.failed = False
        self.reloaded = ""

    @property
    def busy(self) -> bool:
        return not self._free.is_set()

    @property
    def _runner(self) -> Runner:
        if self._made is None:
            self._made = self._session.runner(self._session.options)
        return self._made

    def begin(
        self, job: Job, heard: Callable[[Result], None], seen: Callable[[Run], None]
    ) -> Coroutine[None, None, Result | CrosslaneError]:
        """Busy from now on. To be awaited: the job, whose result is `heard`, or the error in its place.

        Where the job tells its run before it is looked into, that is `seen` first.
        """
        assert not self.busy
        self._free.clear()
        return self._run(job, heard, seen)

    async def _run(
        self, job: Job, heard: Callable[[Result], None], seen: Callable[[Run], None]
    ) -> Result | CrosslaneError:
        def on_progress(progress: Progress) -> None:
            said = f"{progress.phase}: {progress.executions} executions, {progress.per_second:,.0f}/s"
            self.progress = f"paused in {said}" if progress.paused else said
            if progress.run is not None:
                seen(progress.run)
            self._listener.job_progressed(progress)

        try:
            result = await self._runner.run(job, on_progress)
        except CrosslaneError as error:
            # What was said before is of another execution, and perhaps of another program.
            self.failed = True
            self._listener.job_failed(error)
            return error
        else:
            self.failed = False
            self.reloaded = self._reloaded()
            if self.reloaded:
                self._listener.job_reloaded()
            heard(result)
            from .kept import keep_findings

            await asyncio.to_thread(keep_findings, self._session, result)
            return result
        finally:
            self.paused, self.progress = False, ""
            self._free.set()
            self._listener.job_ended()

    def _reloaded(self) -> str:
        cwd = self._session.options.cwd.absolute()
        edited = (Path(file) for file in self._runner.reloaded)
        names = [str(file.relative_to(cwd) if file.is_relative_to(cwd) else file) for file in edited]
        return safe(f"reloaded {', '.join(names)}", 200) if names else ""

    async def ended(self) -> None:
        """Wait until none is under way."""
        while self.busy:
            await self._free.wait()

    async def cancel(self) -> None:
        """The job ends soon, with what it has found."""
        await self._runner.cancel()

    async def pause(self) -> None:
        """The search waits between two executions, and its budget with it, until this is asked for once more."""
        self.paused = not self.paused
        await (self._runner.pause() if self.paused else self._runner.go_on())

    async def forget(self) -> None:
        """Stop what runs, and end the processes, which hold the program as it was."""
        if self.busy:
            await self.cancel()
        await self.ended()
        await self.close()

    async def close(self) -> None:
        if self._made is not None:
            made, self._made = self._made, None
            await made.close()
