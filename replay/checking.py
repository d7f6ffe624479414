"""check and replay: the road from a loaded program and a trace to a `Result`, one straight line of calls.

It runs in the worker. Everything that decides something lives in the stage that it belongs to.
"""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

from .attempts import Attempt, Reached, attempts, random_walk, variant_attempts
from .baselines import run_alone
from .errors import ScheduleError, StateEscaped
from .explain.explain import observed
from .investigation import Investigation
from .report import Result
from .schedule.search import Search
from .schedule.strategies import Lockstep, Replayed, Serial, Strategy
from .state.fresh import Interrupted
from .trace.lanes import lanes_of
from .variants import with_equal_inputs, with_more_words, with_probes
from .verdict import result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .explain.places import Place
    from .program import Program
    from .run import Run
    from .schedule.execute import Execution
    from .worker.job import Job, Progress

_REAL_CLOCK = time.monotonic
_MOST_PAIRED = 3


def investigate(program: Program, job: Job) -> Investigation:
    """Set up for a job.

    Raises:
        ScheduleError: there is nothing to execute.
    """
    lanes = lanes_of((exchange.request for exchange in job.exchanges), job.boundary)
    if not lanes:
        raise ScheduleError("the trace has no request to replay", job.trace)
    program.prepare(lanes, Serial([lane.name for lane in lanes]))
    return Investigation(program, lanes, job.exchanges, job.concurrency, allow=job.allow, known=job.known)


def check(program: Program, job: Job, report: Callable[[Progress], None]) -> Result:
    """Search the trace's interleavings within the budget and report everything that crossed."""
    started = _REAL_CLOCK()
    investigation = investigate(program, job)
    search = Search([lane.name for lane in investigation.lanes])
    reached = Reached()

    def follow(on: Investigation, tries: Iterable[Attempt]) -> bool:
        """Make the attempts; False when time is up."""
        for attempt in tries:
            execution = program.execute(attempt.lanes, attempt.strategy, job.concurrency)
            reached.schedules += 1
            if attempt.search is not None:
                attempt.search.tell(execution)
            on.look(execution, attempt.lanes)
            _announce(report, attempt.phase, program, on, started)
            elapsed = reached.elapsed_s = _REAL_CLOCK() - started
            reached.found(tuple(finding.crossing.id for finding in on.news))
            reached.per_second = program.executions / elapsed
            reached.interrupted = program.interrupted()
            reached.out_of_budget = elapsed > job.budget_s or program.executions >= job.most_executions
            if reached.interrupted or reached.out_of_budget:
                return False
        return True

    try:
        _announce(report, "each lane alone", program, investigation, started)
        run_alone(investigation)
        # A lane that cannot finish even alone makes every schedule wait for the watchdog, and shows nothing new.
        in_time = not investigation.stopped and follow(investigation, attempts(investigation, search, job, reached))
        if in_time and job.variants and not investigation.news:
            for other in variants_of(investigation):
                other.run_alone()
                if not follow(other, variant_attempts(other, job, reached)):
                    break
        program.fresh.prove()
        settled = investigation.news or investigation.stopped or program.fresh.forking
        if not settled and not investigation.still_fresh():
            raise StateEscaped("state outlives being put back")
    except Interrupted:
        reached.interrupted = True
    for finding in investigation.findings:
        _suspect(program, investigation.carrier_of(finding))
    return result_of(investigation, job, search, reached, _REAL_CLOCK() - started)


def variants_of(investigation: Investigation) -> Iterator[Investigation]:
    """The trace with other requests than were recorded, see `variants`."""
    lanes = investigation.lanes
    yield investigation.on(with_probes(lanes), "when each session sends its last request once more")
    few = lanes[:_MOST_PAIRED]
    for source, sink in permutations(few, 2):
        same = with_equal_inputs(source, sink)
        if same is not None:
            what = f"when {sink.name} says the same as {source.name}"
            yield investigation.on((source, same), what)
    for source, sink in permutations(few, 2):
        more = with_more_words(source, lanes)
        if more != source:
            yield investigation.on((more, sink), f"when {source.name} says something else, and more of it")


def replay(program: Program, job: Job, report: Callable[[Progress], None]) -> Result:
    """Execute the trace once, as the job says, under observation.

    Raises:
        ScheduleError: the given schedule names a lane that is not in the trace.
    """
    started = _REAL_CLOCK()
    investigation = investigate(program, job)
    order = [lane.name for lane in investigation.lanes]
    if job.schedule is not None:
        known = set(order)
        unknown = [n for n in job.schedule.names if n not in known and " " not in n and not n.islower()]
        if unknown:
            raise ScheduleError(
                f"the schedule names {unknown[0]!r}, which is no lane of the trace",
                job.trace,
                f"its lanes are {', '.join(order)}",
            )

    def strategy() -> Strategy:
        if job.schedule is not None:
            rest = Serial(order) if job.then is None else Replayed(job.then, Serial(order))
            return Replayed(job.schedule, rest)
        if job.order == "random":
            return random_walk(investigation, job.seed)
        return Lockstep() if job.order == "lockstep" else Serial(order)

    investigation.suspects = tuple(program.suspects)
    reached = Reached(replaying=True)
    run: Run | None = None
    try:
        _announce(report, "each lane alone", program, investigation, started)
        run_alone(investigation)
        _announce(report, "replaying", program, investigation, started)
        chosen = strategy()
        execution = program.execute(investigation.lanes, chosen, job.concurrency)
        investigation.look(execution, investigation.lanes)
        run = _timeline(investigation, execution, job)
        run = replace(run, diverged=getattr(chosen, "diverged", None) or run.diverged)
        differs = run.diverged or (job.schedule.divergence(run.decisions) if job.schedule is not None else "")
        if differs and job.best_effort:
            investigation.warnings.setdefault(f"followed as far as it goes: {differs}")
        elif differs:
            investigation.stopped = f"the schedule could not be followed: {differs}"
        if execution.outcomes != list(run.outcomes) and not any(investigation.unstable.values()):
            investigation.stopped = "two executions of the same schedule differ: something outside control decides"
        program.fresh.prove()
    except Interrupted:
        reached.interrupted = True
    result = result_of(investigation, job, Search(order), reached, _REAL_CLOCK() - started)
    return result if run is None else Result(result.report, run, result.findings, result.solo)


def _timeline(investigation: Investigation, execution: Execution, job: Job) -> Run:
    """The same execution under observation. It comes after the verdict, because then it is known what to look at."""
    program, place = investigation.program, None
    if investigation.findings:
        first = investigation.findings[0]
        place = investigation.carrier_of(first)
        _suspect(program, place)
        if _is_of(first.run, execution):
            return first.run
    program.executions += 1
    order = [lane.name for lane in investigation.lanes]
    return observed(program, investigation.lanes, Replayed(execution.schedule, Serial(order)), job.concurrency, place)


def _is_of(run: Run, execution: Execution) -> bool:
    """Whether a crossing could not be made smaller than the execution that showed it."""
    names = tuple(decision.lane for decision in run.decisions)
    return names == execution.schedule.names and list(run.outcomes) == execution.outcomes


def _suspect(program: Program, place: Place | None) -> None:
    if place is not None and place not in program.suspects:
        program.suspects.append(place)


def _announce(
    report: Callable[[Progress], None], phase: str, program: Program, investigation: Investigation, started: float
) -> None:
    from .worker.job import Progress

    elapsed = max(_REAL_CLOCK() - started, 1e-6)
    report(Progress(phase, program.executions, program.executions / elapsed, len(investigation.findings)))
