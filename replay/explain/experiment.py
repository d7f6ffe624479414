"""The schedule that shows a crossing, executed again: with places kept apart for each lane, or under observation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..run import Run
from ..schedule.execute import Execution, run_of
from ..schedule.strategies import Replayed, Serial
from .ends import ends
from .isolate import Isolation, Survey
from .made import Members
from .places import INHERITED, LOCAL, Place
from .timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..detect.verbatim import Candidate
    from ..program import Program
    from ..schedule.schedule import Schedule
    from ..trace.lanes import Lane

Healed = Literal["", "alike", "whole"]
"""How far an answer is what it is alone: not at all, in its kind, or word for word."""


class Apart(NamedTuple):
    """What came of keeping places apart. `healed` is "" where it still crosses."""

    run: Run
    crosses: bool
    healed: Healed


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What an execution changed.

    Attributes:
        wide: whether the libraries' own modules were looked at as well.
        held: the places, those that held the evidence first, and whether they did.
        made: those that a request made.
        entries: entries of dicts among them, by keys that the program spells.
        said: what there is to say of some.
        inside: into which the evidence came in a context that had been inherited.
    """

    wide: bool
    held: dict[Place, bool]
    made: frozenset[Place]
    entries: tuple[Place, ...]
    said: dict[Place, str]
    inside: tuple[Place, ...]


@dataclass(slots=True)
class Experiment:
    """See the module.

    Attributes:
        crosses: whether an execution still shows the same crossing.
        healed: how far the sink answered as it does alone.
        executions: how many it took so far.
    """

    program: Program
    lanes: Sequence[Lane]
    schedule: Schedule
    max_in_flight: int | None
    candidate: Candidate
    crosses: Callable[[Execution], bool]
    healed: Callable[[Execution], Healed]
    executions: int = field(default=0, init=False)

    def apart(self, places: Sequence[Place]) -> Apart:
        self.executions += 1
        execution = isolated(self.program, self.lanes, self._following(), self.max_in_flight, places)
        crosses = self.crosses(execution)
        return Apart(run_of(execution), crosses, "" if crosses else self.healed(execution))

    def healed_run(self, places: Sequence[Place]) -> Run | None:
        """The run with these kept apart, if that heals it."""
        apart = self.apart(places)
        return apart.run if apart.healed else None

    def observed(self, place: Place | None) -> Run:
        self.executions += 1
        return observed(self.program, self.lanes, self._following(), self.max_in_flight, place)

    def shows_use_of(self, place: Place) -> bool:
        """Whether the observed run shows who wrote this and who read it."""
        write, read, _ = self.ends(self.observed(place))
        return write is not None and read is not None

    def ends(self, run: Run) -> tuple[int | None, int | None, int | None]:
        """See `ends`."""
        return ends(run, self.candidate)

    def survey(self, wide: bool, since: Place | None = None) -> Surveyed:
        """What changes; with `since`, of what that place holds once a request has made it."""
        self.executions += 1
        program = self.program

        def job() -> list[Any]:
            survey = Survey(program, self.candidate.tokens, wide, since)
            program.engine.execute(self.lanes, self._following(), self.max_in_flight, survey)
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
        rows = sorted(
            ((Place.from_json(row), *rest) for row, *rest in found), key=lambda row: _order(row[0], bool(row[1]))
        )
        return Surveyed(
            wide,
            {place: held for place, held, *_ in rows},
            frozenset(place for place, _, made, *_ in rows if made),
            tuple(Place.from_json(row) for row in entries),
            {place: said for place, _, _, said, _ in rows if said},
            tuple(place for place, *_, inside in rows if inside),
        )

    def members(self, place: Place) -> list[Place]:
        """What a container has that was made since, as places from which on to watch it."""
        self.executions += 1
        program = self.program

        def job() -> list[Any]:
            members = Members(program, place)
            program.engine.execute(self.lanes, self._following(), self.max_in_flight, members)
            return [asdict(each) for each in members.found]

        return [Place.from_json(row) for row in program.fresh.run(job, lambda rows: rows, lambda rows: rows)]

    def _following(self) -> Replayed:
        return Replayed(self.schedule, Serial([lane.name for lane in self.lanes]))


def _order(place: Place, held: bool) -> tuple[bool, bool, bool, int]:
    """Places that held the evidence first, then short names: the nearest to what its author would call it.

    What a task has inherited, and what it keeps in a local variable, comes before all that leads to the task: kept
    apart, that heals too, and is not the cause.
    """
    return not held, place.form not in (INHERITED, LOCAL), bool(place.package), len(place.name)


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
) -> Execution:
    """Execute with the places kept apart for each lane, beside those that are so in all executions now."""
    kept = (*program.kept_apart, *places)

    def job() -> Execution:
        return program.engine.execute(lanes, strategy, max_in_flight, Isolation(program, kept))

    return program.fresh.run(job, Execution.to_json, Execution.from_json)
