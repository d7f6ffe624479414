"""The verdict and what it covers. A clean one says what was executed; what escaped control is never clean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .attempts import Reached, switches_in_words
from .beginning import first_requests
from .detect.forgotten import lost_turns
from .detect.values import tokens
from .explain.experiment import observed
from .failing import failing_alone, lanes_failing_alone
from .report import Coverage, Crossing, Finding, Report, Result, Verdict
from .run import Run
from .schedule.execute import run_of
from .schedule.strategies import Lockstep
from .trace.lanes import lanes_of

if TYPE_CHECKING:
    from .investigation import Investigation
    from .schedule.search import Search
    from .worker.job import Job


_MOST_WARNINGS = 5
_INTERRUPTED = "interrupted before the search was done"


def result_of(investigation: Investigation, job: Job, search: Search, reached: Reached, elapsed_s: float) -> Result:
    interior = {
        name: max(0, len(execution.decisions) - len(execution.outcomes))
        for name, execution in investigation.solo_runs.items()
    }
    statement = _statement(investigation, search, reached, job.switches)
    coverage = Coverage(
        statement,
        search.completed if search.completed >= 0 else None,
        interior,
        tuple(investigation.uncontrolled),
    )
    findings = sorted(
        investigation.findings,
        key=lambda f: (investigation.is_known(f), f.crossing.needs.switches, -len(f.crossing.sink.evidence)),
    )
    verdict, reason = _verdict(investigation, job, coverage, reached, findings)
    others = _verdict(investigation, job, coverage, reached, investigation.news)
    beside = others[1] if others[0] == "inconclusive" != verdict else ""
    report = Report(
        verdict,
        reason,
        job.trace,
        job.handler,
        investigation.program.executions,
        elapsed_s,
        coverage,
        tuple(finding.crossing for finding in findings),
        tuple(investigation.influences.values()),
        (
            *(lost_turns(investigation.exchanges, investigation.solo) if not (findings or reached.interrupted) else ()),
            *(lanes_failing_alone(investigation)[:_MOST_WARNINGS] if not findings else ()),
            *beside_what_is_known(beside),
            # Something crossed, but not in the run that was asked for: where it parts from that is still said.
            *((investigation.stopped,) if findings and reached.replaying and investigation.stopped else ()),
            *list(investigation.warnings)[:_MOST_WARNINGS],
        ),
        tuple(investigation.allowed.values()),
        beside_known=beside,
    )
    runs = investigation.solo_runs if job.baselines else {}
    solo = {name: run_of(execution) for name, execution in runs.items()}
    run = findings[0].run if findings else _last_run(investigation)
    return Result(report, run, tuple(findings), solo)


def beside_what_is_known(beside: str) -> tuple[str, ...]:
    """The warning that nothing can be said beside what is known, and why; none without a reason."""
    return (f"beside what is known, inconclusive: {beside}",) if beside else ()


def not_begun(job: Job, elapsed_s: float, doing: str) -> Result:
    """What a job comes to that was interrupted while the handler was imported, or first tried."""
    coverage = Coverage(f"nothing was executed: interrupted while the handler was {doing}", None, {}, ())
    report = Report("inconclusive", _INTERRUPTED, job.trace, job.handler, 0, elapsed_s, coverage, ())
    lanes = lanes_of((exchange.request for exchange in job.exchanges), job.boundary)
    return Result(report, Run(tuple(lane.name for lane in lanes), (), (), ()), (), {})


def _last_run(investigation: Investigation) -> Run:
    """A clean run to show: lockstep, in which the lanes can be compared row by row. Of a long trace, its beginning."""
    lanes = investigation.lanes
    if investigation.program.interrupted() or len(investigation.solo_runs) < len(lanes):
        return Run(tuple(lane.name for lane in lanes), (), (), ())
    return observed(investigation.program, first_requests(lanes), Lockstep(), investigation.max_in_flight, None)


def _verdict(
    investigation: Investigation, job: Job, coverage: Coverage, reached: Reached, findings: list[Finding]
) -> tuple[Verdict, str]:
    if findings:
        return found_verdict(findings[0].crossing)
    if investigation.stopped:
        return "inconclusive", investigation.stopped
    if reached.interrupted:
        return "inconclusive", _INTERRUPTED
    if len(investigation.lanes) == 1:
        return "inconclusive", one_lane_only(investigation, job)
    if investigation.uncontrolled:
        return "inconclusive", f"control escaped: {'; '.join(list(investigation.uncontrolled)[:3])}"
    failing = failing_alone(investigation)
    if failing:
        return "inconclusive", failing
    if not any(coverage.interior_points.values()):
        return (
            "inconclusive",
            "no request has a point inside it where it could be suspended, so nothing was interleaved",
        )
    if not reached.variants and (mute := _all_mute(investigation)):
        return "inconclusive", mute
    if reached.replaying:
        return "clean", "no crossing in this one execution; `check` searches the others"
    if coverage.exhaustive_to_switches is None and not reached.random and not reached.interleavings:
        return "inconclusive", "the budget ended too early: give a larger --budget, or a trace of fewer users"
    return "clean", "no lane saw another's data"


def _all_mute(investigation: Investigation) -> str:
    """Where no lane has a value that is told from the others', nothing could be seen to cross."""
    had: dict[str, frozenset[str]] = {}
    for lane in investigation.lanes:
        named = frozenset[str]().union(
            *(tokens(request.session) | tokens(request.user or "") for request in lane.requests)
        )
        material = investigation.materials[lane.name]
        had[lane.name] = frozenset((material.sent - named) | material.seen)
    for name, own in had.items():
        others = frozenset[str]().union(*(other for n, other in had.items() if n != name))
        if own - others:
            return ""
    return "the users' requests and answers hold nothing that would be known in another's: give them telling texts"


def found_verdict(first: Crossing) -> tuple[Verdict, str]:
    """The verdict where something crossed; the first crossing says what."""
    through = f" through {first.carrier.name}" if first.carrier else ""
    happened = {
        "upstream": f"{first.source.lane}'s data went into {first.sink.lane}'s prompt",
        "log": f"{first.source.lane}'s data was logged for {first.sink.lane}",
    }.get(first.sink.where, f"{first.sink.lane} was answered with {first.source.lane}'s data")
    return "contaminated", f"{happened}{through}"


def one_lane_only(investigation: Investigation, job: Job) -> str:
    """Why nothing could cross. Another lane may well have been in lines that could not be used."""
    (name,) = (lane.name for lane in investigation.lanes)
    lines = "1 line of it was skipped" if job.skipped == 1 else f"{job.skipped} lines of it were skipped"
    skipped = f"; {lines}, see what is said of the trace" if job.skipped else ""
    return f"the trace has one lane only ({name}): nobody else's data could cross{skipped}"


def _statement(investigation: Investigation, search: Search, reached: Reached, switches: int) -> str:
    points = [max(0, len(e.decisions) - len(e.outcomes)) for e in investigation.solo_runs.values()]
    inside = f"{min(points)} to {max(points)}" if points and min(points) != max(points) else f"{max(points, default=0)}"
    where = f"{len(investigation.lanes)} lanes with {inside} interior switch point{'' if inside == '1' else 's'} each"
    if reached.replaying:
        return f"one execution; {where}"
    if not reached.schedules:
        return f"each lane alone, and nothing together; {where}"
    lanes = len(investigation.lanes)
    pairs = lanes * (lanes - 1) // 2
    parts: list[str] = []
    if reached.interleavings:
        parts.append(
            f"all {reached.interleavings:,} interleavings, {reached.reduced:,} executed, "
            f"the rest equal to {'it' if reached.reduced == 1 else 'one of them'}"
        )
    elif search.exhausted:
        parts.append(f"all {search.count:,} interleavings")
    elif search.completed > 0:
        parts.append(f"every schedule with at most {switches_in_words(search.completed)}")
    elif search.completed == 0:
        parts.append("every serial order")
    elif reached.first:
        parts.append("serial in both orders, each lane first once, and lockstep")
    else:
        parts.append("some serial orders")
    if reached.pairs and not search.exhausted and not reached.interleavings:
        which = "every pair" if reached.pairs == pairs else f"{reached.pairs} of {pairs} pairs"
        parts.append(f"{which} of lanes by itself with at most {switches_in_words(switches)}")
    if reached.faults:
        parts.append(f"{reached.faults:,} with a request cancelled, timed out or failing upstream")
    if reached.random:
        parts.append(f"{reached.random} at random")
    cut = ", until the budget ended" if reached.out_of_budget else ", until interrupted" if reached.interrupted else ""
    cut = cut or (", and no further because something was found" if reached.cut else "")
    variants = "; also with sessions asking again, asking the same and saying more" if reached.variants else ""
    beside = "; and with what was found kept apart for each session" if reached.beside else ""
    return f"{', and '.join(parts)}{cut}; {reached.schedules} schedules; {where}{variants}{beside}"
