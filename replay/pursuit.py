"""Making attempts until time is up: the one loop of a search, in the process that is alone and in those that share."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .attempts import Reached
from .worker.job import MOST_TOLD, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .attempts import Attempt
    from .investigation import Investigation
    from .program import Program
    from .run import Run
    from .schedule.execute import Execution
    from .worker.job import Job

_A_LITTLE_S = 2.0
_REAL_CLOCK = time.monotonic


@dataclass(slots=True)
class Pursuit:
    """Attributes:
    reached: how far it has come.
    most_executions: of the program, from the beginning; less than the job's while others execute as well.
    found: what another process has found, by the ids of the crossings.
    """

    program: Program
    job: Job
    report: Callable[[Progress], None]
    started: float = field(default_factory=_REAL_CLOCK)
    reached: Reached = field(default_factory=Reached)
    most_executions: int = 0
    found: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.most_executions = self.job.most_executions

    @property
    def elapsed_s(self) -> float:
        return _REAL_CLOCK() - self.started - self.program.pause.paused_s

    def nearly_in_time(self) -> bool:
        """Whether another lane may be run alone, or another candidate be looked into. Without that nothing can be told,
        so it has a little longer."""
        return self.elapsed_s <= self.job.budget_s + _A_LITTLE_S

    def announce(self, phase: str, on: Investigation, run: Run | None = None) -> None:
        executions, elapsed_s = self.program.executions, max(self.elapsed_s, 1e-6)
        found = tuple(f"{c.sink.lane} saw data of {c.source.lane}" for c in (known.crossing for known in on.findings))
        schedules = self.reached.schedules
        told = Progress(phase, executions, executions / elapsed_s, len(found), schedules, found[:MOST_TOLD])
        self.report(replace(told, run=run))

    def follow(self, on: Investigation, tries: Iterable[Attempt], look: Callable[[Attempt, Execution], None]) -> bool:
        """Make the attempts; False when time is up."""
        reached = self.reached
        for attempt in tries:
            execution = self.program.execute(attempt.lanes, attempt.strategy, self.job.concurrency)
            if attempt.search is not None:
                attempt.search.tell(execution)
            if attempt.mine:
                reached.schedules += 1
                look(attempt, execution)
            self.announce(attempt.phase, on)
            reached.elapsed_s = self.elapsed_s
            reached.found((*self.found, *(finding.crossing.id for finding in on.news)))
            reached.per_second = self.program.executions / reached.elapsed_s
            reached.interrupted = self.program.interrupted()
            reached.out_of_budget = (
                reached.elapsed_s > self.job.budget_s or self.program.executions >= self.most_executions
            )
            if reached.interrupted or reached.out_of_budget:
                return False
        return True
