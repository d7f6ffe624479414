"""check and replay: the road from a loaded program and a trace to a `Result`, one straight line of calls.

It runs in the worker. Everything that decides something lives in the stage that it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .asking import nothing_recorded
from .attempts import Attempt, Reached, beside_attempts, random_walk, search_of, stages
from .baselines import run_alone
from .beginning import after_the_beginning, beginning_of, of_the_beginning
from .causes import carrier_of
from .errors import ScheduleError, StateEscaped
from .explain.experiment import observed
from .investigation import Investigation
from .known_findings import fingerprint
from .pursuit import Pursuit
from .report import Result
from .schedule.search import Search
from .schedule.share import Share
from .schedule.strategies import Lockstep, Replayed, Serial, Strategy
from .sharing import Leader, Scouted, scout
from .state.fresh import Interrupted
from .trace.lanes import lanes_of
from .verdict import not_begun, result_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .explain.places import Place
    from .program import Program
    from .run import Run
    from .schedule.execute import Execution
    from .sharing import Partners
    from .worker.job import Job, Progress


def investigate(program: Program, job: Job) -> Investigation:
    """Set up for a job.

    Raises:
        ScheduleError: there is nothing to execute.
    """
    lanes = lanes_of((exchange.request for exchange in job.exchanges), job.boundary)
    if not lanes:
        raise ScheduleError("the trace has no request to replay", job.trace)
    program.prepare(lanes, Serial([lane.name for lane in lanes]))
    investigation = Investigation(program, lanes, job.exchanges, job.concurrency, allow=job.allow, known=job.known)
    if remark := nothing_recorded(job.exchanges, job.upstream):
        investigation.warnings.setdefault(remark)
    return investigation


def check(program: Program, job: Job, report: Callable[[Progress], None], partners: Partners | None = None) -> Result:
    """Search the trace's interleavings within the budget and report everything that crossed.

    A long trace is searched in its beginning first. `partners` can make a part of the search.
    """
    started = Pursuit(program, job, report).started
    beginning = beginning_of(job)
    if beginning is None:
        return _search(Pursuit(program, job, report, started), partners)
    first = _search(Pursuit(program, beginning, report, started), None)
    found = {fingerprint(crossing) for crossing in first.report.crossings}
    if found - set(job.known) or program.interrupted():
        return of_the_beginning(first, beginning, job)
    return after_the_beginning(_search(Pursuit(program, job, report, started), partners), beginning, first, job)


def _search(pursuit: Pursuit, partners: Partners | None) -> Result:
    program, job = pursuit.program, pursuit.job
    reached = pursuit.reached
    try:
        investigation = investigate(program, job)
    except Interrupted:
        return not_begun(job, pursuit.elapsed_s, "tried for the first time")
    search = search_of(investigation.lanes, Share(0, job.shards))
    try:
        investigation.in_time = lambda: pursuit.nearly_in_time() and not program.interrupted()
        pursuit.announce("each lane alone", investigation)
        run_alone(investigation, pursuit.nearly_in_time)
        leader = Leader(pursuit, investigation, search, partners)
        for answer in job.reports:
            leader.learn([answer], True)
        # A lane that cannot finish even alone makes every schedule wait for the watchdog, and shows nothing new.
        in_time = (
            not investigation.stopped
            and not job.reports
            and all(leader.follow(stage) for stage in stages(investigation, search, job, reached))
        )
        if in_time and job.variants and not investigation.news:
            in_time = leader.follow_variants()
        if in_time:
            _beside_the_known(pursuit, investigation, lambda beside: beside_attempts(beside, job, reached))
        program.fresh.prove()
        settled = investigation.news or investigation.stopped or program.fresh.forking
        if not settled and not investigation.still_fresh():
            raise StateEscaped("state outlives being put back")
    except Interrupted:
        reached.interrupted = True
    for finding in investigation.findings:
        _suspect(program, carrier_of(investigation, finding))
    return result_of(investigation, job, search, reached, pursuit.elapsed_s)


def _beside_the_known(
    pursuit: Pursuit, investigation: Investigation, attempts: Callable[[Investigation], Iterable[Attempt]]
) -> None:
    """Look for other causes with those that are known kept apart, as long as that shows one.

    What crosses twice in one place is found once: the search cannot see the second cause behind the first.

    Args:
        attempts: what is to be executed for each of them.
    """
    known = 0
    while len(investigation.causes) > known and all(cause.sole for cause in investigation.causes):
        known = len(investigation.causes)
        beside = investigation.beside_the_known()
        with pursuit.program.keeping_apart([cause.place for cause in investigation.causes]):
            if not pursuit.follow(beside, attempts(beside), partial(_look, beside)):
                return


def _again(on: Investigation, execution: Execution) -> Attempt:
    return Attempt("looking for other causes", on.following(execution.schedule, on.lanes), on.lanes)


def _look(on: Investigation, attempt: Attempt, execution: Execution) -> None:
    on.look(execution, attempt.lanes)


def share(program: Program, job: Job, report: Callable[[Progress], None], asked_at: float | None = None) -> Scouted:
    """Make a part of another worker's search. The budget counts from `asked_at`, on the monotonic clock."""
    pursuit = Pursuit(program, job, report, found=tuple(job.found))
    pursuit.started = pursuit.started if asked_at is None else asked_at
    return scout(pursuit, investigate(program, job))


def replay(program: Program, job: Job, report: Callable[[Progress], None]) -> Result:
    """Execute the trace once, as the job says, under observation.

    Raises:
        ScheduleError: the given schedule names a lane that is not in the trace.
    """
    pursuit = Pursuit(program, job, report, reached=Reached(replaying=True))
    reached = pursuit.reached
    try:
        investigation = investigate(program, job)
    except Interrupted:
        return not_begun(job, pursuit.elapsed_s, "tried for the first time")
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
    run: Run | None = None
    try:
        pursuit.announce("each lane alone", investigation)
        run_alone(investigation)
        pursuit.announce("replaying", investigation)
        chosen = strategy()
        execution = program.execute(investigation.lanes, chosen, job.concurrency)
        first = _first(investigation, execution, job) if job.timeline_first else None
        if first is not None:
            pursuit.announce("looking for crossings", investigation, first.run)
        investigation.look(execution, investigation.lanes)
        _beside_the_known(pursuit, investigation, lambda beside: (_again(beside, execution),))
        run = _timeline(investigation, execution, job, first)
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
    result = result_of(investigation, job, Search(order), reached, pursuit.elapsed_s)
    return result if run is None else Result(result.report, run, result.findings, result.solo)


@dataclass(frozen=True, slots=True)
class _Observed:
    """An execution as it was observed, with an eye on `place`."""

    run: Run
    place: Place | None


def _first(investigation: Investigation, execution: Execution, job: Job) -> _Observed:
    """The execution under observation before its verdict, with an eye on what carried data the last time."""
    suspects = investigation.program.suspects
    return _observed(investigation, execution, job, suspects[-1] if suspects else None)


def _timeline(investigation: Investigation, execution: Execution, job: Job, first: _Observed | None) -> Run:
    """The same execution under observation, with an eye on the carrier of what was found."""
    program, place = investigation.program, None
    if investigation.findings:
        found = investigation.findings[0]
        place = carrier_of(investigation, found)
        _suspect(program, place)
        if _is_of(found.run, execution):
            return found.run
    if first is not None and place in (None, first.place):
        return first.run
    return _observed(investigation, execution, job, place).run


def _observed(investigation: Investigation, execution: Execution, job: Job, place: Place | None) -> _Observed:
    program, order = investigation.program, [lane.name for lane in investigation.lanes]
    program.executions += 1
    strategy = Replayed(execution.schedule, Serial(order))
    return _Observed(observed(program, investigation.lanes, strategy, job.concurrency, place), place)


def _is_of(run: Run, execution: Execution) -> bool:
    """Whether a crossing could not be made smaller than the execution that showed it."""
    names = tuple(decision.lane for decision in run.decisions)
    return names == execution.schedule.names and list(run.outcomes) == execution.outcomes


def _suspect(program: Program, place: Place | None) -> None:
    if place is not None and place not in program.suspects:
        program.suspects.append(place)
