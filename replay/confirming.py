"""Whether a candidate is a crossing: proven by executions in which its source says something else.

The means are those of `detect.confirm` and `detect.derived`; here they are put to an investigation's own trace.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .detect.confirm import stand_in, with_identity, with_stand_ins
from .detect.derived import is_operational, numbered, versions
from .detect.influence import differences
from .detect.values import foreign_tokens, observations, phrase_around, tokens
from .detect.verbatim import Candidate, candidates
from .schedule.strategies import Serial

if TYPE_CHECKING:
    from .investigation import Investigation
    from .run import Outcome
    from .schedule.execute import Execution
    from .schedule.schedule import Schedule
    from .trace.lanes import Lane


def confirm(
    known: Investigation, candidate: Candidate, lanes: tuple[Lane, ...], schedule: Schedule
) -> Candidate | None:
    """The candidate with only those tokens that are proven to be the source's; None when there are none."""
    if candidate.kind == "derived":
        return _confirm_derived(known, candidate, lanes, schedule)
    source = next(lane for lane in lanes if lane.name == candidate.source)
    sent = known.materials[candidate.source].sent
    from_requests = [token for token in candidate.tokens if token in sent]
    from_answers = [token for token in candidate.tokens if token not in sent]
    proven: set[str] = set()
    if from_requests:
        changed = tuple(with_stand_ins(lane, from_requests) if lane is source else lane for lane in lanes)
        execution = known.program.execute(changed, known.following(schedule, lanes), known.max_in_flight)
        shown = _shown_to(execution, candidate)
        proven.update(token for token in from_requests if _followed(known, token, shown))
    if from_answers:
        sink = next(lane for lane in lanes if lane.name == candidate.sink)
        execution = known.program.execute((with_identity(source, sink),), Serial([source.name]))
        shown = "\n".join(text for outcome in execution.outcomes for _, _, text in observations(outcome))
        proven.update(token for token in from_answers if not foreign_tokens(shown, frozenset({token})))
    kept = tuple(token for token in candidate.tokens if token in proven)
    if not kept:
        return None
    here = tuple(token for token in kept if token in candidate.text.casefold()) or kept
    evidence = phrase_around(candidate.text, here, known.materials[candidate.source].texts)
    return replace(candidate, evidence=evidence, tokens=kept)


def _followed(known: Investigation, token: str, shown: str) -> bool:
    """Whether what the sink shows went along when the source said another value in place of `token`."""
    if known.leftovers:
        return bool(foreign_tokens(shown, frozenset({stand_in(token)})))
    return not foreign_tokens(shown, frozenset({token}))


def _confirm_derived(
    known: Investigation, candidate: Candidate, lanes: tuple[Lane, ...], schedule: Schedule
) -> Candidate | None:
    source = next((lane for lane in lanes if lane.name == candidate.source), None)
    if source is None:
        return None
    kept = frozenset[str]()
    for lane in known.lanes:
        identities = [text for r in lane.requests for text in (r.session, r.user or "")]
        kept = kept.union(*map(tokens, identities))
        if lane.name != source.name:
            kept |= known.materials[lane.name].sent
    for pair in (versions(source, kept), numbered(source)):
        answers = [_answer_to(known, candidate, source, version, lanes, schedule) for version in pair]
        one, other = answers
        if one is None or other is None:
            continue
        for path in differences(one, other):
            stable = path not in known.unstable[candidate.request] and not is_operational(path)
            if stable and path.startswith(("body", "headers", "status", "error")):
                return replace(candidate, path=path)
        alone = known.solo[candidate.request]
        if not known.variant and not any(candidate.path in differences(answer, alone) for answer in (one, other)):
            known.warnings.setdefault(
                f"{candidate.sink} is answered {candidate.request} otherwise at {candidate.path} because of the "
                f"very words that {source.name} used: something that they decide, or a leak of that one fact"
            )
    return None


def _answer_to(
    known: Investigation, candidate: Candidate, source: Lane, version: Lane, lanes: tuple[Lane, ...], schedule: Schedule
) -> Outcome | None:
    """What the sink is answered when the source says the `version`; None where that is nothing else, or nothing."""
    if version == source:
        return None
    changed = tuple(version if lane is source else lane for lane in lanes)
    execution = known.program.execute(changed, known.following(schedule, lanes), known.max_in_flight)
    answer = next((o for o in execution.outcomes if o.request == candidate.request), None)
    return answer if answer is not None and answer.finished else None


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
    for found in candidates(execution, known.solo, known.materials):
        if found.signature == candidate.signature and candidate.tokens[0] in found.tokens:
            return found
    return None


def _shown_to(execution: Execution, candidate: Candidate) -> str:
    return "\n".join(
        text
        for outcome in execution.outcomes
        if outcome.lane == candidate.sink and outcome.request == candidate.request
        for _, _, text in observations(outcome)
    )
