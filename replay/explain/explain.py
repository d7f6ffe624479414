"""Explaining one minimal crossing: which place carried it (by experiment), who wrote it where, who read it where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..report import Access, Carrier
from .definition import defined_at
from .distribution import distribution_of
from .experiment import Experiment, Healed
from .locate import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..detect.verbatim import Candidate
    from ..program import Program
    from ..run import Run
    from ..schedule.execute import Execution
    from ..schedule.schedule import Schedule
    from ..trace.lanes import Lane
    from .places import Place


@dataclass(frozen=True, slots=True)
class Explanation:
    """Carrier and lines, None where they could not be told (`remark` says why), and the observed run.

    Attributes:
        sole: whether what crosses through the carrier no longer does when that alone is kept apart.
    """

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
    sole: bool
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
    experiment = Experiment(program, lanes, schedule, max_in_flight, candidate, crosses, healed)
    located = locate(experiment, suspects)
    place = located.place
    sole = place is not None and (located.separate or not experiment.apart([place]).crosses)
    run = experiment.observed(place)
    write, read, sink = experiment.ends(run)
    return Explanation(
        carrier=None if place is None else carrier_of(program, place),
        write=_access(run, write),
        read=_access(run, read),
        run=run,
        write_seq=write,
        read_seq=read,
        sink_seq=sink,
        fixed_run=located.fixed,
        remark=located.remark,
        place=place,
        sole=sole,
        executions=experiment.executions,
    )


def carrier_of(program: Program, place: Place) -> Carrier:
    definition = defined_at(place)
    kind = f"{place.kind} in {distribution_of(place.module)}" if place.module else place.kind
    return Carrier(place.name, kind, None if definition is None else program.files.at(*definition))


def _access(run: Run, seq: int | None) -> Access | None:
    if seq is None:
        return None
    event = run.events[seq - 1]
    return Access(event.lane, event.at or "", event.code or "")
