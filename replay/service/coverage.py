"""The verdict on a service: what was controlled from outside, and what was not.

Clean is said only where every execution began afresh and stood still at nothing but calls to the LLM; anything else
that a service waits for could have been interleaved, and was not.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ..attempts import switches_in_words
from ..detect.forgotten import lost_turns
from ..failing import failing_alone, lanes_failing_alone
from ..report import Coverage, Report, Result
from ..run import Run
from ..schedule.execute import run_of
from ..schedule.strategies import Lockstep
from ..state.fresh import Interrupted
from ..verdict import beside_what_is_known, found_verdict, one_lane_only
from .outside import FIXES

if TYPE_CHECKING:
    from ..attempts import Reached
    from ..investigation import Investigation
    from ..report import Finding, Verdict
    from ..schedule.search import Search
    from ..worker.job import Job
    from .target import Target

INSIDE = "scheduling inside the service"
_MOST_WARNINGS = 5
_UNTRIED = (
    "the budget ended before a client that leaves and an LLM that fails were tried at every place: "
    "give a larger --budget"
)


def result_of(
    target: Target, investigation: Investigation, job: Job, search: Search, reached: Reached, elapsed_s: float
) -> Result:
    points = {
        name: max(0, len(execution.decisions) - len(execution.outcomes))
        for name, execution in investigation.solo_runs.items()
    }
    escapes = _escapes(target)
    coverage = Coverage(
        _statement(target, points, search, reached),
        search.completed if search.completed >= 0 else None,
        points,
        (*escapes, INSIDE),
    )
    findings = _told_once(
        sorted(
            map(_with_fix, investigation.findings), key=lambda f: (investigation.is_known(f), f.crossing.needs.switches)
        )
    )
    verdict, reason = _verdict(target, investigation, job, points, escapes, reached, findings)
    others = _verdict(target, investigation, job, points, escapes, reached, tuple(investigation.news))
    beside = others[1] if others[0] == "inconclusive" != verdict else ""
    remarks = [*investigation.warnings, *target.remarks, *_waits(target)]
    if verdict == "clean" and job.faults and reached.out_of_budget and not reached.faulted:
        remarks.insert(0, _UNTRIED)
    report = Report(
        verdict,
        reason,
        job.trace,
        job.handler,
        target.executions,
        elapsed_s,
        coverage,
        tuple(finding.crossing for finding in findings),
        tuple(investigation.influences.values()),
        (
            *(lost_turns(investigation.exchanges, investigation.solo) if not findings else ()),
            *(lanes_failing_alone(investigation)[:_MOST_WARNINGS] if not findings else ()),
            *beside_what_is_known(beside),
            *remarks[:_MOST_WARNINGS],
        ),
        tuple(investigation.allowed.values()),
        beside_known=beside,
    )
    solo = {name: run_of(execution) for name, execution in investigation.solo_runs.items()}
    return Result(report, findings[0].run if findings else _last_run(target, investigation, reached), findings, solo)


def _waits(target: Target) -> list[str]:
    recorded = [request for request in target.waited if "~" not in request]
    if not recorded:
        return []
    return [f"{', '.join(recorded[:5])} waited where others were under way (a lock, or a queue); not alone"]


def _told_once(findings: list[Finding]) -> tuple[Finding, ...]:
    """One finding for each place and kind: without a carrier, the way back is most likely the same bug."""
    kept: dict[tuple[str, str, str], Finding] = {}
    for finding in findings:
        crossing = finding.crossing
        key = (crossing.sink.where, re.sub(r"\[\d+\]", "[]", crossing.sink.path), crossing.needs.cls)
        first = kept.setdefault(key, finding)
        if first is not finding:
            also = f"also from {crossing.source.lane} to {crossing.sink.lane}"
            said = first.crossing.explained
            if also not in said:
                kept[key] = replace(first, crossing=replace(first.crossing, explained=f"{said}; {also}"))
    return tuple(kept.values())


def _with_fix(finding: Finding) -> Finding:
    cls = finding.crossing.needs.cls
    return replace(finding, crossing=replace(finding.crossing, fix=FIXES.get(cls, FIXES["sequential"])))


def _last_run(target: Target, investigation: Investigation, reached: Reached) -> Run:
    """A clean run to show."""
    lanes = investigation.lanes
    if not (reached.interrupted or reached.replaying or investigation.stopped):
        try:
            return target.observed(lanes, Lockstep(), investigation.max_in_flight)[1]
        except Interrupted:
            pass
    return Run(tuple(lane.name for lane in lanes), (), (), ())


def _escapes(target: Target) -> tuple[str, ...]:
    found = [
        f"{request} waits for something that is no call to the LLM ({target.limits.settle_s:g} s without a sign)"
        for request in target.paused
    ]
    if target.unnamed:
        calls = "1 call" if target.unnamed == 1 else f"{target.unnamed} calls"
        found.append(f"{calls} to the LLM could not be told to belong to a request")
    return (*found, *target.refusals)


def _verdict(
    target: Target,
    investigation: Investigation,
    job: Job,
    points: dict[str, int],
    escapes: tuple[str, ...],
    reached: Reached,
    findings: tuple[Finding, ...],
) -> tuple[Verdict, str]:
    if findings:
        return found_verdict(findings[0].crossing)
    if investigation.stopped:
        return "inconclusive", investigation.stopped
    if reached.interrupted:
        return "inconclusive", "interrupted before the search was done"
    if len(investigation.lanes) == 1:
        return "inconclusive", one_lane_only(investigation, job)
    if (failing := failing_alone(investigation)) != "":
        return "inconclusive", failing
    if escapes:
        return "inconclusive", f"no crossing was seen, but control was partial: {escapes[0]}"
    if not any(points.values()):
        return (
            "inconclusive",
            "no crossing was seen, but the service never asked the LLM here, so nothing could be interleaved inside a "
            "request; point its SDK to the stub with --llm-port, or start it with --launch",
        )
    if target.keeps_state:
        return (
            "inconclusive",
            "no crossing was seen, but the service keeps its state between executions; start it with --launch",
        )
    if reached.replaying:
        return "clean", "no crossing in this one execution; `check` searches the others"
    if not reached.first:
        each_s = reached.elapsed_s / max(1, target.executions)
        return (
            "inconclusive",
            f"the budget ended too early, after {target.executions} executions of {each_s:.1f} s each: "
            "give a larger --budget, or a trace of fewer users",
        )
    return "clean", "no lane saw another's data, in every order of arrival and of LLM answers that was tried"


def _statement(target: Target, points: dict[str, int], search: Search, reached: Reached) -> str:
    counts = sorted(points.values()) or [0]
    inside = str(counts[-1]) if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    where = f"{len(points)} lanes with {inside} call{'' if inside == '1' else 's'} to the LLM each"
    state = (
        "state was kept between executions"
        if target.keeps_state
        else "the service was started again for each execution (its memory is fresh, its files and databases are not)"
    )
    if reached.replaying:
        return f"one execution; {where}; {state}"
    if search.exhausted:
        tried = f"all {search.count:,} orders of arrival and of LLM answers"
    elif search.completed > 0:
        tried = f"every order of arrival and of LLM answers with at most {switches_in_words(search.completed)}"
    elif reached.schedules:
        tried = "some orders of arrival and of LLM answers"
    else:
        tried = "each lane alone, and nothing together"
    if reached.faults:
        tried += f", and {reached.faults:,} with a client gone or the LLM failing"
    cut = ", until the budget ended" if reached.out_of_budget else ", until interrupted" if reached.interrupted else ""
    cut = cut or (", and no further because something was found" if reached.cut else "")
    return f"{tried}{cut}; {reached.schedules} schedules; {where}; {state}"
