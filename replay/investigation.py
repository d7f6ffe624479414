"""What is known of one trace against one program: baselines, and every crossing confirmed, minimised and explained.

An investigation is told of executions, one after another; it decides what they show. Which executions there are is
`attempts`' affair, and what the whole means is `verdict`'s.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from .detect.confirm import stand_in, with_identity, with_stand_ins
from .detect.derived import in_words, is_operational, numbered, texts_of, versions
from .detect.influence import differences, influence
from .detect.values import Material, foreign_tokens, material_of, observations, phrase_around, tokens
from .detect.verbatim import Candidate, candidates, changed_outcomes, same_answer
from .errors import StateEscaped
from .explain.advice import UNNAMED, fix_for
from .explain.critical import critical_pair
from .explain.explain import Explanation, explain, isolated
from .known_findings import fingerprint
from .minimise.minimise import Minimal, minimise
from .report import Allowed, Crossing, Finding, Influence, Needs, Sink, Source
from .schedule.execute import Execution
from .schedule.schedule import to_json as schedule_to_json
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
    from .trace.model import Request

_MOST_FINDINGS = 12
_MOST_LOOKED_INTO = 200
_DERIVED_TRIES = 4
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
    _tried: dict[tuple[Any, ...], int] = field(default_factory=dict[tuple[Any, ...], int])
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
            _tried=dict(self._tried),
        )

    def learned(self) -> tuple[object, ...]:
        """Changes with everything that an execution teaches."""
        known = (self._seen, self.influences, self.uncontrolled, self.warnings)
        return (*map(len, known), sum(self._tried.values()), self.stopped)

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
        crossed: set[str] = set()
        for candidate in candidates(execution, self.solo, self.materials):
            key = (candidate.source, candidate.request, candidate.path, candidate.tokens, bool(execution.faults))
            if key in self._seen:
                crossed.add(candidate.request)
                continue
            if not self.in_time() and not self._looks_on():
                return
            confirmed = self.confirm(candidate, lanes, execution.schedule)
            if confirmed is None:
                continue
            crossed.add(candidate.request)
            self._seen.add(key)
            if len(self.findings) < _MOST_FINDINGS and len(self._seen) < _MOST_LOOKED_INTO:
                self.find(execution, lanes, confirmed)
        # After a fault a request may well be answered in another way: only foreign data counts there.
        for outcome in () if execution.faults else execution.outcomes:
            alone = self.solo.get(outcome.request)
            if alone is not None and outcome.request not in crossed and not same_answer(outcome, alone):
                difference = influence(outcome, alone, self.unstable[outcome.request])
                if difference is not None and not self._depends(execution, lanes, outcome, difference.path):
                    self.influences.setdefault((outcome.request, difference.path), difference)

    def _looks_on(self) -> bool:
        """Whether to look on although time is up: where nothing is found yet, and nobody would be told of it."""
        if self.findings or self.program.interrupted():
            return False
        if not self.variant and not self.scouting:
            self.stopped = self.stopped or _NO_TIME_TO_LOOK
        return bool(self.variant) or self.scouting

    def _depends(self, execution: Execution, lanes: tuple[Lane, ...], outcome: Outcome, path: str) -> bool:
        """Whether an answer that differs from the solo run does so because of what another lane said."""
        found = False
        for source in lanes:
            key = (source.name, outcome.request, path, (), False)
            tried = self._tried.get(key, 0)
            if source.name == outcome.lane or key in self._seen or tried >= _DERIVED_TRIES:
                found = found or key in self._seen
                continue
            self._tried[key] = tried + 1
            text = differences(outcome, self.solo[outcome.request])[path][1]
            candidate = Candidate(
                source.name, outcome.lane, outcome.request, outcome.session, "response", path, text, (), text, "derived"
            )
            confirmed = self.confirm(candidate, lanes, execution.schedule)
            if confirmed is not None:
                found = True
                self._seen.add(key)
                self.find(execution, lanes, confirmed)
        return found

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

    # ---- confirming

    def confirm(self, candidate: Candidate, lanes: tuple[Lane, ...], schedule: Schedule) -> Candidate | None:
        """The candidate with only those tokens that are proven to be the source's; None when there are none."""
        if candidate.kind == "derived":
            return self._confirm_derived(candidate, lanes, schedule)
        source = next(lane for lane in lanes if lane.name == candidate.source)
        sent = self.materials[candidate.source].sent
        from_requests = [token for token in candidate.tokens if token in sent]
        from_answers = [token for token in candidate.tokens if token not in sent]
        proven: set[str] = set()
        if from_requests:
            changed = tuple(with_stand_ins(lane, from_requests) if lane is source else lane for lane in lanes)
            execution = self.program.execute(changed, self._following(schedule, lanes), self.max_in_flight)
            shown = _shown_to(execution, candidate)
            proven.update(token for token in from_requests if self._followed(token, shown))
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

    def _followed(self, token: str, shown: str) -> bool:
        """Whether what the sink shows went along when the source said another value in place of `token`."""
        if self.leftovers:
            return bool(foreign_tokens(shown, frozenset({stand_in(token)})))
        return not foreign_tokens(shown, frozenset({token}))

    def _confirm_derived(self, candidate: Candidate, lanes: tuple[Lane, ...], schedule: Schedule) -> Candidate | None:
        source = next((lane for lane in lanes if lane.name == candidate.source), None)
        if source is None:
            return None
        kept = frozenset[str]()
        for lane in self.lanes:
            identities = [text for r in lane.requests for text in (r.session, r.user or "")]
            kept = kept.union(*map(tokens, identities))
            if lane.name != source.name:
                kept |= self.materials[lane.name].sent
        for pair in (versions(source, kept), numbered(source)):
            answers = [self._answer_to(candidate, source, version, lanes, schedule) for version in pair]
            one, other = answers
            if one is None or other is None:
                continue
            for path in differences(one, other):
                stable = path not in self.unstable[candidate.request] and not is_operational(path)
                if stable and path.startswith(("body", "headers", "status", "error")):
                    return replace(candidate, path=path)
            alone = self.solo[candidate.request]
            if not self.variant and not any(candidate.path in differences(answer, alone) for answer in (one, other)):
                self.warnings.setdefault(
                    f"{candidate.sink} is answered {candidate.request} otherwise at {candidate.path} because of the "
                    f"very words that {source.name} used: something that they decide, or a leak of that one fact"
                )
        return None

    def _answer_to(
        self, candidate: Candidate, source: Lane, version: Lane, lanes: tuple[Lane, ...], schedule: Schedule
    ) -> Outcome | None:
        """What the sink is answered when the source says the `version`; None where that is nothing else, or nothing."""
        if version == source:
            return None
        changed = tuple(version if lane is source else lane for lane in lanes)
        execution = self.program.execute(changed, self._following(schedule, lanes), self.max_in_flight)
        answer = next((o for o in execution.outcomes if o.request == candidate.request), None)
        return answer if answer is not None and answer.finished else None

    def _assumption(self, cls: str) -> str:
        if cls != "cancellation" or self.program.handler.kind != "aiohttp":
            return ""
        return "aiohttp cancels a handler whose client is gone only with handler_cancellation=True, which is assumed"

    def _following(self, schedule: Schedule, lanes: Iterable[Lane]) -> Replayed:
        return Replayed(schedule, Serial([lane.name for lane in lanes]))

    def same_crossing(self, candidate: Candidate, execution: Execution) -> Candidate | None:
        """The candidate's crossing as it shows in another execution, by source, sink, kind of place and value."""
        if candidate.kind == "derived":
            for outcome in execution.outcomes:
                if outcome.request == candidate.request:
                    changed = differences(outcome, self.solo[outcome.request])
                    if candidate.path in changed:
                        text = changed[candidate.path][1]
                        return replace(candidate, text=text, evidence=text)
            return None
        for found in candidates(execution, self.solo, self.materials):
            if found.signature == candidate.signature and candidate.tokens[0] in found.tokens:
                return found
        return None

    # ---- a new finding

    def find(self, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate) -> None:
        """Minimise and explain a confirmed crossing, execute it twice; keep it unless its cause is known already."""
        if self.scouting:
            return
        kind = class_of(execution)
        for place, name in self._carriers:
            known = self._known(name, kind)
            if known is not None and self.same_crossing(candidate, self._apart(execution, lanes, place)) is None:
                if execution.switches >= known.crossing.needs.switches:
                    return
                break  # the same cause, more simply

        def again(attempt: Execution, smaller: tuple[Lane, ...]) -> Candidate | None:
            found = self.same_crossing(candidate, attempt)
            return found if found is None or smaller == lanes else self.confirm(found, smaller, attempt.schedule)

        minimal = minimise(self.program, lanes, execution, candidate, self.max_in_flight, again)
        if self._is_known(minimal):
            return
        finding, place = self._explained(minimal)
        if finding is None or any(finding.crossing.id == other.crossing.id for other in self.findings):
            return
        carrier = finding.crossing.carrier
        if place is not None and carrier is not None:
            rule = next((rule for rule in self.allow if rule.covers(finding.crossing)), None)
            if rule is not None:
                self.allowed.setdefault((carrier.name, rule.reason), Allowed.of(finding.crossing, rule.reason))
                return
            known = self._known(carrier.name, finding.crossing.needs.cls)
            if known is None:
                self._carriers.append((place, carrier.name))
            elif known.crossing.needs.switches <= finding.crossing.needs.switches:
                return
            else:
                self.findings.remove(known)
        self.findings.append(finding)

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
                if self.same_crossing(minimal.candidate, apart) is None and self._healed(minimal.candidate, apart):
                    return True
        return False

    def _apart(self, execution: Execution, lanes: tuple[Lane, ...], place: Place) -> Execution:
        """The execution once more, with a place kept apart for each lane."""
        self.program.executions += 1
        following = self._following(execution.schedule, lanes)
        return isolated(self.program, lanes, following, self.max_in_flight, [place])[0]

    def _healed(self, candidate: Candidate, execution: Execution) -> bool:
        """Whether the sink answered as it does alone."""
        return all(
            outcome.error is None or outcome.error == self.solo[outcome.request].error
            for outcome in execution.outcomes
            if outcome.lane == candidate.sink
        )

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

    def _explained(self, minimal: Minimal) -> tuple[Finding | None, Place | None]:
        candidate, lanes = minimal.candidate, minimal.lanes
        schedule = minimal.execution.schedule

        def crosses(execution: Execution) -> bool:
            return self.same_crossing(candidate, execution) is not None

        explanation = self.explainer(
            self.program,
            lanes,
            schedule,
            self.max_in_flight,
            candidate,
            crosses,
            partial(self._healed, candidate),
            self.suspects,
        )
        self.program.executions += explanation.executions
        repeated = self.program.execute(lanes, self._following(schedule, lanes), self.max_in_flight)
        if not crosses(repeated):
            if candidate.path in self.unstable[candidate.request] and all(t.isdigit() for t in candidate.tokens):
                return None, None  # digits of a clock that happened to be somebody's
            self.stopped = (
                f"{candidate.sink} was once answered with {candidate.source}'s data, but the same schedule does not "
                "show it again: something outside control decides"
            )
            return None, None
        run = explanation.run
        cls = class_of(minimal.execution)
        requests = [request for lane in lanes for request in lane.requests]
        order = {exchange.request.id: index for index, exchange in enumerate(self.exchanges)}
        requests.sort(key=lambda request: order[request.id])
        origin = self._origin(candidate, lanes)
        derivation = ""
        if candidate.kind == "derived":
            source = next(lane for lane in lanes if lane.name == candidate.source)
            how = in_words(candidate.text, texts_of(source), origin.request)
            derivation = how or f"it depends on what {candidate.source} says: other words, another value here"
        needs = Needs(
            cls,
            minimal.execution.switches,
            len({request.session for request in requests}),
            len(requests),
        )
        carrier = explanation.carrier
        crossing = Crossing(
            id=_identity(candidate, self.program.handler.module, carrier.name if carrier else "", needs),
            kind=candidate.kind,
            source=origin,
            sink=Sink(
                candidate.sink,
                candidate.session,
                candidate.request,
                cast("Any", candidate.where),
                candidate.path,
                candidate.evidence,
            ),
            carrier=carrier,
            write=explanation.write,
            read=explanation.read,
            needs=needs,
            schedule=schedule_to_json(run.decisions),
            fix=fix_for(carrier.name, carrier.kind, cls) if carrier else UNNAMED,
            explained="; ".join(filter(None, (self.variant, derivation, explanation.remark, self._assumption(cls)))),
            evidence_all=candidate.tokens,
            requests=tuple(
                {
                    **request.to_json(),
                    "lane": lane_of(request.id, lanes),
                    **({"answers": [list(answer) for answer in request.answers]} if request.answers else {}),
                    **self._issued(request),
                }
                for request in requests
            ),
            alone=self._alone(candidate, lanes) if candidate.kind == "derived" else "",
            upstream_calls=self.program.upstream_calls,
            upstream=self.program.stand_in if _called_out(run.outcomes) else "",
            upstream_allow=self.program.upstream_allow,
            found_after=self.looked,
            critical=critical_pair(
                run.decisions,
                lambda strategy: self.program.execute(lanes, strategy, self.max_in_flight),
                crosses,
            ),
        )
        finding = Finding(
            crossing, run, explanation.write_seq, explanation.read_seq, explanation.sink_seq, explanation.fixed_run
        )
        return finding, explanation.place

    def _alone(self, candidate: Candidate, lanes: Iterable[Lane]) -> str:
        """What stands in the sink when its lane is alone with those of its requests that are left."""
        lane = next(lane for lane in lanes if lane.name == candidate.sink)
        alone = self.program.execute((lane,), Serial([lane.name]), self.max_in_flight)
        outcome = next((outcome for outcome in alone.outcomes if outcome.request == candidate.request), None)
        seen = observations(outcome) if outcome is not None else ()
        return {where: text for _, where, text in seen}.get(candidate.path, "")

    def _issued(self, request: Request) -> dict[str, Any]:
        """What the recorded answer to a request gave its client to send later on; see `trace.sessions`."""
        recorded = self.program.recorded
        issued = recorded.issued.get(request.id, ()) if recorded is not None else ()
        return {"issued": [each.to_json() for each in issued]} if issued else {}

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


def class_of(execution: Execution) -> Literal["sequential", "interleaved", "cancellation", "exception"]:
    """What kind of schedule it is, the rarest thing in it first."""
    actions = {action for _, action in execution.faults}
    if "fail" in actions:
        return "exception"
    if actions:
        return "cancellation"
    return "interleaved" if execution.overlapped else "sequential"


def lane_of(request: str, lanes: Iterable[Lane]) -> str:
    return next(lane.name for lane in lanes if any(r.id == request for r in lane.requests))


def _stop_reason(execution: Execution) -> str:
    if not execution.stopped.startswith("deadlock"):
        return f"an execution was stopped: {execution.stopped}"
    if execution.stopped != "deadlock":
        return execution.stopped
    waiting = sorted({o.lane for o in execution.outcomes if not o.finished})
    *others, last = waiting or ["a background task"]
    who = f"{', '.join(others)} and {last} wait" if others else f"{last} waits"
    return f"deadlock: {who} for something that no lane will bring"


def _shown_to(execution: Execution, candidate: Candidate) -> str:
    return "\n".join(
        text
        for outcome in execution.outcomes
        if outcome.lane == candidate.sink and outcome.request == candidate.request
        for _, _, text in observations(outcome)
    )


def _identity(candidate: Candidate, module: str, carrier: str, needs: Needs) -> str:
    """Short, and the same for the same crossing on every machine."""
    text = "\0".join((module, candidate.source, candidate.sink, candidate.request, candidate.path, carrier, needs.cls))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _called_out(outcomes: Iterable[Outcome]) -> bool:
    """Whether the program made HTTP calls; those of functions that were named as upstream calls have no host."""
    return any(isinstance(sent, dict) and "host" in sent for o in outcomes for _, sent in o.upstream)
