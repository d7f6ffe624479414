"""From an explained crossing to the finding that a report has: everything that is said of it, put together once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Literal, cast

from .detect.derived import in_words, texts_of
from .detect.influence import flat
from .detect.values import material_of
from .explain.advice import UNNAMED, fix_for
from .explain.critical import critical_pair
from .report import Crossing, Finding, Needs, Sink, Source
from .schedule.schedule import to_json as schedule_to_json
from .schedule.strategies import Serial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .detect.verbatim import Candidate
    from .explain.explain import Explanation
    from .investigation import Investigation
    from .minimise.minimise import Minimal
    from .run import Outcome
    from .schedule.execute import Execution
    from .trace.lanes import Lane
    from .trace.model import Request


def finding_of(
    known: Investigation, minimal: Minimal, explanation: Explanation, crosses: Callable[[Execution], bool]
) -> Finding:
    """The finding of a minimal execution.

    Args:
        crosses: whether an execution shows the same crossing.
    """
    candidate, lanes = minimal.candidate, minimal.lanes
    run = explanation.run
    cls = class_of(minimal.execution)
    requests = [request for lane in lanes for request in lane.requests]
    order = {exchange.request.id: index for index, exchange in enumerate(known.exchanges)}
    requests.sort(key=lambda request: order[request.id])
    origin = _origin(known, candidate, lanes)
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
        id=_identity(candidate, known.program.handler.module, carrier.name if carrier else "", needs),
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
        explained="; ".join(filter(None, (known.variant, derivation, explanation.remark, _assumption(known, cls)))),
        evidence_all=candidate.tokens,
        requests=tuple(
            {
                **request.to_json(),
                "lane": lane_of(request.id, lanes),
                **({"answers": [list(answer) for answer in request.answers]} if request.answers else {}),
                **_issued(known, request),
            }
            for request in requests
        ),
        alone=_alone(known, candidate, lanes) if candidate.kind == "derived" else "",
        upstream_calls=known.program.upstream_calls,
        upstream=known.program.stand_in if _called_out(run.outcomes) else "",
        upstream_allow=known.program.upstream_allow,
        found_after=known.looked,
        critical=critical_pair(
            run.decisions,
            lambda strategy: known.program.execute(lanes, strategy, known.max_in_flight),
            crosses,
        )
        if known.program.chances == 1
        else None,
    )
    return Finding(
        crossing, run, explanation.write_seq, explanation.read_seq, explanation.sink_seq, explanation.fixed_run
    )


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


def _alone(known: Investigation, candidate: Candidate, lanes: Iterable[Lane]) -> str:
    """What stands in the sink when its lane is alone with those of its requests that are left."""
    lane = next(lane for lane in lanes if lane.name == candidate.sink)
    alone = known.program.execute((lane,), Serial([lane.name]), known.max_in_flight)
    outcome = next((outcome for outcome in alone.outcomes if outcome.request == candidate.request), None)
    return flat(outcome).get(candidate.path, "") if outcome is not None else ""


def _issued(known: Investigation, request: Request) -> dict[str, Any]:
    """What the recorded answer to a request gave its client to send later on; see `trace.sessions`."""
    recorded = known.program.recorded
    issued = recorded.issued.get(request.id, ()) if recorded is not None else ()
    return {"issued": [each.to_json() for each in issued]} if issued else {}


def _origin(known: Investigation, candidate: Candidate, lanes: Iterable[Lane]) -> Source:
    """Which of the source's requests the value came from: the first that holds it, else the first that saw it."""
    lane = next(lane for lane in lanes if lane.name == candidate.source)
    wanted = frozenset(candidate.tokens)
    for request in lane.requests:
        if material_of([request], ()).sent & wanted:
            return Source(lane.name, request.session, request.id)
    for request in lane.requests:
        alone = known.solo.get(request.id)
        if alone is not None and material_of((), [alone]).seen & wanted:
            return Source(lane.name, request.session, request.id)
    return Source(lane.name, lane.requests[0].session, lane.requests[0].id)


def _assumption(known: Investigation, cls: str) -> str:
    if cls != "cancellation" or known.program.handler.kind != "aiohttp":
        return ""
    return "aiohttp cancels a handler whose client is gone only with handler_cancellation=True, which is assumed"


def _identity(candidate: Candidate, module: str, carrier: str, needs: Needs) -> str:
    """Short, and the same for the same crossing on every machine."""
    text = "\0".join((module, candidate.source, candidate.sink, candidate.request, candidate.path, carrier, needs.cls))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:10]


def _called_out(outcomes: Iterable[Outcome]) -> bool:
    """Whether the program made HTTP calls; those of functions that were named as upstream calls have no host."""
    return any(isinstance(sent, dict) and "host" in sent for o in outcomes for _, sent in o.upstream)
