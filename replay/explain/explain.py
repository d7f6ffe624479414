"""Explaining one minimal crossing: which place carried it (by experiment), who wrote it where, who read it where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from ..report import Access, Carrier
from ..run import Event, Run
from ..schedule.execute import Execution, run_of
from ..schedule.strategies import Replayed, Serial
from .definition import defined_at
from .distribution import distribution_of
from .isolate import Isolation, Survey
from .made import Members
from .places import CONTAINERS, INHERITED, LOCAL, Place
from .siblings import last_used, made_together
from .timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..detect.verbatim import Candidate
    from ..program import Program
    from ..schedule.schedule import Schedule
    from ..trace.lanes import Lane

_MOST_TRIED = 60
_MOST_TRIED_BELOW = 30
_MOST_ENTRIES = 8
_MOST_OPAQUE = 3
_MOST_AFTER_ONE = 8
_MOST_MEMBERS = 3
_NOT_ALWAYS_APART = frozenset({"generator", "database", "context", "stream"})
Healed = Literal["", "alike", "whole"]
"""How far an answer is what it is alone: not at all, in its kind, or word for word."""
_Used = Callable[["Place"], bool]
_Inner = tuple[tuple["Place", Run] | None, int]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Carrier and lines, None where they could not be told (`remark` says why), and the observed run."""

    carrier: Carrier | None
    write: Access | None
    read: Access | None
    run: Run
    write_seq: int | None
    read_seq: int | None
    sink_seq: int | None
    fixed_run: Run | None
    remark: str
    place: Place | None
    executions: int


def explain(
    program: Program,
    lanes: Sequence[Lane],
    schedule: Schedule,
    max_in_flight: int | None,
    candidate: Candidate,
    crosses: Callable[[Execution], bool],
    healed: Callable[[Execution], Healed],
    suspects: Sequence[Place] = (),
) -> Explanation:
    """Explain the crossing that `schedule` shows.

    Args:
        crosses: whether an execution still shows the same crossing.
        healed: how far the sink answered as it does alone.
        suspects: carriers of earlier crossings, which are tried before anything is looked for.
    """
    order = [lane.name for lane in lanes]

    def strategy() -> Replayed:
        return Replayed(schedule, Serial(order))

    def cured_by(places: Sequence[Place]) -> tuple[Run, Healed] | None:
        """The healed run, if keeping these apart heals it, and how far."""
        execution, run = isolated(program, lanes, strategy(), max_in_flight, places)
        how = "" if crosses(execution) else healed(execution)
        return (run, how) if how else None

    def tried_apart(places: Sequence[Place]) -> Run | None:
        cure = cured_by(places)
        return None if cure is None else cure[0]

    def used(place: Place) -> bool:
        """Whether the observed run shows who wrote this and who read it."""
        write, read, _ = ends(observed(program, lanes, strategy(), max_in_flight, place), candidate)
        return write is not None and read is not None

    def named_last(healing: Place, others: Sequence[Place]) -> tuple[Place, int]:
        """The one of these that the answer was taken from, and how many executions that took."""
        if not others:
            return healing, 0

        def look(each: Place) -> Run:
            return observed(program, lanes, strategy(), max_in_flight, each)

        return last_used(healing, others, look, partial(ends, candidate=candidate)), 1 + len(others)

    executions = 0
    place, fixed, remark = None, None, ""
    changed: dict[Place, bool] = {}
    for suspect in suspects:
        executions += 1
        run = tried_apart([suspect])
        if run is not None:
            place, fixed = suspect, run
            break
    # What the user's modules reach first; then what only the libraries' own do.
    for wide in (False, True) if place is None else ():
        changed, made, entries, said, inside = _survey(program, lanes, strategy(), max_in_flight, candidate, wide)
        executions += 1
        # The first that gives the whole answer back: without a table of routes, say, nothing is leaked either.
        left = _MOST_TRIED
        for attempt in _in_order(changed):
            if left <= 0:
                break
            left -= 1
            executions += 1
            cure = cured_by([attempt])
            if cure is not None and (place is None or cure[1] == "whole"):
                place, fixed = attempt, cure[0]
                left = min(left, _MOST_AFTER_ONE) if cure[1] != "whole" else 0
        if place is not None and place.form == INHERITED:
            further, tried = _further(inside, cured_by)
            executions += tried
            remark = "" if further is not None else said.get(place, "")
            place, fixed = further or (place, fixed)
            if further is None:
                break
        if place is not None:
            named, looks = named_last(place, made_together(place, changed, made))
            executions += looks
            if named != place:
                place = named
                break
            for since in _to_look_below(program, lanes, strategy(), max_in_flight, place) if place in made else ():
                below, _, within, _, _ = _survey(program, lanes, strategy(), max_in_flight, candidate, wide, since)
                inner, tried = _below(below, tried_apart)
                executions += 2 + tried
                if inner is not None:
                    (place, fixed), entries = inner, within
                    break
            entry, tried = _entry_of(place, entries, tried_apart, used)
            executions += tried
            place, fixed = entry or (place, fixed)
            break
        held = [p for p in _in_order(changed) if changed[p]] or _in_order(changed)
        if held:
            executions += 1
            execution, run = isolated(program, lanes, strategy(), max_in_flight, held)
            if not crosses(execution):
                names = ", ".join(p.name for p in held[:4])
                remark = f"no single variable carries it; keeping these apart for each lane heals it: {names}"
                place, looks = named_last(held[0], made_together(held[0], changed, made))
                executions += looks
                fixed = run
                break
    if place is None:
        remark = (
            "the shared thing was not found in the program's own modules: look for state in a library, file or service"
        )
        likely = [each.name for each in changed if changed[each] and each.form in _NOT_ALWAYS_APART]
        opaque = "; ".join(program.fresh.graph.unproven[:_MOST_OPAQUE])
        if likely:
            remark = (
                f"not proven, because it cannot be kept apart for each lane: {', '.join(likely[:_MOST_OPAQUE])} held "
                f"what {candidate.source} had said"
            )
        elif opaque:
            remark = f"{remark}; first at what could not be kept apart for each lane: {opaque}"
    timeline = observed(program, lanes, strategy(), max_in_flight, place)
    write, read, sink = ends(timeline, candidate)
    return Explanation(
        carrier=None if place is None else carrier_of(program, place),
        write=_access(timeline, write),
        read=_access(timeline, read),
        run=timeline,
        write_seq=write,
        read_seq=read,
        sink_seq=sink,
        fixed_run=fixed,
        remark=remark,
        place=place,
        executions=executions + 1,
    )


def _further(
    inside: Sequence[Place], cured_by: Callable[[Sequence[Place]], tuple[Run, Healed] | None]
) -> tuple[tuple[Place, Run] | None, int]:
    """Where a task put what it read in a context that it had inherited, if that alone gives the whole answer back; and
    how often was tried.

    A task that a request leaves behind may well set a global: then whoever reads that has it from there.
    """
    tried = 0
    for place in inside[:_MOST_AFTER_ONE]:
        tried += 1
        cure = cured_by([place])
        if cure is not None and cure[1] == "whole":
            return (place, cure[0]), tried
    return None, tried


def _to_look_below(
    program: Program, lanes: Sequence[Lane], strategy: Any, max_in_flight: int | None, place: Place
) -> list[Place]:
    """What a request has made: the object that a name holds, or those that a container of the user's has got."""
    if place.wide:
        return []
    if place.key is not None or place.form not in CONTAINERS:
        return [place]

    def job() -> list[Any]:
        members = Members(program, place)
        program.engine.execute(lanes, strategy, max_in_flight, members)
        return [asdict(each) for each in members.found]

    found = program.fresh.run(job, lambda rows: rows, lambda rows: rows)
    return [Place.from_json(row) for row in found][:_MOST_MEMBERS]


def _below(changed: dict[Place, bool], tried_apart: Callable[[Sequence[Place]], Run | None]) -> _Inner:
    """Which part of an object that a request made carried it, with the healed run; and how often was tried.

    A pool has a list of connections and counts them: only together can they be kept apart. Then the fewest are sought,
    and the one is named that held the evidence. Only such a part is ever named: to keep any other apart, a list of
    addresses say, makes a client go other ways, in which the crossing may be missed.
    """
    order = _in_order(changed)[:_MOST_TRIED_BELOW]
    telling = [place for place in order if changed[place]]
    tried = 0
    for place in telling:
        tried += 1
        run = tried_apart([place])
        if run is not None:
            return (place, run), tried
    tried += 1
    run = tried_apart(order) if telling and len(order) > 1 else None
    if run is None:
        return None, tried
    needed = order
    for place in reversed(order):
        fewer = [other for other in needed if other is not place]
        if any(changed[other] for other in fewer):
            tried += 1
            healed = tried_apart(fewer)
            if healed is not None:
                needed, run = fewer, healed
    return (next(place for place in needed if changed[place]), run), tried


def _entry_of(
    place: Place, entries: Sequence[Place], tried_apart: Callable[[Sequence[Place]], Run | None], used: _Used
) -> _Inner:
    """The one entry of a dict that carried it, with the healed run, where there is one; and how often was tried."""
    tried = 0
    for entry in [each for each in entries if each.name == f"{place.name}[{each.key!r}]"][:_MOST_ENTRIES]:
        tried += 1
        run = tried_apart([entry])
        if run is not None and used(entry):
            return (entry, run), tried + 1
    return None, tried


def carrier_of(program: Program, place: Place) -> Carrier:
    definition = defined_at(place)
    kind = f"{place.kind} in {distribution_of(place.module)}" if place.module else place.kind
    return Carrier(place.name, kind, None if definition is None else program.files.at(*definition))


def observed(
    program: Program, lanes: Sequence[Lane], strategy: Any, max_in_flight: int | None, place: Place | None
) -> Run:
    """Execute once line by line; the run comes with its events."""

    def job() -> Run:
        timeline = Timeline(program.files, program.graph_now, place, program.engine.heard)
        execution = program.engine.execute(lanes, strategy, max_in_flight, timeline)
        run = run_of(execution, timeline.events, timeline.places, program.cancels)
        return replace(run, diverged=getattr(strategy, "diverged", None), sight=timeline.looking.sight())

    return program.fresh.run(job, Run.to_json, Run.from_json)


def isolated(
    program: Program, lanes: Sequence[Lane], strategy: Any, max_in_flight: int | None, places: Sequence[Place]
) -> tuple[Execution, Run]:
    """Execute with the places kept apart for each lane."""

    def job() -> Execution:
        return program.engine.execute(lanes, strategy, max_in_flight, Isolation(program, places))

    execution = program.fresh.run(job, Execution.to_json, Execution.from_json)
    return execution, run_of(execution)


def _survey(
    program: Program,
    lanes: Sequence[Lane],
    strategy: Any,
    max_in_flight: int | None,
    candidate: Candidate,
    wide: bool,
    since: Place | None = None,
) -> tuple[dict[Place, bool], set[Place], list[Place], dict[Place, str], list[Place]]:
    """What changed and whether it held the evidence; which of it a request made; entries of dicts among it; what
    there is to say of it; and into which of it the evidence came in a context that had been inherited."""

    def job() -> list[Any]:
        survey = Survey(program, candidate.tokens, wide, since)
        program.engine.execute(lanes, strategy, max_in_flight, survey)
        rows = [
            [
                asdict(survey.owned(place)),
                held,
                place in survey.made,
                survey.heirs.in_words(place),
                place in survey.inside,
            ]
            for place, held in survey.changed.items()
        ]
        return [rows, [asdict(entry) for entry in survey.entries]]

    found, entries = program.fresh.run(job, lambda rows: rows, lambda rows: rows)
    rows = [(Place.from_json(row), *rest) for row, *rest in found]
    changed = {place: held for place, held, *_ in rows}
    within = {place for place, *_, inside in rows if inside}
    return (
        changed,
        {place for place, _, made, *_ in rows if made},
        [Place.from_json(row) for row in entries],
        {place: said for place, _, _, said, _ in rows if said},
        [place for place in _in_order(changed) if place in within],
    )


def _in_order(changed: dict[Place, bool]) -> list[Place]:
    """Places that held the evidence first, then short names: the nearest to what its author would call it.

    What a task has inherited, and what it keeps in a local variable, comes before all that leads to the task: kept
    apart, that heals too, and is not the cause.
    """
    return sorted(
        changed, key=lambda p: (not changed[p], p.form not in (INHERITED, LOCAL), bool(p.package), len(p.name))
    )


def ends(run: Run, candidate: Candidate) -> tuple[int | None, int | None, int | None]:
    """The write, the read and the sink of the drawn line, as `Event.seq`."""
    answers = [e for e in run.events if e.request == candidate.request and e.kind in ("response", "error", "chunk")]
    shown = [e for e in answers if _tells(e, candidate)]
    sink = shown[0] if shown else (answers[-1] if answers else None)
    until = sink.seq if sink is not None else len(run.events) + 1
    foreign = [e for e in run.events if e.kind == "write" and e.lane == candidate.source and e.seq < until]
    mine = [e for e in run.events if e.lane == candidate.sink and e.request == candidate.request and e.seq < until]
    # A task that belongs to no lane works for whom it carries the data of.
    ownerless = [e for e in run.events if e.lane not in run.lanes and e.seq < until]
    foreign = foreign or [e for e in ownerless if e.kind == "write" and _tells(e, candidate)]
    reads = [e for e in mine if e.kind == "read"] or [e for e in mine if e.kind == "write"]
    reads = reads or [e for e in ownerless if e.kind == "read"]
    # The last read before the answer is the one whose result was shown; a write that it followed was the source's. A
    # line that writes may have looked only for where to put something.
    writing = {e.at for e in mine if e.kind == "write"}
    reads = [*(e for e in reads if e.at in writing), *(e for e in reads if e.at not in writing)]
    # What takes a thing out of a queue changes that, too.
    taking = [e for e in mine if e.kind == "write"]
    read = next((e for e in (*reversed(reads), *reversed(taking)) if any(w.seq < e.seq for w in foreign)), None)
    before = [w for w in foreign if read is None or w.seq < read.seq]
    telling = [w for w in before if _tells(w, candidate)] or before
    # Where the source put it, rather than where it then took something else from beside it.
    while len(telling) > 1 and len(telling[-1].text) < len(telling[-2].text):
        telling.pop()
    write = telling[-1] if telling else None
    return (
        write.seq if write is not None else None,
        read.seq if read is not None else None,
        sink.seq if sink is not None else None,
    )


def _tells(event: Event, candidate: Candidate) -> bool:
    return any(token in event.text.casefold() for token in candidate.tokens)


def _access(run: Run, seq: int | None) -> Access | None:
    if seq is None:
        return None
    event = run.events[seq - 1]
    return Access(event.lane, event.at or "", event.code or "")
