"""What a client can ask of the worker, and what it hears while it waits. Plain data on both sides of the pipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from ..allow import Allow
    from ..run import Run
    from ..schedule.schedule import Schedule
    from ..schedule.share import Order
    from ..trace.model import Exchange

DEFAULT_BUDGET_S = 30.0
LEAST_BUDGET_S = 2.0
"""What is left for a search when a large trace took all of its budget to be loaded and handed over."""
NO_LIMIT = 1 << 62
MOST_TOLD = 20
"""Findings that progress tells of, at most."""
NO_LIMIT_S = float(1 << 40)
DEFAULT_SWITCHES = 2
DEFAULT_BLOCKED_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes:
        action: `check` searches, `replay` executes once, `share` makes a part of another worker's search.
        trace: the path, for messages. `exchanges` are what is executed.
        handler: `file.py:attr`, `package.module:attr` or `package.module:factory()`.
        kind: `function`, `asgi`, … or None to detect it.
        boundary: see `lanes_of`.
        concurrency: how many requests may be in flight; None for no limit, 1 is serial.
        budget_s: wall seconds the search may take.
        most_executions: the same in executions.
        switches: the preemption bound of the search.
        schedule: to be followed exactly (replay only).
        then: a schedule to come near to once the first one is over; without it, lanes go on one after another.
        timeline_first: `replay` tells the run as soon as it was observed, before it is looked into.
        best_effort: a schedule that no longer fits is followed as far as it goes, instead of being refused.
        order: without a schedule, how `replay` chooses: `lockstep`, `serial`, or `random` (with `seed`).
        blocked_after_s: a step that does not give control back for so long is reported as blocking the loop.
        upstream_calls: functions and methods of the program that are upstream calls, see `upstream.calls`.
        upstream: what answers HTTP calls: `recorded`, `echo`, `pass`, or `FILE.py:function`; "" is `recorded` where the
            trace has calls, else `echo`.
        upstream_allow: hosts that calls may go to for real.
        allow: sharing on purpose.
        faults: whether `check` also lets clients leave, time limits pass and upstream calls fail.
        variants: whether `check` also tries requests that were not recorded, see `variants`.
        keep: names of state inside libraries that is to be put back from the first execution on.
        known: fingerprints of findings that are known: they are told, and do not end the search for others.
        fork: keep executions apart by fork even where state could be put back.
        baselines: whether the result has each lane's run alone, for a screen to show beside another.
        environment: whether the result of `replay` says which interpreter and libraries ran, for a schedule to be kept.
            Whatever is installed is read for that.
        shards, shard: the search may be shared among so many workers, and this is the number of this one (from 0).
        alone_s: so long the first of them searches alone, at least; at 0 it shares from the beginning.
        stage, after: the part of the search that is shared, and what of it was made before, see `attempts`.
        found: the crossings that were found before it was shared, by their ids.
        skipped: how many lines of the trace could not be used, for the verdict to tell.
        reports: what others reported to a worker that died: only this is looked into.
    """

    action: Literal["check", "replay", "share"]
    trace: str
    exchanges: tuple[Exchange, ...]
    handler: str
    kind: str | None = None
    boundary: str = "user"
    concurrency: int | None = None
    budget_s: float = DEFAULT_BUDGET_S
    switches: int = DEFAULT_SWITCHES
    most_executions: int = NO_LIMIT
    schedule: Schedule | None = None
    then: Schedule | None = None
    timeline_first: bool = False
    best_effort: bool = False
    order: Literal["lockstep", "serial", "random"] = "lockstep"
    seed: int = 0
    blocked_after_s: float = DEFAULT_BLOCKED_AFTER_S
    upstream_calls: tuple[str, ...] = ()
    upstream: str = ""
    upstream_allow: tuple[str, ...] = ()
    allow: tuple[Allow, ...] = ()
    faults: bool = True
    variants: bool = True
    keep: tuple[str, ...] = ()
    fork: bool = False
    baselines: bool = True
    environment: bool = False
    known: tuple[str, ...] = ()
    shards: int = 1
    shard: int = 0
    alone_s: float = 1.0
    stage: str = ""
    after: Order = ()
    found: tuple[str, ...] = ()
    skipped: int = 0
    reports: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """All but the exchanges, which are handed over by themselves, see `handing`."""
        return {**asdict(replace(self, exchanges=())), "exchanges": None}

    def less(self, spent_s: float) -> Job:
        """The job where a part of its budget is spent already. The search has a little in any case."""
        if self.budget_s >= NO_LIMIT_S:
            return self
        return replace(self, budget_s=min(self.budget_s, max(self.budget_s - spent_s, LEAST_BUDGET_S)))

    def share(self, stage: dict[str, Any], shard: int) -> Job:
        """The job of a worker that makes share `shard`; `stage` is what the leader says of it."""
        return replace(self, action="share", shard=shard, **stage)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job has come. `phase` is a short phrase: `loading`, `each lane alone`, `serial + 1 switch`, …

    `covered` are the different schedules that were executed in the search; `executions` has all there were. `found`
    says of the first findings in a few words who saw whose data. `paused`: it stands still until it may go on. `run` is
    the one that was asked for, once it was observed; what came of it is not known yet."""

    phase: str
    executions: int
    per_second: float
    findings: int
    covered: int = 0
    found: tuple[str, ...] = ()
    paused: bool = False
    run: Run | None = None

    def to_json(self) -> dict[str, Any]:
        run = self.run.to_json() if self.run is not None else None
        return {**asdict(replace(self, run=None)), "run": run}
