"""From a confirmed crossing to a finding: made as small as it can be, explained, and told from what is known already.

The means are those of `minimise` and `explain`; here they are put to an investigation's own trace.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from .confirming import confirm, same_crossing
from .detect.influence import element
from .detect.verbatim import same_answer
from .explain.experiment import isolated
from .finding import class_of, finding_of
from .minimise.minimise import Minimal, minimise
from .report import Allowed
from .schedule.strategies import Serial

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .detect.verbatim import Candidate
    from .explain.experiment import Healed
    from .explain.explain import Explanation
    from .explain.places import Place
    from .investigation import Investigation
    from .report import Crossing, Finding
    from .run import Outcome
    from .schedule.execute import Execution
    from .trace.lanes import Lane

_REFUTED_IN_ALL = 24
"""So many schedules of a smaller trace are looked into, each of which takes several executions."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What carried a crossing that is told already.

    Attributes:
        crossing: the one that a rule allows by it; None where it is the cause of a finding.
        sole: whether what crossed through it no longer does when it alone is kept apart for each lane.
    """

    place: Place
    name: str
    sole: bool
    crossing: Crossing | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """A crossing explained, and the finding of it."""

    explanation: Explanation
    finding: Finding


def find(known: Investigation, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate) -> None:
    """Minimise and explain a confirmed crossing, execute it twice; keep it unless its cause is known already."""
    if known.scouting or _is_allowed(known, execution, lanes, candidate):
        return
    kind = class_of(execution)
    for cause in known.causes:
        like_it = _finding_of_kind(known, cause.name, kind)
        apart = None if like_it is None else _apart(known, execution, lanes, [cause.place])
        if like_it is not None and apart is not None and same_crossing(known, candidate, apart) is None:
            if execution.switches >= like_it.crossing.needs.switches:
                return
            break  # the same cause, more simply
    else:
        if known.causes and _found_beside(known, execution, lanes, candidate):
            return
    if known.beside:
        return
    minimal, solo = _smallest(known, execution, lanes, candidate)
    if _is_known(known, minimal):
        return
    _keep(known, _told(known, minimal, solo, _explained(known, minimal, solo), ""))


def carrier_of(known: Investigation, finding: Finding) -> Place | None:
    """The place that a finding's carrier names, None where it has none."""
    carrier = finding.crossing.carrier
    return next((cause.place for cause in known.causes if carrier is not None and cause.name == carrier.name), None)


# ---- several causes of one answer


def _found_beside(known: Investigation, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate) -> bool:
    """Whether it crosses by another cause as well, which then is told.

    All known ones are kept apart for each lane meanwhile: else what is made smaller comes down to the simplest of them,
    and the other is never seen. Where one cannot be kept apart quite, what still crosses may do so by it.
    """
    if not all(cause.sole for cause in known.causes):
        return False
    program, places = known.program, [cause.place for cause in known.causes]
    with program.keeping_apart(places):
        apart = program.execute(lanes, known.following(execution.schedule, lanes), known.max_in_flight)
        still = same_crossing(known, candidate, apart)
        if still is None:
            return False
        minimal, solo = _smallest(known, apart, lanes, still)
        explanation = _explained(known, minimal, solo)
    place = explanation.place
    *names, last = dict.fromkeys(cause.name for cause in known.causes)
    without = f"with {' and '.join(filter(None, (', '.join(names), last)))} kept apart for each session"
    if place is None and known.beside:
        shown = f"{candidate.sink} is still shown what {candidate.source} said, in {candidate.path}"
        known.warnings.setdefault(f"{without}, {shown} by something without a name here")
    # What holds a known one is no other: with all that it holds kept apart, that is kept apart too.
    if place is None or not explanation.sole or any(place == other or other.is_below(place) for other in places):
        return False
    with program.keeping_apart(()):
        _keep(known, _told(known, minimal, solo, explanation, f"{without}, this still crosses"))
    return True


# ---- one cause


def _smallest(
    known: Investigation, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate
) -> tuple[Minimal, Investigation]:
    """The crossing made as small as it can be; and what is known, with what is answered alone to what it has left."""
    refuted: Counter[tuple[str, ...]] = Counter()
    alone: dict[tuple[str, ...], Investigation] = {}

    def again(attempt: Execution, smaller: tuple[Lane, ...]) -> Candidate | None:
        still = same_crossing(_with_solo(known, candidate, smaller, alone), candidate, attempt)
        # What differs in the same place may do so for another reason: no word of the source's is in it.
        if still is None or (candidate.kind == "verbatim" and smaller == lanes):
            return still
        requests = tuple(request.id for lane in smaller for request in lane.requests)
        if candidate.kind == "derived" and refuted[requests] >= _REFUTED_IN_ALL:
            return None
        confirmed = confirm(known, still, smaller, attempt.schedule)
        refuted[requests] += confirmed is None
        return confirmed

    minimal = minimise(known.program, lanes, execution, candidate, known.max_in_flight, again)
    return minimal, _with_solo(known, candidate, minimal.lanes, alone)


def _told(
    known: Investigation, minimal: Minimal, solo: Investigation, explanation: Explanation, beside: str
) -> _Told | None:
    """The finding of a minimal crossing; None where the same schedule does not show it again.

    Args:
        beside: what is to be said of other causes.
    """
    candidate, lanes = minimal.candidate, minimal.lanes

    def crosses(execution: Execution) -> bool:
        return same_crossing(solo, candidate, execution) is not None

    if crosses(known.until(lanes, minimal.execution.schedule, crosses)):
        said = replace(explanation, remark="; ".join(filter(None, (explanation.remark, beside))))
        return _Told(explanation, finding_of(known, minimal, said, crosses))
    if beside:
        through = f" through {explanation.place.name}" if explanation.place is not None else ""
        happened = f"{candidate.sink} is answered with {candidate.source}'s data{through}"
        known.warnings.setdefault(f"{happened}, which only shows when other causes are mended: {beside}")
    elif candidate.path not in known.unstable[candidate.request] or not all(t.isdigit() for t in candidate.tokens):
        # Else they are digits of a clock, and happened to be somebody's.
        known.stopped = (
            f"{candidate.sink} was once answered with {candidate.source}'s data, but the same schedule does not "
            "show it again: something outside control decides"
        )
    return None


def _explained(known: Investigation, minimal: Minimal, solo: Investigation) -> Explanation:
    candidate = minimal.candidate

    def crosses(execution: Execution) -> bool:
        return same_crossing(solo, candidate, execution) is not None

    explanation = known.explainer(
        known.program,
        minimal.lanes,
        minimal.execution.schedule,
        known.max_in_flight,
        candidate,
        crosses,
        partial(_healed, solo, candidate),
        known.suspects,
    )
    known.program.executions += explanation.executions
    return explanation


def _keep(known: Investigation, told: _Told | None) -> None:
    """Take it into the findings, or to what is allowed; unless one of them says the same as simply."""
    if told is None:
        return
    finding, place = told.finding, told.explanation.place
    crossing, carrier = finding.crossing, finding.crossing.carrier
    if any(crossing.id == other.crossing.id for other in known.findings):
        return
    # Where it alone does not carry it, the rest is nothing that a rule for it speaks of.
    rules = [rule for rule in known.allow if told.explanation.sole or not rule.carrier]
    rule = next((rule for rule in rules if rule.covers(crossing)), None)
    if rule is not None:
        allowed = Allowed.of(crossing, rule.reason)
        known.allowed.setdefault((allowed.carrier, rule.reason), allowed)
    like_it = None if carrier is None else _finding_of_kind(known, carrier.name, crossing.needs.cls)
    if place is not None and carrier is not None and (rule is not None or like_it is None):
        known.causes.append(Cause(place, carrier.name, told.explanation.sole, None if rule is None else crossing))
    if rule is not None:
        return
    if like_it is not None:
        if like_it.crossing.needs.switches <= crossing.needs.switches:
            return
        known.findings.remove(like_it)
    known.findings.append(finding)


# ---- what is known already


def _is_allowed(known: Investigation, execution: Execution, lanes: tuple[Lane, ...], candidate: Candidate) -> bool:
    """Whether it came to the same sink through a place that a rule allows, between lanes that the rule allows.

    Of another sink an explanation tells: what decides there need not be what was shown."""
    for cause in known.causes:
        crossing = cause.crossing
        if crossing is None or element(candidate.path) != element(crossing.sink.path):
            continue
        sink = replace(crossing.sink, lane=candidate.sink, path=candidate.path)
        like_it = replace(crossing, source=replace(crossing.source, lane=candidate.source), sink=sink)
        if any(rule.covers(like_it) for rule in known.allow):
            apart = _apart(known, execution, lanes, [cause.place])
            if same_crossing(known, candidate, apart) is None and _healed(known, candidate, apart):
                return True
    return False


def _is_known(known: Investigation, minimal: Minimal) -> bool:
    """Whether it has, now that it is as simple as it can be, the cause of a finding that is no less simple.

    What is allowed is told of each crossing, which only an explanation can."""
    if known.allow:
        return False
    execution, kind = minimal.execution, class_of(minimal.execution)
    for cause in known.causes:
        like_it = _finding_of_kind(known, cause.name, kind)
        if like_it is not None and like_it.crossing.needs.switches <= execution.switches:
            apart = _apart(known, execution, minimal.lanes, [cause.place])
            if same_crossing(known, minimal.candidate, apart) is None and _healed(known, minimal.candidate, apart):
                return True
    return False


def _finding_of_kind(known: Investigation, carrier: str, kind: str) -> Finding | None:
    """The finding with this carrier that is sequential or interleaved alike: one bug is one finding."""
    for finding in known.findings:
        crossing = finding.crossing
        if crossing.carrier is not None and (crossing.carrier.name, crossing.needs.cls) == (carrier, kind):
            return finding
    return None


# ---- experiments


def _apart(known: Investigation, execution: Execution, lanes: tuple[Lane, ...], places: Sequence[Place]) -> Execution:
    """The execution once more, with places kept apart for each lane."""
    known.program.executions += 1
    following = known.following(execution.schedule, lanes)
    return isolated(known.program, lanes, following, known.max_in_flight, places)


def _healed(known: Investigation, candidate: Candidate, execution: Execution) -> Healed:
    """How far the sink answered as it does alone."""
    pairs = [(mine, known.solo[mine.request]) for mine in execution.outcomes if mine.lane == candidate.sink]
    if not all(_ended_alike(mine, alone) for mine, alone in pairs):
        return ""
    return "whole" if all(same_answer(mine, alone) for mine, alone in pairs) else "alike"


def _ended_alike(mine: Outcome, alone: Outcome) -> bool:
    """Whether an answer is of the kind that it is alone. By a counter it may differ; but a 404 is no cure, and to wait
    for ever is none."""
    if mine.finished != alone.finished:
        return False
    return (mine.error is None or mine.error == alone.error) and mine.status == alone.status


def _with_solo(
    known: Investigation,
    candidate: Candidate,
    lanes: tuple[Lane, ...],
    made: dict[tuple[str, ...], Investigation],
) -> Investigation:
    """The same, with what the sink is answered alone when it sends only those of its requests that are left."""
    sink = next(lane for lane in lanes if lane.name == candidate.sink)
    if candidate.kind == "verbatim" or sink in known.lanes:
        return known
    requests = tuple(request.id for request in sink.requests)
    if requests not in made:
        outcomes = known.program.execute((sink,), Serial([sink.name])).outcomes
        made[requests] = replace(known, solo={**known.solo, **{outcome.request: outcome for outcome in outcomes}})
    return made[requests]
