"""check and replay against a running service: the stages of `check`, with what is different from outside.

The same search, confirming and minimising. Beside the schedules there are meetings, in which requests are released
together: a service that waits for anything but the LLM overlaps nowhere else.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from ..attempts import Attempt, Reached, late_starts, other_orders, random_walk, stages, variant_attempts
from ..errors import ScheduleError
from ..investigation import Investigation
from ..report import Result
from ..schedule.schedule import Schedule
from ..schedule.search import Search
from ..schedule.strategies import Lockstep, Replayed, Serial, Strategy
from ..state.fresh import Interrupted
from ..trace.lanes import lanes_of
from ..variants import variants_of
from ..worker.job import Progress
from .coverage import result_of
from .kept_state import distrust_leftovers
from .outside import from_outside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..program import Program
    from ..run import Run
    from ..worker.job import Job
    from .target import Target

_clock = time.monotonic
_AFTER_THE_BUDGET = 1.5
"""How far beyond the budget confirming and minimising may go: a restart for each execution takes its time."""


def investigate(target: Target, job: Job) -> Investigation:
    """Set up for a job.

    Raises:
        ScheduleError: there is nothing to execute.
    """
    lanes = lanes_of((exchange.request for exchange in job.exchanges), job.boundary)
    if not lanes:
        raise ScheduleError("the trace has no request to replay", job.trace)
    # The target has those members of a program that an investigation uses when it is given another explainer.
    program = cast("Program", target)
    return Investigation(
        program,
        lanes,
        job.exchanges,
        job.concurrency,
        allow=job.allow,
        explainer=from_outside,
        known=job.known,
        leftovers=target.keeps_state,
    )


def check(target: Target, job: Job, report: Callable[[Progress], None]) -> Result:
    """Search the trace's interleavings within the budget and report everything that crossed."""
    elapsed_s = _stopwatch(target)
    target.interrupted = lambda: target.asked() or elapsed_s() > job.budget_s * _AFTER_THE_BUDGET
    investigation = investigate(target, job)
    # With nothing found yet, what may have crossed is looked into for a while longer: else nothing could be told of it.
    investigation.in_time = lambda: elapsed_s() <= job.budget_s * (1.0 if investigation.findings else _AFTER_THE_BUDGET)
    search = Search([lane.name for lane in investigation.lanes])
    reached = Reached()

    def follow(on: Investigation, tries: Iterable[Attempt]) -> bool:
        """Make the attempts; False when time is up."""
        for attempt in tries:
            execution = target.execute(attempt.lanes, attempt.strategy, job.concurrency)
            reached.schedules += 1
            if attempt.search is not None:
                attempt.search.tell(execution)
            on.look(execution, attempt.lanes)
            elapsed = reached.elapsed_s = max(elapsed_s(), 1e-6)
            reached.found(tuple(finding.crossing.id for finding in on.news))
            reached.per_second = target.executions / elapsed
            report(Progress(attempt.phase, target.executions, reached.per_second, len(on.findings)))
            reached.interrupted = target.asked()
            reached.out_of_budget = elapsed > job.budget_s or target.executions >= job.most_executions
            if reached.interrupted or reached.out_of_budget:
                return False
        return True

    try:
        report(Progress("each lane alone", target.executions, 0.0, 0))
        run_alone(target, investigation)
        in_time = not investigation.stopped and follow(investigation, _first(investigation, search))
        # A finding says enough of a service whose variables cannot be seen: another may well be the same bug.
        if in_time and not investigation.news and job.concurrency != 1:
            target.meeting = True
            in_time = follow(investigation, _meetings(investigation))
            target.meeting = False
        if in_time and not investigation.news:
            in_time = follow(investigation, _more(investigation, search, job, reached))
        if in_time and job.variants and not investigation.news:
            for other in variants_of(investigation):
                run_alone(target, other)
                if not follow(other, variant_attempts(other, job, reached)):
                    break
    except Interrupted:
        reached.interrupted = True
    finally:
        target.meeting = False
    return result_of(target, investigation, job, search, reached, elapsed_s())


def _stopwatch(target: Target) -> Callable[[], float]:
    """Tells how long it is since now, without the pauses."""
    target.pause.new_job()
    started = _clock()
    return lambda: _clock() - started - target.pause.paused_s


def _first(investigation: Investigation, search: Search) -> Iterable[Attempt]:
    """Serial in both orders, so that what needs no overlap is found as such; then overlapping, under control."""
    lanes = investigation.lanes
    order = [lane.name for lane in lanes]
    if len(order) < 2:
        return
    # Of two lanes these are the first two schedules of the search proper, which it need not make again.
    for names in (order, order[::-1]):
        strategy = search.next(0) if len(order) == 2 or names is order else None
        followed = None if strategy is None else search
        yield Attempt("one lane after another", strategy or Serial(names), lanes, followed)
    yield Attempt("lockstep", Lockstep(), lanes)


def _more(investigation: Investigation, search: Search, job: Job, reached: Reached) -> Iterable[Attempt]:
    """What is left of the search, without what was made to begin with."""
    for stage in stages(investigation, search, job, reached):
        if stage.name != "first":
            yield from stage.attempts
        elif len(investigation.lanes) > 1:
            yield from late_starts(investigation.lanes)
            yield from other_orders(investigation)


def _meetings(investigation: Investigation) -> Iterable[Attempt]:
    if len(investigation.lanes) > 1:
        order = [lane.name for lane in investigation.lanes]
        for names in (order, order[::-1]):
            yield Attempt("released together", Serial(names), investigation.lanes)


def run_alone(target: Target, investigation: Investigation) -> None:
    """Each lane alone, twice. Where state is kept, what another lane left behind is no baseline."""
    investigation.run_alone()
    if target.keeps_state:
        distrust_leftovers(investigation)


def replay(target: Target, job: Job, report: Callable[[Progress], None]) -> Result:
    """Execute the trace once, as the job says.

    Raises:
        ScheduleError: the given schedule names a lane that is not in the trace.
    """
    elapsed_s = _stopwatch(target)
    investigation = investigate(target, job)
    order = [lane.name for lane in investigation.lanes]
    if job.schedule is not None and (unknown := set(job.schedule.names) - set(order)):
        raise ScheduleError(
            f"the schedule names {min(unknown)!r}, which is no lane of the trace",
            job.trace,
            f"its lanes are {', '.join(order)}",
        )
    reached = Reached(replaying=True)
    run: Run | None = None
    try:
        report(Progress("each lane alone", target.executions, 0.0, 0))
        run_alone(target, investigation)
        if investigation.stopped:
            return result_of(target, investigation, job, Search(order), reached, elapsed_s())
        strategy: Strategy = Lockstep()
        if job.schedule is not None:
            strategy = Replayed(job.schedule, Serial(order))
        elif job.order != "lockstep":
            strategy = random_walk(investigation, job.seed) if job.order == "random" else Serial(order)
        report(Progress("replaying", target.executions, 0.0, 0))
        target.meeting = target.options.together
        shown, run = target.observed(investigation.lanes, strategy, job.concurrency)
        again = target.execute(investigation.lanes, Replayed(_followed(run), Serial(order)), job.concurrency)
        diverged = strategy.diverged if isinstance(strategy, Replayed) else None
        differs = diverged or (job.schedule.divergence(run.decisions) if job.schedule is not None else "")
        if differs and job.best_effort:
            investigation.warnings.setdefault(f"followed as far as it goes: {differs}")
        elif differs:
            investigation.stopped = f"the schedule could not be followed: {differs}"
        # Also at the one that is shown: of requests released together, another may have been the first the second time.
        for execution in (shown, again):
            investigation.look(execution, investigation.lanes)
    except Interrupted:
        reached.interrupted = True
    result = result_of(target, investigation, job, Search(order), reached, elapsed_s())
    return result if run is None else Result(result.report, run, result.findings, result.solo)


def _followed(run: Run) -> Schedule:
    faults = tuple((n, decision.action) for n, decision in enumerate(run.decisions) if decision.action)
    return Schedule(tuple(decision.lane for decision in run.decisions), faults)
