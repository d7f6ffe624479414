"""The search and the verdict against brute force over all interleavings of small generated programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.checking import check
from crosslane.replay.schedule.execute import preemptions
from crosslane.replay.schedule.search import Search
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.worker.job import Job
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import turns
from .depth import examples
from .model import NAMES, SmallProgram, secret
from .program import program_of

operations = st.tuples(st.sampled_from(["write", "append", "read", "read", "clear"]), st.sampled_from(["x", "y"]))
blocks = st.lists(operations, max_size=3).map(tuple)


def programs(lanes: int, most_blocks: int) -> st.SearchStrategy[SmallProgram]:
    lane = st.lists(blocks, min_size=1, max_size=most_blocks).map(tuple)
    return st.lists(lane, min_size=lanes, max_size=lanes).map(lambda made: SmallProgram(tuple(made)))


def requests_of(program: SmallProgram):
    return turns(*((f"s{n}", NAMES[n], secret(n)) for n in range(len(program.lanes))))


def schedules(small: SmallProgram, folder: Path, most_switches: int) -> tuple[list[tuple[str, ...]], Search, list[int]]:
    program = program_of(small.source(), folder)
    lanes = lanes_of(e.request for e in requests_of(small))
    search = Search([lane.name for lane in lanes])
    seen: list[tuple[str, ...]] = []
    costs: list[int] = []
    while (strategy := search.next(most_switches)) is not None:
        execution = program.execute(lanes, strategy)
        expected = small.run(tuple(NAMES.index(name) for name in execution.schedule.names))
        assert {o.lane: o.body for o in execution.outcomes} == dict(zip(NAMES, expected, strict=False))
        seen.append(execution.schedule.names)
        costs.append(preemptions(execution.decisions))
        search.tell(execution)
    return seen, search, costs


@settings(max_examples=examples(20), deadline=None)
@given(small=programs(2, 4) | programs(3, 2))
def test_the_search_runs_every_interleaving_exactly_once_and_each_runs_as_the_model_says(
    tmp_path_factory: pytest.TempPathFactory, small: SmallProgram
) -> None:
    seen, search, costs = schedules(small, tmp_path_factory.mktemp("m"), 99)
    assert sorted(seen) == sorted(tuple(NAMES[lane] for lane in order) for order in small.interleavings())
    assert search.exhausted
    assert costs == sorted(costs), "a schedule with fewer switches came after one with more"


@settings(max_examples=examples(15), deadline=None)
@given(small=programs(2, 4), bound=st.integers(0, 2))
def test_a_bounded_search_runs_exactly_the_schedules_with_at_most_so_many_switches(
    tmp_path_factory: pytest.TempPathFactory, small: SmallProgram, bound: int
) -> None:
    seen, _, _ = schedules(small, tmp_path_factory.mktemp("m"), bound)
    lengths = [len(lane) for lane in small.lanes]

    def switches(order: tuple[int, ...]) -> int:
        left, count, before = list(lengths), 0, None
        for lane in order:
            # Leaving a lane that has begun and is not done is what costs.
            if before is not None and lane != before and 0 < left[before] < lengths[before]:
                count += 1
            left[lane] -= 1
            before = lane
        return count

    expected = [order for order in small.interleavings() if switches(order) <= bound]
    assert sorted(seen) == sorted(tuple(NAMES[lane] for lane in order) for order in expected)


@settings(max_examples=examples(50), deadline=None)
@given(small=programs(2, 3))
def test_the_verdict_is_contaminated_exactly_when_some_interleaving_leaks(
    tmp_path_factory: pytest.TempPathFactory, small: SmallProgram
) -> None:
    program = program_of(small.source(), tmp_path_factory.mktemp("m"))
    result = check(
        program,
        Job("check", "t", requests_of(small), "h", switches=99, faults=False, variants=False),
        lambda progress: None,
    )
    leaking = [order for order in small.interleavings() if small.leaks(order)]
    if leaking:
        assert result.report.verdict == "contaminated", small
        for finding in result.findings:
            order = tuple(NAMES.index(d.lane) for d in finding.run.decisions)
            pair = NAMES.index(finding.crossing.source.lane), NAMES.index(finding.crossing.sink.lane)
            assert pair in small.leaks(order)
            assert finding.crossing.carrier is not None, small
            assert finding.crossing.carrier.kind == "module global"
    else:
        assert result.report.verdict in ("clean", "inconclusive")
        assert result.report.crossings == ()


@settings(max_examples=examples(20), deadline=None)
@given(small=programs(2, 3))
def test_a_finding_needs_no_more_switches_than_the_simplest_leaking_interleaving(
    tmp_path_factory: pytest.TempPathFactory, small: SmallProgram
) -> None:
    folder = tmp_path_factory.mktemp("m")
    program = program_of(small.source(), folder)
    result = check(
        program,
        Job("check", "t", requests_of(small), "h", switches=99, faults=False, variants=False),
        lambda progress: None,
    )
    if not result.findings:
        return
    seen, _, costs = schedules(small, folder, 99)
    best = min(
        cost for order, cost in zip(seen, costs, strict=True) if small.leaks(tuple(NAMES.index(n) for n in order))
    )
    assert min(finding.crossing.needs.switches for finding in result.findings) == best


def test_state_is_the_same_after_ten_thousand_executions(tmp_path: Path) -> None:
    small = SmallProgram(((( ("append", "x"), ("read", "x")), (("append", "y"),)), ((("append", "x"),), (("read", "y"),))))  # fmt: skip
    program = program_of(small.source(), tmp_path)
    assert not program.fresh.forking
    lanes = lanes_of(e.request for e in requests_of(small))
    first = program.execute(lanes, Search([lane.name for lane in lanes]).next(0))
    for _ in range(10_000):
        program.execute(lanes, Search([lane.name for lane in lanes]).next(0))
    assert program.execute(lanes, Search([lane.name for lane in lanes]).next(0)) == first
