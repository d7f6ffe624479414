"""Whether a candidate is a crossing: proven by executions in which its source says something else.

The means are those of `detect.confirm`; here they are put to an investigation's own trace.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .dependence import confirm_derived
from .detect.confirm import stand_in, with_identity, with_stand_ins
from .detect.influence import differences
from .detect.values import foreign_tokens, observations, phrase_around
from .detect.verbatim import Candidate, candidates
from .schedule.schedule import Schedule
from .schedule.strategies import Serial

if TYPE_CHECKING:
    from .investigation import Investigation
    from .schedule.execute import Execution
    from .trace.lanes import Lane


def confirm(
    known: Investigation, candidate: Candidate, lanes: tuple[Lane, ...], schedule: Schedule
) -> Candidate | None:
    """The candidate with only those tokens that are proven to be the source's; None when there are none."""
    if candidate.kind == "derived":
        return confirm_derived(known, candidate, lanes, schedule)
    source = next(lane for lane in lanes if lane.name == candidate.source)
    sent = known.materials[candidate.source].sent
    from_requests = [token for token in candidate.tokens if token in sent]
    from_answers = [token for token in candidate.tokens if token not in sent]
    proven: set[str] = set()
    if from_requests:
        changed = tuple(with_stand_ins(lane, from_requests) if lane is source else lane for lane in lanes)
        both = frozenset(from_requests) | {*map(stand_in, from_requests)}
        execution = known.until(changed, schedule, lambda e: bool(foreign_tokens(_shown_to(e, candidate), both)))
        shown = _shown_to(execution, candidate)
        proven.update(token for token in from_requests if _followed(known, token, shown))
    if from_answers:
        sink = next(lane for lane in lanes if lane.name == candidate.sink)
        own = _of_the_source(known, candidate, frozenset(from_answers), (source, sink), lanes, schedule)
        proven.update(_lasting(known, candidate, own, lanes, schedule) if own else own)
    kept = tuple(token for token in candidate.tokens if token in proven)
    if not kept:
        return None
    here = tuple(token for token in kept if token in candidate.text.casefold()) or kept
    evidence = phrase_around(candidate.text, here, known.materials[candidate.source].texts)
    return replace(candidate, evidence=evidence, tokens=kept)


def _of_the_source(
    known: Investigation,
    candidate: Candidate,
    answered: frozenset[str],
    pair: tuple[Lane, Lane],
    lanes: tuple[Lane, ...],
    schedule: Schedule,
) -> frozenset[str]:
    """Which of the tokens in the source's own answers are not there when its requests are sent by the sink."""
    program, (source, sink) = known.program, pair
    posing = with_identity(source, sink)
    if not program.repeatable:
        return answered - _shown_alone(program.execute((posing,), Serial([posing.name])), answered)
    # Under another name it draws other random values; it reads the same times, which say when and not whose.
    itself = program.timed((source,), Serial([source.name]), known.max_in_flight)
    posing = replace(posing, name=f"{source.name}~")
    looked = {posing.name: itself.looked.get(source.name, ())}
    own = answered - _shown_alone(
        program.timed((posing,), Serial([posing.name]), known.max_in_flight, looked), answered
    )
    if not own:
        return own
    # What the sink is shown even when nobody is the source is the program's own text.
    names = tuple(posing.name if name == source.name else name for name in schedule.names)
    changed = tuple(posing if lane is source else lane for lane in lanes)
    following = known.following(Schedule(names, schedule.faults), changed)
    return own - foreign_tokens(_shown_to(program.execute(changed, following, known.max_in_flight), candidate), own)


def _lasting(
    known: Investigation, candidate: Candidate, own: frozenset[str], lanes: tuple[Lane, ...], schedule: Schedule
) -> frozenset[str]:
    """Which of them the sink is shown at another time of day, too: how long something took is nobody's data."""
    if not known.program.repeatable:
        return own
    late = known.program.late(lanes, known.following(schedule, lanes), known.max_in_flight)
    return own if late is None else frozenset(foreign_tokens(_shown_to(late, candidate), own))


def _shown_alone(execution: Execution, tokens: frozenset[str]) -> set[str]:
    shown = "\n".join(text for outcome in execution.outcomes for _, _, text in observations(outcome))
    return foreign_tokens(shown, tokens)


def _followed(known: Investigation, token: str, shown: str) -> bool:
    """Whether what the sink shows went along when the source said another value in place of `token`."""
    if known.leftovers or known.program.chances > 1:
        return bool(foreign_tokens(shown, frozenset({stand_in(token)})))
    return not foreign_tokens(shown, frozenset({token}))


def same_crossing(known: Investigation, candidate: Candidate, execution: Execution) -> Candidate | None:
    """The candidate's crossing as it shows in another execution, by source, sink, kind of place and value."""
    if candidate.kind == "derived":
        for outcome in execution.outcomes:
            if outcome.request == candidate.request:
                changed = differences(outcome, known.solo[outcome.request])
                if candidate.path in changed:
                    text = changed[candidate.path][1]
                    return replace(candidate, text=text, evidence=text)
        return None
    # Most executions do not show it, and thousands are asked: only answers that hold the value are looked at closely.
    token = candidate.tokens[0]
    holding = [
        outcome
        for outcome in execution.outcomes
        if outcome.lane == candidate.sink and any(token in text.casefold() for _, _, text in observations(outcome))
    ]
    between = {name: known.materials[name] for name in (candidate.source, candidate.sink)}
    for found in candidates(replace(execution, outcomes=holding), known.solo, between) if holding else ():
        if found.signature == candidate.signature and token in found.tokens:
            return found
    return None


def _shown_to(execution: Execution, candidate: Candidate) -> str:
    return "\n".join(
        text
        for outcome in execution.outcomes
        if outcome.lane == candidate.sink and outcome.request == candidate.request
        for _, _, text in observations(outcome)
    )
