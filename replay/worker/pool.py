"""Runs jobs in as many worker processes as there are cores: one leads, the others scout shares of its search.

The others are processes of this machine, unless there is an executor: the interface of `concurrent.futures`, which
engines for clusters offer as well. A share is then one picklable call of `search_share`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import CrosslaneError, HandlerError, WorkerError
from ..scouted import Scouted
from .client import Worker

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor
    from types import TracebackType
    from typing import Self

    from ..report import Result
    from .job import Job, Progress
    from .options import WorkerOptions


def cores() -> int:
    """How many processes can run at the same time: those cores that this one may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def search_share(job: Job, options: WorkerOptions) -> dict[str, Any]:
    """Make a share of a search in a worker process of its own; what it reports, as plain data.

    It is what an executor is given, wherever that runs it: the project has to be there too.
    """

    async def work() -> dict[str, Any]:
        async with Worker(options) as worker:
            return await _reported(worker, job, None)

    return asyncio.run(work())


async def _reported(worker: Worker, job: Job, on_progress: Callable[[Progress], None] | None) -> dict[str, Any]:
    try:
        return await worker.share(job, on_progress)
    except CrosslaneError as error:
        return {"failed": str(error)}


class Pool:
    """Has the interface of a `Worker`. Processes are started when there is something to do for them, and kept."""

    def __init__(self, options: WorkerOptions, jobs: int = 0, executor: Executor | None = None) -> None:
        """Args:
        jobs: how many processes search; 0 is one a core.
        executor: who runs all of them but the first; None is processes of this machine.
        """
        self._options = options
        self._jobs = jobs or cores()
        self._executor = executor
        self._leader = Worker(options)
        self._scouts = [Worker(options) for _ in range(self._jobs - 1)] if executor is None else []
        self._shares: list[asyncio.Future[dict[str, Any]]] = []
        self._reported: list[dict[str, Any]] = []
        self._progress: dict[int, Progress] = {}
        self._on_progress: Callable[[Progress], None] | None = None
        self._cancelled = False

    @property
    def reloaded(self) -> tuple[str, ...]:
        """As of a `Worker`: the files that were edited before the last job."""
        return self._leader.reloaded

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Run one job to its end, as `Worker.run` does. Jobs run one at a time."""
        self._cancelled = False
        await self.go_on()
        if job.action != "check" or self._jobs == 1:
            return await self._leader.run(job, on_progress)
        self._on_progress, self._progress, self._reported = on_progress, {}, []
        try:
            return await self._leader.run(replace(job, shards=self._jobs), self._heard(0), self)
        except (HandlerError, WorkerError) as error:
            # What the others have found does not die with the one that leads.
            for scout in self._scouts:
                await scout.cancel()
            await self.reports()
            if not any(report.get("hits") for report in self._reported):
                raise
            reports = (*self._reported, {"failed": str(error)})
            return await self._leader.run(replace(job, reports=reports), on_progress)
        finally:
            await self._abandon()

    async def cancel(self) -> None:
        """Ask all to stop; `run` then returns what they have found so far."""
        self._cancelled = True
        for share in self._shares:
            if self._executor is not None:
                share.cancel()
        for worker in (self._leader, *self._scouts):
            await worker.cancel()

    async def pause(self) -> None:
        """Have the running job wait, as `Worker.pause` does. A share that an executor has taken goes on to its end."""
        for worker in (self._leader, *self._scouts):
            await worker.pause()

    async def go_on(self) -> None:
        """End the pause."""
        for worker in (self._leader, *self._scouts):
            await worker.go_on()

    async def close(self) -> None:
        await self._abandon()
        for worker in (self._leader, *self._scouts):
            await worker.close()

    # ---- what the leader asks for

    async def share(self, job: Job, stage: dict[str, Any]) -> None:
        """Have a stage of the leader's search shared."""
        await self._abandon()
        for shard in range(1, self._jobs):
            part = job.share(stage, shard)
            if self._executor is not None:
                share = asyncio.wrap_future(self._executor.submit(search_share, part, self._options))
            else:
                share = asyncio.ensure_future(_reported(self._scouts[shard - 1], part, self._heard(shard)))
            self._shares.append(share)
        if self._cancelled:
            await self.cancel()

    async def reports(self) -> list[dict[str, Any]]:
        """What the others report, once all have. A share that failed is no reason to lose the rest."""
        answers = await asyncio.gather(*self._shares, return_exceptions=True)
        self._shares = []
        self._progress = {shard: progress for shard, progress in self._progress.items() if shard == 0}
        reports = [_answer(answer) for answer in answers]
        self._reported += reports
        return reports

    async def _abandon(self) -> None:
        """The leader died or has started over: nobody will ask for what the others find."""
        shares, self._shares = self._shares, []
        for share in shares:
            share.cancel()
        await asyncio.gather(*shares, return_exceptions=True)
        self._progress = {}

    def _heard(self, shard: int) -> Callable[[Progress], None]:
        def heard(progress: Progress) -> None:
            self._progress[shard] = progress
            leader = self._progress.get(0)
            if leader is None or self._on_progress is None:
                return
            all_of_them = self._progress.values()
            # The one that leads does nothing while it waits for the others, and does not say that it is paused.
            self._on_progress(
                replace(
                    leader,
                    executions=sum(one.executions for one in all_of_them),
                    per_second=sum(one.per_second for one in all_of_them),
                    covered=sum(one.covered for one in all_of_them),
                    paused=any(one.paused for one in all_of_them),
                )
            )

        return heard


def _answer(answer: dict[str, Any] | BaseException) -> dict[str, Any]:
    if isinstance(answer, asyncio.CancelledError):
        return replace(Scouted(), interrupted=True).to_json()
    if isinstance(answer, BaseException):
        return {"failed": f"{type(answer).__name__}: {answer}"}
    return answer
