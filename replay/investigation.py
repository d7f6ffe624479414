"""What is known of one trace against one program: baselines, and every crossing confirmed, minimised and explained.

An investigation is told of executions, one after another; it decides what they show. Which executions there are is
`attempts`' affair, and what the whole means is `verdict`'s.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from .confirming import confirm, same_crossing
from .detect.influence import Shape, differences, element, influence, is_answer, shape
from .detect.values import Material, material_of
from .detect.verbatim import Candidate, candidates, changed_outcomes, same_answer
from .errors import StateEscaped
from .explain.explain import Explanation, Healed, explain, isolated
from .finding import class_of, finding_of
from .known_findings import fingerprint
from .minimise.minimise import Minimal, minimise
from .report import Allowed, Finding, Influence
from .schedule.execute import Execution
from .schedule.strategies import Replayed, Serial
from .state.fresh import Interrupted
from .trace.model import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .allow import Allow
    from .explain.places import Place
    from .program import Program
    from .report import Crossing
    from .run import Outcome
    from .schedule.schedule import Schedule
    from .trace.lanes import Lane

_MOST_FINDINGS = 12
_MOST_LOOKED_INTO = 200
_DERIVED_TRIES = 4
_DERIVED_TRIES_IN_ALL = 24
_REFUTED_IN_ALL = 24
"""So many schedules of a smaller trace are looked into, each of which takes several executions."""
_NO_TIME_TO_LOOK = "the budget ended while what may have crossed was being looked into: give a larger --budget"


@dataclass(slots=True)
class Investigation:
    """What is known so far of one trace against one program.

    `explainer` names the carrier and the lines; what runs elsewhere cannot be looked into and has another. `leftovers`
    says that earlier executions may still show in later ones. `suspects` are tried first when a carrier is looked for.
    `scouting` leaves what is found for another process to look into, see `sharing`. Once it is not `in_time`, nothing
    more is looked into.
    """

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
    allow: tuple[Allow, ...] = ()
    allowed: dict[tuple[str, str], Allowed] = field(default_factory=dict[tuple[str, str], "Allowed"])
    warnings: dict[str, None] = field(default_factory=dict[str, None])
    stopped: str = ""
    variant: str = ""
    looked: int = 0
    explainer: Callable[..., Explanation] = explain
    suspects: tuple[Place, ...] = ()
    known: tuple[str, ...] = ()
    leftovers: bool = False
    scouting: bool = False
    in_time: Callable[[], bool] = lambda: True
    _seen: set[tuple[Any, ...]] = field(default_factory=set[tuple[Any, ...]])
    _tried: dict[tuple[Any, ...], list[Shape]] = field(default_factory=dict[tuple[Any, ...], "list[Shape]"])
    _allowed_at: list[tuple[Place, Crossing]] = field(default_factory=list["tuple[Place, Crossing]"])
    _carriers: list[tuple[Place, str]] = field(default_factory=list["tuple[Place, str]"])

    def on(self, lanes: tuple[Lane, ...], what: str) -> Investigation:
        """The same program on other requests; what is found there is found here."""
        requests = [request for lane in lanes for request in lane.requests]
        order = {exchange.request.id: n for n, exchange in enumerate(self.exchanges)}
        requests.sort(key=lambda request: order.get(request.id, len(order)))
        return replace(
            self,
            lanes=lanes,
            exchanges=tuple(Exchange(request) for request in requests),
            solo_runs={},
            solo={},
            materials={},
            unstable={},
            influences={},
            variant=what,
            _seen=set(),
            _tried={},
        )

    # ---- scouting

    def scout(self) -> Investigation:
        """The same, to be told of executions without anything of it being known here."""
        return replace(
            self,
            scouting=True,
            findings=[],
            influences=dict(self.influences),
            uncontrolled=dict(self.uncontrolled),
            warnings=dict(self.warnings),
            _seen=set(self._seen),
            _tried={key: list(tried) for key, tried in self._tried.items()},
        )

    def learned(self) -> tuple[object, ...]:
        """Changes with everything that an execution teaches."""
        known = (self._seen, self.influences, self.uncontrolled, self.warnings)
        return (*map(len, known), sum(map(len, self._tried.values())), self.stopped)

    def confirmed(self) -> frozenset[tuple[Any, ...]]:
        """What is known to cross: its source, the request that shows it, where, and by which words."""
        return frozenset(self._seen)

    def expect(self, crossings: Iterable[tuple[Any, ...]]) -> None:
        """Another process has confirmed these: they are to be looked into however often that was tried."""
        for crossing in crossings:
            self._tried.pop(crossing, None)

    @property
    def news(self) -> list[Finding]:
        """The findings that are not in the user's baseline: only they answer the question of a search."""
        return [finding for finding in self.findings if not self.is_known(finding)]

    def is_known(self, finding: Finding) -> bool:
        return bool(self.known) and fingerprint(finding.crossing) in self.known

    # ---- what each lane sees alone

    def run_alone(self, in_time: Callable[[], bool] = lambda: True) -> None:
        """Each lane alone on fresh state, twice: what it should see, and what varies by itself.

        Args:
            in_time: asked before each lane. Once it is not, `stopped` says so.

        Raises:
            Interrupted: the user asked to stop.
        """
        for number, lane in enumerate(self.lanes):
            if self.program.interrupted():
                raise Interrupted
            if not in_time():
                self.stopped = (
                    f"the budget ended while each lane ran alone, after {number} of {len(self.lanes)}: "
                    "give a larger --budget, or cut the trace with crosslane slice"
                )
                return
            first = self.program.execute((lane,), Serial([lane.name]))
            # What does not come to an end shows nothing, and may take seconds to be given up.
            second = first if first.stopped else self.program.execute((lane,), Serial([lane.name]))
            self.solo_runs[lane.name] = first
            self.note(first)
            again = {outcome.request: outcome for outcome in second.outcomes}
            for outcome in first.outcomes:
                self.solo[outcome.request] = outcome
                other = again.get(outcome.request, outcome)
                self.unstable[outcome.request] = frozenset(differences(outcome, other))
                if self.unstable[outcome.request] and not self.program.fresh.forking:
                    # Nondeterminism of the program, or something that an execution left behind: a fork tells which.
                    raise StateEscaped("two executions of one lane alone differ")
            for remark in first.remarks:
                self.warnings.setdefault(remark)
            self._name_the_unstable(lane)
            self.materials[lane.name] = material_of(lane.requests, (*first.outcomes, *second.outcomes))

    def _name_the_unstable(self, lane: Lane) -> None:
        """What differs by itself is compared with nothing; the user is told what, and why."""
        varying = {r.id: sorted(self.unstable.get(r.id, ())) for r in lane.requests if self.unstable.get(r.id)}
        if not varying:
            return
        sources = self.program.why_unstable((lane,), Serial([lane.name]))
        because = f", because of {' and '.join(sources[:2])}" if sources else ""
        for request, paths in varying.items():
            shown = ", ".join(paths[:3])
            self.warnings.setdefault(f"{shown} of {request} differs by itself{because}, and is not compared")

    def still_fresh(self) -> bool:
        """Whether the first lane alone still gives what it gave before everything else was executed."""
        lane = self.lanes[0]
        again = self.program.execute((lane,), Serial([lane.name]))
        return all(
            set(differences(outcome, self.solo[outcome.request])) <= self.unstable[outcome.request]
            for outcome in again.outcomes
        )

    # ---- one execution

    def look(self, execution: Execution, lanes: tuple[Lane, ...]) -> None:
        """Search the answers of one execution of `lanes` for crossings; confirm, minimise and explain each new one."""
        self.looked += 1
        self.note(execution)
        if not changed_outcomes(execution, self.solo):
            return
        crossed: dict[str, set[str]] = {}
        for candidate in candidates(execution, self.solo, self.materials):
            key = (candidate.source, candidate.request, candidate.path, candidate.tokens, bool(execution.faults))
            if key in self._seen:
                crossed.setdefault(candidate.request, set()).add(element(candidate.path))
                continue
            if not self.in_time() and not self._looks_on():
                return
            confirmed = confirm(self, candidate, lanes, execution.schedule)
            if confirmed is None:
                continue
            crossed.setdefault(candidate.request, set()).add(element(candidate.path))
            self._seen.add(key)
            if len(self.findings) < _MOST_FINDINGS and len(self._seen) < _MOST_LOOKED_INTO:
                self.find(execution, lanes, confirmed)
        for outcome in execution.outcomes:
            alone = self.solo.get(outcome.request)
            if alone is None or outcome.fault or same_answer(outcome, alone):
                continue
            # A finding speaks for its whole answer. What is allowed does not: something else may stand beside it.
            if outcome.request in crossed and not self.allow:
                continue
            beside = frozenset(crossed.get(outcome.request, ()))
            difference = influence(outcome, alone, self.unstable[outcome.request], beside)
            # After a fault the others may well be answered in another way.
            plain = difference is not None and is_answer(difference.path) and not execution.faults and not beside
            if difference is None or (not is_answer(difference.path) and outcome.request in self.program.guessed):
                continue
            if not self._depends(execution, lanes, outcome, difference.path, beside) and plain:
                self.influences.setdefault((outcome.request, difference.path), difference)

    def _looks_on(self) -> bool:
        """Whether to look on although time is up: where nothing is found yet, and nobody would be told of it."""
        if self.findings or self.program.interrupted():
            return False
        if not self.variant and not self.scouting:
            self.stopped = self.stopped or _NO_TIME_TO_LOOK
        return bool(self.variant) or self.scouting

    def _depends(
        self, execution: Execution, lanes: tuple[Lane, ...], outcome: Outcome, path: str, beside: frozenset[str]
    ) -> bool:
        """Whether an answer that differs from the solo run does so because of what another lane said."""
        depends = False
        text = differences(outcome, self.solo[outcome.request])[path][1]
        differs = shape(outcome, self.solo[outcome.request])
        for source in lanes:
            key = (source.name, outcome.request, path, (), bool(execution.faults))
            tried = self._tried.setdefault(key, [])
            enough = tried.count(differs) >= _DERIVED_TRIES or len(tried) >= _DERIVED_TRIES_IN_ALL
            if source.name == outcome.lane or key in self._seen or enough:
                depends = depends or key in self._seen
                continue
            if not self.in_time() and not self._looks_on():
                return depends
            tried.append(differs)
            candidate = Candidate(
                source.name,
                outcome.lane,
                outcome.request,
                outcome.session,
                "response",
                path,
                text,
                (),
                text,
                "derived",
                beside,
            )
            confirmed = confirm(self, candidate, lanes, execution.schedule)
            if confirmed is not None:
                depends = True
                self._seen.add(key)
                self.find(execution, lanes, confirmed)
        return depends

    def note(self, execution: Execution) -> None:
        for escape in execution.escapes:
            self.uncontrolled.setdefault(escape)
        if not execution.stopped:
            return
        reason = _stop_reason(execution)
        if execution.faults:
            faulted = next((o for o in execution.outcomes if o.fault), None)
            after = f"after a fault in {faulted.lane}'s request {faulted.request}" if faulted else "after a fault"
            self.warnings.setdefault(f"{after}: {reason}")
        elif not self.stopped:
            self.stopped = reason

    def following(self, schedule: Schedule, lanes: Iterable[Lane]) -> Replayed:
        """The strategy that repeats a schedule, and lets lanes finish one after another where it ends."""
        return Replayed(schedule, Serial([lane.name for lane in lanes]))

    def until(self, lanes: tuple[Lane, ...], schedule: Schedule, shows: Callable[[Execution], bool]) -> Execution:
        """An execution of a schedule that shows something; the last of those that it may take, if none does."""
        for _ in range(1, self.program.chances):
            execution = self.program.execute(lanes, self.following(schedule, lanes), self.max_in_flight)
            if shows(execution):
                return execution
        return self.program.execute(lanes, self.following(schedule, lanes), self.max_in_flight)

    # ---- a new finding

    def find(self, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate) -> None:
        """Minimise and explain a confirmed crossing, execute it twice; keep it unless its cause is known already."""
        if self.scouting:
            return
        if self._is_allowed(execution, lanes, candidate):
            return
        kind = class_of(execution)
        for place, name in self._carriers:
            known = self._known(name, kind)
            if known is not None and same_crossing(self, candidate, self._apart(execution, lanes, place)) is None:
                if execution.switches >= known.crossing.needs.switches:
                    return
                break  # the same cause, more simply

        refuted: Counter[tuple[str, ...]] = Counter()
        alone: dict[tuple[str, ...], Investigation] = {}

        def again(attempt: Execution, smaller: tuple[Lane, ...]) -> Candidate | None:
            still = same_crossing(self._beside(candidate, smaller, alone), candidate, attempt)
            # What differs in the same place may do so for another reason: no word of the source's is in it.
            if still is None or (candidate.kind == "verbatim" and smaller == lanes):
                return still
            requests = tuple(request.id for lane in smaller for request in lane.requests)
            if candidate.kind == "derived" and refuted[requests] >= _REFUTED_IN_ALL:
                return None
            confirmed = confirm(self, still, smaller, attempt.schedule)
            refuted[requests] += confirmed is None
            return confirmed

        minimal = minimise(self.program, lanes, execution, candidate, self.max_in_flight, again)
        if self._is_known(minimal):
            return
        finding, place = self._explained(minimal, self._beside(candidate, minimal.lanes, alone))
        if finding is None or any(finding.crossing.id == other.crossing.id for other in self.findings):
            return
        carrier = finding.crossing.carrier
        rule = next((rule for rule in self.allow if rule.covers(finding.crossing)), None)
        if rule is not None:
            allowed = Allowed.of(finding.crossing, rule.reason)
            self.allowed.setdefault((allowed.carrier, rule.reason), allowed)
            if place is not None:
                self._allowed_at.append((place, finding.crossing))
            return
        if place is not None and carrier is not None:
            known = self._known(carrier.name, finding.crossing.needs.cls)
            if known is None:
                self._carriers.append((place, carrier.name))
            elif known.crossing.needs.switches <= finding.crossing.needs.switches:
                return
            else:
                self.findings.remove(known)
        self.findings.append(finding)

    def _is_allowed(self, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate) -> bool:
        """Whether it came to the same sink through a place that a rule allows, between lanes that the rule allows.

        Of another sink an explanation tells: what decides there need not be what was shown."""
        for place, crossing in self._allowed_at:
            if element(candidate.path) != element(crossing.sink.path):
                continue
            sink = replace(crossing.sink, lane=candidate.sink, path=candidate.path)
            like_it = replace(crossing, source=replace(crossing.source, lane=candidate.source), sink=sink)
            if any(rule.covers(like_it) for rule in self.allow):
                apart = self._apart(execution, lanes, place)
                if same_crossing(self, candidate, apart) is None and self._healed(candidate, apart):
                    return True
        return False

    def _is_known(self, minimal: Minimal) -> bool:
        """Whether it has, now that it is as simple as it can be, the cause of a finding that is no less simple.

        What is allowed is told of each crossing, which only an explanation can."""
        if self.allow:
            return False
        execution, kind = minimal.execution, class_of(minimal.execution)
        for place, name in self._carriers:
            known = self._known(name, kind)
            if known is not None and known.crossing.needs.switches <= execution.switches:
                apart = self._apart(execution, minimal.lanes, place)
                if same_crossing(self, minimal.candidate, apart) is None and self._healed(minimal.candidate, apart):
                    return True
        return False

    def _apart(self, execution: Execution, lanes: tuple[Lane, ...], place: Place) -> Execution:
        """The execution once more, with a place kept apart for each lane."""
        self.program.executions += 1
        following = self.following(execution.schedule, lanes)
        return isolated(self.program, lanes, following, self.max_in_flight, [place])[0]

    def _healed(self, candidate: Candidate, execution: Execution) -> Healed:
        """How far the sink answered as it does alone."""
        pairs = [(mine, self.solo[mine.request]) for mine in execution.outcomes if mine.lane == candidate.sink]
        if all(same_answer(mine, alone) for mine, alone in pairs):
            return "whole"
        return "alike" if all(_ended_alike(mine, alone) for mine, alone in pairs) else ""

    def carrier_of(self, finding: Finding) -> Place | None:
        """The place that a finding's carrier names, None where it has none."""
        carrier = finding.crossing.carrier
        return next((place for place, name in self._carriers if carrier is not None and name == carrier.name), None)

    def _known(self, carrier: str, kind: str) -> Finding | None:
        """The finding with this carrier that is sequential or interleaved alike: one bug is one finding."""
        for finding in self.findings:
            crossing = finding.crossing
            if crossing.carrier is not None and (crossing.carrier.name, crossing.needs.cls) == (carrier, kind):
                return finding
        return None

    def _beside(
        self, candidate: Candidate, lanes: tuple[Lane, ...], known: dict[tuple[str, ...], Investigation]
    ) -> Investigation:
        """The same, with what the sink is answered alone when it sends only those of its requests that are left."""
        sink = next(lane for lane in lanes if lane.name == candidate.sink)
        if candidate.kind == "verbatim" or sink in self.lanes:
            return self
        requests = tuple(request.id for request in sink.requests)
        if requests not in known:
            outcomes = self.program.execute((sink,), Serial([sink.name])).outcomes
            known[requests] = replace(self, solo={**self.solo, **{outcome.request: outcome for outcome in outcomes}})
        return known[requests]

    def _explained(self, minimal: Minimal, beside: Investigation) -> tuple[Finding | None, Place | None]:
        candidate, lanes = minimal.candidate, minimal.lanes
        schedule = minimal.execution.schedule

        def crosses(execution: Execution) -> bool:
            return same_crossing(beside, candidate, execution) is not None

        explanation = self.explainer(
            self.program,
            lanes,
            schedule,
            self.max_in_flight,
            candidate,
            crosses,
            partial(beside._healed, candidate),
            self.suspects,
        )
        self.program.executions += explanation.executions
        if not crosses(self.until(lanes, schedule, crosses)):
            if candidate.path in self.unstable[candidate.request] and all(t.isdigit() for t in candidate.tokens):
                return None, None  # digits of a clock that happened to be somebody's
            self.stopped = (
                f"{candidate.sink} was once answered with {candidate.source}'s data, but the same schedule does not "
                "show it again: something outside control decides"
            )
            return None, None
        return finding_of(self, minimal, explanation, crosses), explanation.place


def _ended_alike(mine: Outcome, alone: Outcome) -> bool:
    """Whether an answer is of the kind that it is alone. By a counter it may differ; but a 404 is no cure."""
    return (mine.error is None or mine.error == alone.error) and mine.status == alone.status


def _stop_reason(execution: Execution) -> str:
    if not execution.stopped.startswith("deadlock"):
        return f"an execution was stopped: {execution.stopped}"
    if execution.stopped != "deadlock":
        return execution.stopped
    waiting = sorted({o.lane for o in execution.outcomes if not o.finished})
    *others, last = waiting or ["a background task"]
    who = f"{', '.join(others)} and {last} wait" if others else f"{last} waits"
    return f"deadlock: {who} for something that no lane will bring"
