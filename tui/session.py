"""What the interface was opened on: a trace, a handler, and how to run one against the other."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from ..replay.run import Event, Run
from ..replay.settings import Settings
from ..replay.trace.lanes import lane_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..replay.report import Result
    from ..replay.trace.model import Trace
    from ..replay.worker.job import Job, Progress
    from ..replay.worker.options import WorkerOptions


class Runner(Protocol):
    """What runs jobs: a `Pool`, or a stand-in in tests. `reloaded` are files that were edited before the last job."""

    @property
    def reloaded(self) -> tuple[str, ...]: ...
    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Result: ...
    async def cancel(self) -> None: ...
    async def pause(self) -> None: ...
    async def go_on(self) -> None: ...
    async def close(self) -> None: ...


def pool(options: WorkerOptions) -> Runner:
    from ..replay.worker.pool import Pool

    return Pool(options)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """See the module. `runner` makes what runs the jobs."""

    trace: Trace | None
    handler: str | None
    options: WorkerOptions
    kind: str | None = None
    settings: Settings = field(default_factory=Settings)
    concurrency: int | None = None
    runner: Callable[[WorkerOptions], Runner] = pool

    def job(self, action: Any, **changes: Any) -> Job:
        """A job on this session's trace and handler."""
        from ..replay.worker.job import Job

        assert self.trace is not None
        assert self.handler is not None
        job = Job(
            action,
            self.trace.path,
            tuple(exchange for exchange in self.trace.exchanges if exchange.request.grade == "replayable"),
            self.handler,
            self.kind,
            self.settings.boundary or "user",
            self.concurrency,
            upstream_calls=self.settings.upstream_calls,
            upstream=self.settings.upstream,
            upstream_allow=self.settings.upstream_allow,
            allow=self.settings.allow,
            skipped=self.trace.skipped,
        )
        return replace(job, **changes)


def recorded_run(trace: Trace, boundary: str) -> Run:
    """The recorded traffic as a run, to look at before anything was executed: requests and answers in time order."""
    from ..replay.trace.wording import body_text, request_text

    moments: list[tuple[int, int, Event]] = []
    lanes: dict[str, None] = {}
    for exchange in trace.exchanges:
        request, response = exchange.request, exchange.response
        lane = lane_name(request, boundary)
        lanes.setdefault(lane)
        asked = Event(0, 0, lane, request.session, request.id, "request", request_text(request))
        moments.append((request.at_ns, 0, asked))
        if response is not None:
            text = body_text(response.body)
            answered = Event(0, 0, lane, request.session, request.id, "response", text, status=response.status)
            moments.append((response.at_ns, 1, answered))
    moments.sort(key=lambda moment: moment[:2])
    events = tuple(replace(event, seq=seq) for seq, (_, _, event) in enumerate(moments, 1))
    return Run(tuple(lanes), (), events, ())
