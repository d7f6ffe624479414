"""All interleavings of a small handler by brute force and by reduction, for comparing the two."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslane.replay.program import Program
from crosslane.replay.schedule.execute import Execution
from crosslane.replay.schedule.independence import Independence
from crosslane.replay.schedule.reduction import Reduction
from crosslane.replay.schedule.search import Search
from crosslane.replay.state.apart import Apart
from crosslane.replay.state.fingerprint import Fingerprints
from crosslane.replay.trace.lanes import lanes_of

from ..conftest import turns
from .program import program_of

NAMES = ("alice", "bobby", "carol", "david")


@dataclass(frozen=True)
class Covered:
    """`outcomes` are the distinct ones of the executions, of which there were `executed`, and `count` interleavings."""

    outcomes: frozenset[str]
    count: int
    executed: int
    refused: str = ""


def what_was_seen(execution: Execution) -> str:
    seen = sorted((o.request, o.body, o.chunks, o.error, o.finished, o.status) for o in execution.outcomes)
    return repr((seen, execution.stopped))


def loaded(source: str, users: int, folder: Path) -> tuple[Program, Any]:
    program = program_of(textwrap.dedent(source), folder)
    exchanges = turns(*((f"s{n}", NAMES[n], f"secret{n}") for n in range(users)))
    return program, lanes_of(e.request for e in exchanges)


def by_brute_force(program: Program, lanes: Any, most: int = 100_000) -> Covered:
    search = Search([lane.name for lane in lanes])
    outcomes: set[str] = set()
    while (strategy := search.next(10_000)) is not None:
        execution = program.execute(lanes, strategy)
        search.tell(execution)
        outcomes.add(what_was_seen(execution))
        assert search.count < most, "too large for brute force"
    return Covered(frozenset(outcomes), search.count, search.count)


def by_reduction(program: Program, lanes: Any, most: int = 100_000) -> Covered:
    engine = program.engine
    if program.fresh.forking:
        return Covered(frozenset(), 0, 0, "executions are kept apart by fork")
    fingerprints = Fingerprints(program.fresh.graph, lambda: engine.replies, engine.beside)
    while True:
        timeless = fingerprints.timeless
        reduction = Reduction(fingerprints)
        outcomes: set[str] = set()
        while reduction.more:
            execution = program.execute(lanes, reduction)
            reduction.tell(execution)
            outcomes.add(what_was_seen(execution))
            assert reduction.executed < most
        if fingerprints.timeless == timeless:
            break
    count = reduction.count() if reduction.exhausted else 0
    return Covered(frozenset(outcomes), count, reduction.executed, reduction.refused)


def by_independence(program: Program, lanes: Any, max_in_flight: int | None = None) -> Covered:
    """One execution, which stands for all where nothing speaks against it."""
    engine, graph = program.engine, program.fresh.graph
    if program.fresh.forking:
        return Covered(frozenset(), 0, 0, "executions are kept apart by fork")
    fingerprints = Fingerprints(graph, lambda: engine.replies, engine.beside)
    independence = Independence(
        Apart(graph, fingerprints, lambda: engine.replies, engine.beside, lambda: engine.serving)
    )
    execution = program.execute(lanes, independence, max_in_flight)
    independence.tell(execution)
    return Covered(frozenset({what_was_seen(execution)}), independence.count(), 1, independence.refused)
