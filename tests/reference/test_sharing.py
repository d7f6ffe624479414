"""A search that is shared comes to what a search in one process comes to, schedule by schedule and finding by finding."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay import attempts, checking
from crosslane.replay.attempts import search_of
from crosslane.replay.program import Program
from crosslane.replay.report import Result
from crosslane.replay.schedule.search import Search
from crosslane.replay.schedule.share import Share
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.worker.job import Job
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import turns
from .depth import examples
from .model import SmallProgram
from .program import program_of
from .test_against_brute_force import programs, requests_of

SILENT: Callable[[Any], None] = lambda progress: None  # noqa: E731


class InTurns:
    """Partners that work after the leader, in the same process, each on a copy of the program of its own."""

    def __init__(self, job: Job, programs: list[Program]) -> None:
        self.job = job
        self.programs = programs
        self.stages: list[str] = []
        self._stage: dict[str, Any] = {}

    def share(self, stage: dict[str, Any]) -> None:
        self._stage = json.loads(json.dumps(stage))
        self.stages.append(stage["stage"])

    def reports(self) -> list[dict[str, Any]]:
        return [json.loads(json.dumps(self.report(n, p))) for n, p in enumerate(self.programs, 1)]

    def report(self, shard: int, program: Program) -> dict[str, Any]:
        program.executions = 0
        return checking.share(program, self.job.share(self._stage, shard), SILENT).to_json()


def searched(search: Search, program: Program, lanes: Any, most_switches: int) -> list[tuple[Any, tuple[str, ...]]]:
    """What the search hands out to be looked at, with its order."""
    made: list[tuple[Any, tuple[str, ...]]] = []
    while (strategy := search.next(most_switches)) is not None:
        execution = program.execute(lanes, strategy)
        if search.mine:
            made.append((search.order, execution.schedule.names))
        search.tell(execution)
    return made


@settings(max_examples=examples(12), deadline=None)
@given(small=programs(2, 4) | programs(3, 2), shards=st.integers(1, 4), bound=st.sampled_from([0, 1, 2, 99]))
def test_the_shares_of_a_search_are_together_what_one_process_runs_and_in_its_order(
    tmp_path_factory: pytest.TempPathFactory, small: SmallProgram, shards: int, bound: int
) -> None:
    program = program_of(small.source(), tmp_path_factory.mktemp("m"))
    lanes = lanes_of(e.request for e in requests_of(small))
    whole = search_of(lanes, Share())
    alone = searched(whole, program, lanes, bound)
    searches = [search_of(lanes, Share(shard, shards, alone=False)) for shard in range(shards)]
    shares = [searched(search, program, lanes, bound) for search in searches]
    assert sorted(made for share in shares for made in share) == alone
    assert [order for order, _ in alone] == sorted(order for order, _ in alone)
    assert all(share == sorted(share) for share in shares)
    searches[0].join([search.part for search in searches[1:]])
    together = (searches[0].completed, searches[0].exhausted, searches[0].count)
    assert together == (whole.completed, whole.exhausted, whole.count)


@settings(max_examples=examples(8), deadline=None)
@given(small=programs(2, 4), shards=st.integers(2, 3), made=st.integers(1, 40))
def test_a_search_can_be_shared_at_any_moment(
    tmp_path_factory: pytest.TempPathFactory, small: SmallProgram, shards: int, made: int
) -> None:
    program = program_of(small.source(), tmp_path_factory.mktemp("m"))
    lanes = lanes_of(e.request for e in requests_of(small))
    expected = searched(search_of(lanes, Share()), program, lanes, 99)
    leader = search_of(lanes, Share(0, shards))
    got: list[Any] = []
    while len(got) < made and (strategy := leader.next(99)) is not None:
        execution = program.execute(lanes, strategy)
        got.append((leader.order, execution.schedule.names))
        leader.tell(execution)
    leader.share.alone = False
    after = got[-1][0]
    got += searched(leader, program, lanes, 99)
    for shard in range(1, shards):
        got += searched(search_of(lanes, Share(shard, shards, False, after)), program, lanes, 99)
    assert sorted(got) == expected


def shared_check(source: str, exchanges: Any, shards: int, folder: Path, **options: Any) -> tuple[Result, InTurns]:
    """`check` with so many processes, played in one; what is to be shared is shared from the first moment."""
    job = Job("check", "t", exchanges, "h", shards=shards, alone_s=0, **options)
    copies = [program_of(source, folder) for _ in range(shards)]
    partners = InTurns(job, copies[1:])
    return checking.check(copies[0], job, SILENT, partners), partners


def told(result: Result) -> dict[str, Any]:
    """What must not depend on the number of processes. The name of the module is another for each copy."""
    report = json.loads(re.sub(r"small_\d+", "small", json.dumps(result.report.to_json())))
    for crossing in report["crossings"]:
        del crossing["id"], crossing["found_after"]  # the id has the module's name in it
    return {
        "verdict": report["verdict"],
        "crossings": report["crossings"],
        "coverage": report["coverage"],
        "influences": report["influences"],
        "warnings": set(report["warnings"]),
    }


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no search ends because nothing new was found for a second."""
    monkeypatch.setattr(attempts, "_QUIET_S", float("inf"))


@pytest.mark.parametrize("lanes", [2, 3])
def test_the_findings_and_the_coverage_do_not_depend_on_the_number_of_processes(
    tmp_path_factory: pytest.TempPathFactory, lanes: int
) -> None:
    leaking = [0]

    @settings(max_examples=6, derandomize=True)
    @given(small=programs(lanes, 4 if lanes == 2 else 2), shards=st.integers(2, 3))
    def compared(small: SmallProgram, shards: int) -> None:
        folder = tmp_path_factory.mktemp("m")
        alone, _ = shared_check(small.source(), requests_of(small), 1, folder)
        shared, partners = shared_check(small.source(), requests_of(small), shards, folder)
        assert told(shared) == told(alone), small
        assert partners.stages[0] in ("bounded", "beyond"), small
        leaking[0] += bool(alone.report.crossings)

    compared()
    assert leaking[0] > 0


FOUR = turns(*((f"s{n}", name, f"secret{n}{name}") for n, name in enumerate(("ann", "ben", "cid", "dan"))))
LEAKS_LATE = """
    import asyncio
    latest = []
    async def handle(user, message):
        for n in range(3):
            if user in ("cid", "dan") and n == 1:
                latest.append(message)
            await asyncio.sleep(0)
        return latest[0] if user == "dan" and len(latest) > 1 else user
"""


def test_the_pairs_of_many_lanes_are_shared(tmp_path: Path) -> None:
    source = textwrap.dedent(LEAKS_LATE)
    alone, _ = shared_check(source, FOUR, 1, tmp_path, faults=False, variants=False, switches=1)
    shared, partners = shared_check(source, FOUR, 3, tmp_path, faults=False, variants=False, switches=1)
    assert partners.stages == ["bounded", "beyond"]
    assert told(shared) == told(alone)
    assert alone.report.crossings
    assert "every pair of lanes" in shared.report.coverage.statement


def test_requests_that_were_not_recorded_are_shared(tmp_path: Path) -> None:
    # Whoever says more than the other leaves something behind, which takes a variant to see.
    source = textwrap.dedent("""
        import asyncio
        longest = ""
        async def handle(user, message):
            global longest
            longest = max(longest, message, key=len)
            await asyncio.sleep(0)
            return len(longest)
    """)
    two = turns(("s1", "alice", "secretalice11"), ("s2", "bobby", "secretbobby22"))
    alone, _ = shared_check(source, two, 1, tmp_path)
    shared, partners = shared_check(source, two, 2, tmp_path)
    assert partners.stages[-1] == "variants"
    assert told(shared) == told(alone)
    assert shared.report.verdict == "contaminated"


@pytest.mark.parametrize("lanes", [2, 4])
def test_what_is_shared_is_tried_in_the_order_in_which_it_is_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    # Else what one process made before it shared its work would be left out by the others, or made twice.
    orders: dict[str, list[Any]] = {}
    phases: list[str] = []
    real = attempts.part_of

    def noted(name: str, *args: Any) -> Iterator[attempts.Attempt]:
        for attempt in real(name, *args):
            orders.setdefault(name, []).append(attempt.order)
            phases.append(attempt.phase)
            yield attempt

    monkeypatch.setattr(attempts, "part_of", noted)
    source = textwrap.dedent("""
        import asyncio
        async def handle(user, message):
            for _ in range(3):
                await asyncio.sleep(0)
            return message
    """)
    exchanges = FOUR[:lanes]
    shared_check(source, exchanges, 1, tmp_path, switches=2, most_executions=2_000)
    assert orders["bounded"] == sorted(orders["bounded"])
    kinds = [kind for kind, _ in groupby(phases, lambda phase: re.sub(r".*, (?=serial)", "", phase))]
    kinds.remove("serial orders") if lanes == 4 else None  # of each pair
    assert kinds[:3] == ["serial + 1 switch", "with a request cancelled or failing", "serial + 2 switches"]
