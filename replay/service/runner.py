"""Runs jobs against a running service: what a `Worker` is for handlers that can be imported."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from ..asking import nothing_recorded
from ..errors import HandlerError
from ..pause import Pause
from ..worker.job import Progress
from . import checking
from .target import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from ..report import Result
    from ..trace.model import Exchange
    from ..worker.job import Job
    from .options import ServiceOptions


class ServiceRunner:
    """Runs one job at a time, in a thread of its own: the job waits for the service, and the screen goes on.

    Attributes:
        reloaded: nothing is loaded here, so that no edit is ever noticed.
    """

    def __init__(self, options: ServiceOptions) -> None:
        self.reloaded: tuple[str, ...] = ()
        self._options = options
        self._asked = threading.Event()
        self._pause = Pause()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Result:
        """Run one job to its end.

        Raises:
            CrosslaneError: the service cannot be started or reached, or the trace not be replayed.
        """
        self._asked.clear()
        self._pause.end()
        loop = asyncio.get_running_loop()

        latest = Progress("starting", 0, 0.0, 0)

        def told(progress: Progress) -> None:
            nonlocal latest
            latest = progress
            if on_progress is not None:
                loop.call_soon_threadsafe(on_progress, progress)

        self._pause.told = lambda still: told(replace(latest, paused=still))

        work = asyncio.ensure_future(asyncio.to_thread(self._work, job, told))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            # The thread ends by itself, and takes what it has started with it.
            self._asked.set()
            raise

    async def cancel(self) -> None:
        """Ask the running job to stop; its `run` then returns what was found so far."""
        self._asked.set()

    async def pause(self) -> None:
        """Have the running job wait before its next execution; what it waits is no part of its budget."""
        self._pause.begin()

    async def go_on(self) -> None:
        """End the pause."""
        self._pause.end()

    async def close(self) -> None:
        self._asked.set()

    def _work(self, job: Job, told: Callable[[Progress], None]) -> Result:
        prepared, left_out = _prepared(job)
        target = Target.of(prepared, self._options, self._asked.is_set)
        target.pause, target.told = self._pause, told
        try:
            target.open()
            for remark in left_out:
                target.remarks.setdefault(remark)
            return (checking.check if job.action == "check" else checking.replay)(target, prepared, told)
        finally:
            target.close()


def _prepared(job: Job) -> tuple[Job, list[str]]:
    """The job with recorded answers where they are to be repeated, and without what cannot be sent.

    Raises:
        HandlerError: no request of the trace can be sent.
    """
    recorded = job.upstream in ("", "recorded")
    kept = tuple(_with_answers(exchange) if recorded else exchange for exchange in job.exchanges if _can_send(exchange))
    left = len(job.exchanges) - len(kept)
    if not kept:
        raise HandlerError(
            "no request of the trace has a path, and a service needs one",
            job.trace,
            'write {"request": {"method": "POST", "path": "/chat", "json": {…}}}',
        )
    remark = f"{left} of {len(job.exchanges)} requests are left out: they have no path, or are websockets"
    remarks = [remark] if left else []
    return replace(job, exchanges=kept), [*remarks, *filter(None, [nothing_recorded(kept, job.upstream)])]


def _can_send(exchange: Exchange) -> bool:
    request = exchange.request.request
    return isinstance(request, dict) and "path" in request and "messages" not in request


def _with_answers(exchange: Exchange) -> Exchange:
    answers = tuple((call.name, call.sent, call.answered) for call in exchange.upstream)
    return replace(exchange, request=replace(exchange.request, answers=answers))
