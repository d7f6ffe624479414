"""check and replay: solo baselines, executions, crossings confirmed, minimised and explained, and the verdict.

This is the road from a loaded program and a trace to a `Result`. It runs in the worker and is one straight line of
calls; everything that decides something lives in the stage that it belongs to.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass, field, replace
from math import factorial
from typing import TYPE_CHECKING

from .detect.confirm import with_identity, with_stand_ins
from .detect.forgotten import lost_turns
from .detect.influence import differences, influence
from .detect.values import Material, foreign_tokens, material_of, observations, phrase_around
from .detect.verbatim import Candidate, candidates, changed_outcomes, same_answer
from .errors import HandlerError, ScheduleError, StateEscaped
from .explain.advice import fix_for
from .explain.explain import explain, isolated, observed
from .minimise.minimise import Minimal, minimise
from .report import Coverage, Crossing, Finding, Influence, Needs, Report, Result, Sink, Source, Verdict
from .run import Run
from .schedule.execute import Execution, run_of
from .schedule.schedule import to_json as schedule_to_json
from .schedule.search import Search
from .schedule.strategies import Lockstep, RandomWalk, Recorded, Replayed, Serial, Strategy
from .state.fresh import Interrupted
from .trace.lanes import Lane, lanes_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .explain.places import Place
    from .program import Program
    from .run import Outcome
    from .trace.model import Exchange
    from .worker.job import Job, Progress

_RANDOM_WALKS = 200
_MOST_FINDINGS = 12
_REAL_CLOCK = time.monotonic


@dataclass(slots=True)
class Investigation:
    """What is known so far of one trace against one program."""

    program: Program
    lanes: tuple[Lane, ...]
    exchanges: tuple[Exchange, ...]
    max_in_flight: int | None
    solo_runs: dict[str, Execution] = field(default_factory=dict[str, Execution])
    solo: dict[str, Outcome] = field(default_factory=dict[str, "Outcome"])
    materials: dict[str, Material] = field(default_factory=dict[str, Material])
    unstable: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    findings: list[Finding] = field(default_factory=list[Finding])
    influences: dict[tuple[str, str], Influence] = field(default_factory=dict[tuple[str, str], Influence])
    uncontrolled: dict[str, None] = field(default_factory=dict[str, None])
    stopped: str = ""
    _seen: set[tuple[str, str, str]] = field(default_factory=set[tuple[str, str, str]])
    _carriers: list[tuple[Place, str]] = field(default_factory=list["tuple[Place, str]"])

    # ---- baselines

    def run_alone(self) -> None:
        """Each lane alone on fresh state, twice: what it should see, and what varies by itself."""
        for lane in self.lanes:
            first, second = (self.program.execute((lane,), Serial([lane.name])) for _ in range(2))
            self.solo_runs[lane.name] = first
            self.note(first)
            again = {outcome.request: outcome for outcome in second.outcomes}
            for outcome in first.outcomes:
                self.solo[outcome.request] = outcome
                other = again.get(outcome.request, outcome)
                self.unstable[outcome.request] = frozenset(differences(outcome, other))
                if self.unstable[outcome.request] and not self.program.fresh.forking:
                    # Nondeterminism of the program, or something that an execution left behind: a fork tells which.
                    raise StateEscaped("two executions of one lane alone differ", self.program.handler.spec)
            self.materials[lane.name] = material_of(lane.requests, (*first.outcomes, *second.outcomes))

    def still_fresh(self) -> bool:
        """Whether the first lane alone still gives what it gave before everything else was executed."""
        lane = self.lanes[0]
        again = self.program.execute((lane,), Serial([lane.name]))
        return all(
            set(differences(outcome, self.solo[outcome.request])) <= self.unstable[outcome.request]
            for outcome in again.outcomes
        )

    # ---- one execution

    def look(self, execution: Execution) -> None:
        """Search one execution's answers for crossings; confirm, minimise and explain each new one."""
        self.note(execution)
        if not changed_outcomes(execution, self.solo):
            return
        crossed: set[str] = set()
        for candidate in candidates(execution, self.solo, self.materials):
            kind = "interleaved" if execution.overlapped else "sequential"
            key = (candidate.source, candidate.sink, candidate.where)
            if key in self._seen:
                crossed.add(candidate.request)
                continue
            confirmed = self.confirm(candidate, self.lanes, execution.schedule)
            if confirmed is None:
                continue
            crossed.add(candidate.request)
            self._seen.add(key)
            if len(self.findings) < _MOST_FINDINGS:
                self.find(execution, confirmed, kind)
        for outcome in execution.outcomes:
            alone = self.solo.get(outcome.request)
            if alone is not None and outcome.request not in crossed and not same_answer(outcome, alone):
                difference = influence(outcome, alone, self.unstable[outcome.request])
                if difference is not None:
                    self.influences.setdefault((outcome.request, difference.path), difference)

    def note(self, execution: Execution) -> None:
        for escape in execution.escapes:
            self.uncontrolled.setdefault(escape)
        if execution.stopped and not self.stopped:
            self.stopped = _stop_reason(execution)

    # ---- confirming

    def confirm(self, candidate: Candidate, lanes: tuple[Lane, ...], schedule: tuple[str, ...]) -> Candidate | None:
        """The candidate with only those tokens that are proven to be the source's; None when there are none."""
        source = next(lane for lane in lanes if lane.name == candidate.source)
        sent = self.materials[candidate.source].sent
        from_requests = [token for token in candidate.tokens if token in sent]
        from_answers = [token for token in candidate.tokens if token not in sent]
        proven: set[str] = set()
        if from_requests:
            changed = tuple(with_stand_ins(lane, from_requests) if lane is source else lane for lane in lanes)
            execution = self.program.execute(changed, self._following(schedule, lanes), self.max_in_flight)
            shown = _shown_to(execution, candidate)
            proven.update(token for token in from_requests if not foreign_tokens(shown, frozenset({token})))
        if from_answers:
            sink = next(lane for lane in lanes if lane.name == candidate.sink)
            execution = self.program.execute((with_identity(source, sink),), Serial([source.name]))
            shown = "\n".join(text for outcome in execution.outcomes for _, _, text in observations(outcome))
            proven.update(token for token in from_answers if not foreign_tokens(shown, frozenset({token})))
        kept = tuple(token for token in candidate.tokens if token in proven)
        if not kept:
            return None
        here = tuple(token for token in kept if token in candidate.text.casefold()) or kept
        evidence = phrase_around(candidate.text, here, self.materials[candidate.source].texts)
        return replace(candidate, evidence=evidence, tokens=kept)

    def _following(self, schedule: Iterable[str], lanes: Iterable[Lane]) -> Replayed:
        return Replayed(tuple(schedule), Serial([lane.name for lane in lanes]))

    def same_crossing(self, candidate: Candidate, execution: Execution) -> Candidate | None:
        """The candidate's crossing as it shows in another execution, by source, sink, kind of place and value."""
        for found in candidates(execution, self.solo, self.materials):
            if found.signature == candidate.signature and candidate.tokens[0] in found.tokens:
                return found
        return None

    # ---- a new finding

    def find(self, execution: Execution, candidate: Candidate, kind: str) -> None:
        """Minimise and explain a confirmed crossing, execute it twice; keep it unless its cause is known already."""
        for place, name in self._carriers:
            fixed, _ = isolated(
                self.program, self.lanes, self._following(execution.schedule, self.lanes), self.max_in_flight, [place]
            )
            self.program.executions += 1
            known = self._known(name, kind)
            if known is not None and self.same_crossing(candidate, fixed) is None:
                if execution.switches >= known.crossing.needs.switches:
                    return
                break  # the same cause, more simply

        def again(attempt: Execution, lanes: tuple[Lane, ...]) -> Candidate | None:
            found = self.same_crossing(candidate, attempt)
            return found if found is None or lanes == self.lanes else self.confirm(found, lanes, attempt.schedule)

        minimal = minimise(self.program, self.lanes, execution, candidate, self.max_in_flight, again)
        finding, place = self._explained(minimal)
        if finding is None:
            return
        carrier = finding.crossing.carrier
        if place is not None and carrier is not None:
            known = self._known(carrier.name, finding.crossing.needs.cls)
            if known is None:
                self._carriers.append((place, carrier.name))
            elif known.crossing.needs.switches <= finding.crossing.needs.switches:
                return
            else:
                self.findings.remove(known)
        self.findings.append(finding)

    def _known(self, carrier: str, kind: str) -> Finding | None:
        """The finding with this carrier that is sequential or interleaved alike: one bug is one finding."""
        for finding in self.findings:
            crossing = finding.crossing
            if crossing.carrier is not None and (crossing.carrier.name, crossing.needs.cls) == (carrier, kind):
                return finding
        return None

    def _explained(self, minimal: Minimal) -> tuple[Finding | None, Place | None]:
        candidate, lanes = minimal.candidate, minimal.lanes
        schedule = minimal.execution.schedule

        def crosses(execution: Execution) -> bool:
            return self.same_crossing(candidate, execution) is not None

        def healed(execution: Execution) -> bool:
            return all(
                outcome.error is None or outcome.error == self.solo[outcome.request].error
                for outcome in execution.outcomes
                if outcome.lane == candidate.sink
            )

        explanation = explain(self.program, lanes, schedule, self.max_in_flight, candidate, crosses, healed)
        self.program.executions += explanation.executions
        repeated = self.program.execute(lanes, self._following(schedule, lanes), self.max_in_flight)
        if not crosses(repeated):
            self.stopped = (
                f"{candidate.sink} was once answered with {candidate.source}'s data, but the same schedule does not "
                "show it again: something outside control decides"
            )
            return None, None
        run = explanation.run
        overlapped = minimal.execution.overlapped
        requests = [request for lane in lanes for request in lane.requests]
        order = {exchange.request.id: index for index, exchange in enumerate(self.exchanges)}
        requests.sort(key=lambda request: order[request.id])
        origin = self._origin(candidate, lanes)
        needs = Needs(
            "interleaved" if overlapped else "sequential",
            minimal.execution.switches,
            len({request.session for request in requests}),
            len(requests),
        )
        carrier = explanation.carrier
        crossing = Crossing(
            id=_identity(candidate, carrier.name if carrier else "", needs),
            kind="verbatim",
            source=origin,
            sink=Sink(
                candidate.sink,
                candidate.session,
                candidate.request,
                "exception" if candidate.where == "exception" else "response",
                candidate.path,
                candidate.evidence,
            ),
            carrier=carrier,
            write=explanation.write,
            read=explanation.read,
            needs=needs,
            schedule=schedule_to_json(run.decisions),
            fix=fix_for(carrier.name, carrier.kind, overlapped) if carrier else "",
            explained=explanation.remark,
            evidence_all=candidate.tokens,
            requests=tuple({**request.to_json(), "lane": lane_of(request.id, lanes)} for request in requests),
        )
        finding = Finding(
            crossing, run, explanation.write_seq, explanation.read_seq, explanation.sink_seq, explanation.fixed_run
        )
        return finding, explanation.place

    def _origin(self, candidate: Candidate, lanes: Iterable[Lane]) -> Source:
        """Which of the source's requests the value came from: the first that holds it, else the first that saw it."""
        lane = next(lane for lane in lanes if lane.name == candidate.source)
        wanted = frozenset(candidate.tokens)
        for request in lane.requests:
            if material_of([request], ()).sent & wanted:
                return Source(lane.name, request.session, request.id)
        for request in lane.requests:
            alone = self.solo.get(request.id)
            if alone is not None and material_of((), [alone]).seen & wanted:
                return Source(lane.name, request.session, request.id)
        return Source(lane.name, lane.requests[0].session, lane.requests[0].id)


def lane_of(request: str, lanes: Iterable[Lane]) -> str:
    return next(lane.name for lane in lanes if any(r.id == request for r in lane.requests))


def investigate(program: Program, job: Job) -> Investigation:
    """Set up for a job.

    Raises:
        ScheduleError: there is nothing to execute.
    """
    lanes = lanes_of((exchange.request for exchange in job.exchanges), job.boundary)
    if not lanes:
        raise ScheduleError("the trace has no request to replay", job.trace)
    with contextlib.suppress(HandlerError):  # the baselines meet it again and report it
        program.warm_up(lanes, Serial([lane.name for lane in lanes]))
    return Investigation(program, lanes, job.exchanges, job.concurrency)


def check(program: Program, job: Job, report: Callable[[Progress], None]) -> Result:
    """Search the trace's interleavings within the budget and report everything that crossed."""
    started = _REAL_CLOCK()
    investigation = investigate(program, job)
    search = Search([lane.name for lane in investigation.lanes])
    reached = _Reached()
    try:
        _announce(report, "each lane alone", program, investigation, started)
        investigation.run_alone()
        # A lane that cannot finish even alone makes every schedule wait for the watchdog, and shows nothing new.
        schedules = () if investigation.stopped else _schedules(investigation, search, job, reached)
        for phase, strategy in schedules:
            execution = program.execute(investigation.lanes, strategy, job.concurrency)
            reached.phase, reached.schedules = phase, reached.schedules + 1
            if isinstance(strategy, RandomWalk):
                reached.random += 1
            elif reached.searching:
                search.tell(execution)
            investigation.look(execution)
            _announce(report, phase, program, investigation, started)
            if program.interrupted():
                reached.interrupted = True
                break
            if _REAL_CLOCK() - started > job.budget_s:
                reached.out_of_budget = True
                break
        settled = investigation.findings or investigation.stopped or program.fresh.forking
        if not settled and not investigation.still_fresh():
            raise StateEscaped("state outlives being put back", job.handler)
    except Interrupted:
        reached.interrupted = True
    return _result(investigation, job, search, reached, _REAL_CLOCK() - started)


def replay(program: Program, job: Job, report: Callable[[Progress], None]) -> Result:
    """Execute the trace once, as the job says, under observation.

    Raises:
        ScheduleError: the given schedule names a lane that is not in the trace.
    """
    started = _REAL_CLOCK()
    investigation = investigate(program, job)
    order = [lane.name for lane in investigation.lanes]
    if job.schedule is not None:
        unknown = [name for name in job.schedule if name not in order and " " not in name and name.islower() is False]
        if unknown:
            raise ScheduleError(
                f"the schedule names {unknown[0]!r}, which is no lane of the trace",
                job.trace,
                f"its lanes are {', '.join(order)}",
            )

    def strategy() -> Strategy:
        if job.schedule is not None:
            return Replayed(job.schedule, Serial(order))
        if job.order == "random":
            return RandomWalk(job.seed)
        return Lockstep() if job.order == "lockstep" else Serial(order)

    reached = _Reached(replaying=True)
    run: Run | None = None
    try:
        _announce(report, "each lane alone", program, investigation, started)
        investigation.run_alone()
        _announce(report, "replaying", program, investigation, started)
        program.executions += 1
        run = observed(program, investigation.lanes, strategy(), job.concurrency, None)
        execution = program.execute(investigation.lanes, Replayed(_names(run), Serial(order)), job.concurrency)
        if run.diverged is not None:
            investigation.stopped = f"the schedule could not be followed: {run.diverged}"
        if execution.outcomes != list(run.outcomes) and not any(investigation.unstable.values()):
            investigation.stopped = "two executions of the same schedule differ: something outside control decides"
        investigation.look(execution)
    except Interrupted:
        reached.interrupted = True
    result = _result(investigation, job, Search(order), reached, _REAL_CLOCK() - started)
    return result if run is None else Result(result.report, run, result.findings, result.solo)


def _names(run: Run) -> tuple[str, ...]:
    return tuple(decision.lane for decision in run.decisions)


# ---- the order of the search


@dataclass(slots=True)
class _Reached:
    """How far a search came, for the coverage statement."""

    phase: str = ""
    schedules: int = 0
    random: int = 0
    searching: bool = False
    out_of_budget: bool = False
    interrupted: bool = False
    replaying: bool = False


def _schedules(
    investigation: Investigation, search: Search, job: Job, reached: _Reached
) -> Iterator[tuple[str, Strategy]]:
    """Serial in both orders and as recorded, lockstep, then ever more switches, then random for what is larger."""
    order = [lane.name for lane in investigation.lanes]
    # The first of the search proper is the serial order of the trace.
    reached.searching = True
    first = search.next(0)
    assert first is not None
    yield "one lane after another", first
    reached.searching = False
    yield "the reverse order", Serial(order[::-1])
    lane_of_request = {r.id: lane.name for lane in investigation.lanes for r in lane.requests}
    recorded = [lane_of_request[exchange.request.id] for exchange in investigation.exchanges]
    if any(len(lane.requests) > 1 for lane in investigation.lanes):
        yield "as recorded", Recorded(recorded)
    if len(order) > 2:
        # Every lane once before and once after every other would need all orders; rotations bring each to the front.
        for shift in range(1, len(order)):
            yield "serial, rotated", Serial(order[shift:] + order[:shift])
    yield "lockstep", Lockstep()
    reached.searching = True
    while (strategy := search.next(job.switches)) is not None:
        yield _phase(search.bound), strategy
    reached.searching = False
    if not search.exhausted and job.concurrency != 1:
        for seed in range(_RANDOM_WALKS):
            yield "random", RandomWalk(seed)


def _phase(bound: int) -> str:
    return "serial orders" if bound == 0 else f"serial + {bound} switch{'' if bound == 1 else 'es'}"


# ---- the report


def _result(investigation: Investigation, job: Job, search: Search, reached: _Reached, elapsed_s: float) -> Result:
    interior = {
        name: max(0, len(execution.decisions) - len(execution.outcomes))
        for name, execution in investigation.solo_runs.items()
    }
    statement = _statement(investigation, search, reached)
    coverage = Coverage(
        statement,
        search.completed if search.completed >= 0 else None,
        interior,
        tuple(investigation.uncontrolled),
    )
    findings = sorted(investigation.findings, key=lambda f: (f.crossing.needs.switches, -len(f.crossing.sink.evidence)))
    verdict, reason = _verdict(investigation, coverage, reached, findings)
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
        tuple(lost_turns(investigation.exchanges, investigation.solo)) if not findings else (),
    )
    solo = {name: run_of(execution) for name, execution in investigation.solo_runs.items()}
    run = findings[0].run if findings else _last_run(investigation)
    return Result(report, run, tuple(findings), solo)


def _last_run(investigation: Investigation) -> Run:
    """A clean run to show: lockstep, in which the lanes can be compared row by row."""
    lanes = investigation.lanes
    if investigation.program.interrupted():
        return Run(tuple(lane.name for lane in lanes), (), (), ())
    return observed(investigation.program, lanes, Lockstep(), investigation.max_in_flight, None)


def _verdict(
    investigation: Investigation, coverage: Coverage, reached: _Reached, findings: list[Finding]
) -> tuple[Verdict, str]:
    if findings:
        first = findings[0].crossing
        through = f" through {first.carrier.name}" if first.carrier else ""
        return "contaminated", f"{first.sink.lane} was answered with {first.source.lane}'s data{through}"
    if investigation.stopped:
        return "inconclusive", investigation.stopped
    if reached.interrupted:
        return "inconclusive", "interrupted before the search was done"
    if len(investigation.lanes) == 1:
        (name,) = (lane.name for lane in investigation.lanes)
        return "inconclusive", f"the trace has one lane only ({name}): nobody else's data could cross"
    if investigation.uncontrolled:
        return "inconclusive", f"control escaped: {'; '.join(list(investigation.uncontrolled)[:3])}"
    failing = _failing_alone(investigation)
    if failing:
        return "inconclusive", failing
    if not any(coverage.interior_points.values()):
        return (
            "inconclusive",
            "no request has a point inside it where it could be suspended, so nothing was interleaved",
        )
    if reached.replaying:
        return "clean", "no crossing in this one execution; `check` searches the others"
    if coverage.exhaustive_to_switches is None and not reached.random:
        return "inconclusive", "the budget ended before the serial orders were done"
    return "clean", "no lane saw another's data"


def _failing_alone(investigation: Investigation) -> str:
    """A handler that fails whatever it is asked shows nothing; say so rather than call it clean."""
    outcomes: list[Outcome] = list(investigation.solo.values())
    if not outcomes:
        return ""
    first = outcomes[0]
    if all(outcome.error is not None for outcome in outcomes):
        at = f" at {first.error_at}" if first.error_at else ""
        return f"every request fails even alone: {first.error}{at}"
    statuses = {outcome.status for outcome in outcomes}
    if all(status is not None and status >= 400 for status in statuses):
        return f"every request is refused even alone (status {', '.join(str(s) for s in sorted(statuses, key=str))})"
    return ""


def _statement(investigation: Investigation, search: Search, reached: _Reached) -> str:
    points = [max(0, len(e.decisions) - len(e.outcomes)) for e in investigation.solo_runs.values()]
    inside = f"{min(points)} to {max(points)}" if points and min(points) != max(points) else f"{max(points, default=0)}"
    where = f"{len(investigation.lanes)} lanes with {inside} interior switch point{'' if inside == '1' else 's'} each"
    if reached.replaying:
        return f"one execution; {where}"
    if not reached.schedules:
        return f"each lane alone, and nothing together; {where}"
    if search.exhausted:
        what = f"all {reached.schedules - _extra(investigation)} interleavings"
    elif search.completed >= 0:
        bound = search.completed
        what = (
            "every serial order"
            if bound == 0
            else f"every schedule with at most {bound} switch{'' if bound == 1 else 'es'}"
        )
    else:
        done = min(reached.schedules, factorial(len(investigation.lanes)))
        what = f"{done} serial orders and lockstep"
    extra = f", and {reached.random} at random" if reached.random else ""
    cut = ", until the budget ended" if reached.out_of_budget else ", until interrupted" if reached.interrupted else ""
    return f"{what}{extra}{cut}; {reached.schedules} schedules; {where}"


def _extra(investigation: Investigation) -> int:
    """Schedules handed out beside the search proper, which has them too."""
    lanes = len(investigation.lanes)
    recorded = any(len(lane.requests) > 1 for lane in investigation.lanes)
    return 2 + recorded + (lanes - 1 if lanes > 2 else 0)


def _announce(
    report: Callable[[Progress], None], phase: str, program: Program, investigation: Investigation, started: float
) -> None:
    from .worker.job import Progress

    elapsed = max(_REAL_CLOCK() - started, 1e-6)
    report(Progress(phase, program.executions, program.executions / elapsed, len(investigation.findings)))


def _stop_reason(execution: Execution) -> str:
    if execution.stopped != "deadlock":
        return f"an execution was stopped: {execution.stopped}"
    waiting = sorted({o.lane for o in execution.outcomes if not o.finished})
    return f"deadlock: {', '.join(waiting)} wait for something that no lane will bring"


def _shown_to(execution: Execution, candidate: Candidate) -> str:
    return "\n".join(
        text
        for outcome in execution.outcomes
        if outcome.lane == candidate.sink and outcome.request == candidate.request
        for _, _, text in observations(outcome)
    )


def _identity(candidate: Candidate, carrier: str, needs: Needs) -> str:
    """Short, and the same for the same crossing on every machine."""
    text = "\0".join((candidate.source, candidate.sink, candidate.request, candidate.path, carrier, needs.cls))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]
