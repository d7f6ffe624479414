"""The beginning of a long trace, which is searched by itself first.

One execution of ten thousand requests takes as long as a thousand of ten, and nearly every contamination needs two
users and a few of their requests. What a beginning shows is a finding; what it does not is looked for in all the trace.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .trace.lanes import lanes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import Result
    from .trace.lanes import Lane
    from .worker.job import Job

LONG = 1_000
"""From so many requests on, a trace is long."""
_LANES = 12
_REQUESTS = 5
_SHARE = 0.5


def first_requests(lanes: Sequence[Lane]) -> tuple[Lane, ...]:
    """The lanes as they are; of a long trace the first ones, with their first requests."""
    if sum(len(lane.requests) for lane in lanes) < LONG:
        return tuple(lanes)
    return tuple(replace(lane, requests=lane.requests[:_REQUESTS]) for lane in lanes[:_LANES])


def beginning_of(job: Job) -> Job | None:
    """The same job on the beginning of a long trace, for a part of its budget; None where the trace is not long."""
    if len(job.exchanges) < LONG or job.reports:
        return None
    lanes = first_requests(lanes_of((exchange.request for exchange in job.exchanges), job.boundary))
    early = {request.id for lane in lanes for request in lane.requests}
    kept = tuple(exchange for exchange in job.exchanges if exchange.request.id in early)
    most = max(1, int(job.most_executions * _SHARE))
    return replace(job, exchanges=kept, budget_s=job.budget_s * _SHARE, most_executions=most, shards=1)


def of_the_beginning(result: Result, beginning: Job, job: Job) -> Result:
    """What was found in the beginning as the result for the whole: its coverage says that there is more."""
    why = "something was found" if result.report.crossings else "of the interrupt"
    said = f"{_part(beginning, job)}, and no further because {why}: {result.report.coverage.statement}"
    return _stating(result, said)


def after_the_beginning(result: Result, beginning: Job, before: Result, job: Job) -> Result:
    """The result for the whole, with what was covered of its beginning before that."""
    said = f"{result.report.coverage.statement}; before that, of {_part(beginning, job)}: "
    return _stating(result, said + before.report.coverage.statement)


def _part(beginning: Job, job: Job) -> str:
    return f"{len(beginning.exchanges):,} of the trace's {len(job.exchanges):,} requests, the first of some lanes"


def _stating(result: Result, statement: str) -> Result:
    return replace(result, report=replace(result.report, coverage=replace(result.report.coverage, statement=statement)))
