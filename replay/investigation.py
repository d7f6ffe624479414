"""What is known of one trace against one program: baselines, and every crossing confirmed, minimised and explained.

An investigation is told of executions, one after another; it decides what they show. Which executions there are is
`attempts`' affair, and what the whole means is `verdict`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from .causes import Cause, find
from .confirming import confirm
from .detect.influence import Shape, differences, element, influence, is_answer, shape
from .detect.values import Material, material_of
from .detect.verbatim import Candidate, candidates, changed_outcomes, same_answer
from .errors import StateEscaped
from .explain.explain import Explanation, explain
from .known_findings import fingerprint
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
    from .run import Outcome
    from .schedule.schedule import Schedule
    from .trace.lanes import Lane

_MOST_FINDINGS = 12
_MOST_LOOKED_INTO = 200
_DERIVED_TRIES = 4
_DERIVED_TRIES_IN_ALL = 24
_NO_TIME_TO_LOOK = "the budget ended while what may have crossed was being looked into: give a larger --budget"


@dataclass(slots=True)
class Investigation:
    """What is known so far of one trace against one program.

    `explainer` names the carrier and the lines; what runs elsewhere cannot be looked into and has another. `leftovers`
    says that earlier executions may still show in later ones. `suspects` are tried first when a carrier is looked for.
    `causes` are what carried the findings, and what is allowed; `beside` them others are looked for, see
    `beside_the_known`. `scouting` leaves what is found for another process to look into, see `sharing`. Once it is not
    `in_time`, nothing more is looked into.
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
    causes: list[Cause] = field(default_factory=list[Cause])
    beside: bool = False
    scouting: bool = False
    in_time: Callable[[], bool] = lambda: True
    _seen: set[tuple[Any, ...]] = field(default_factory=set[tuple[Any, ...]])
    _tried: dict[tuple[Any, ...], list[Shape]] = field(default_factory=dict[tuple[Any, ...], "list[Shape]"])

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

    def beside_the_known(self) -> Investigation:
        """The same requests, to be executed with all known causes kept apart: what crosses then does so by another."""
        return replace(self, beside=True, influences={}, uncontrolled={}, stopped="", _seen=set(), _tried={})

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
                find(self, execution, lanes, confirmed)
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
                find(self, execution, lanes, confirmed)
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


def _stop_reason(execution: Execution) -> str:
    if not execution.stopped.startswith("deadlock"):
        return f"an execution was stopped: {execution.stopped}"
    if execution.stopped != "deadlock":
        return execution.stopped
    waiting = sorted({o.lane for o in execution.outcomes if not o.finished})
    *others, last = waiting or ["a background task"]
    who = f"{', '.join(others)} and {last} wait" if others else f"{last} waits"
    return f"deadlock: {who} for something that no lane will bring"
