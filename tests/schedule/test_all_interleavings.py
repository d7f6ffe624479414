"""What a clean verdict says of interleavings that were covered without being executed, and the walks where it cannot."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

import pytest
from crosslane.replay.schedule.strategies import RandomWalk, Strategy

from ..conftest import Bench, turns

USERS = [(f"s{n}", f"user{n}", f"my code is K{n}{n}{n}{n}-{n}") for n in range(4)]
STATELESS = """
import asyncio
async def handle(user, message):
    seen = []
    for turn in range({awaits}):
        seen.append((turn, message))
        await asyncio.sleep(0.1)
    return f"{{user}} {{len(seen)}}"
"""


@pytest.mark.parametrize(
    ("users", "awaits", "interleavings"), [(2, 20, "538,257,874,440"), (3, 4, "756,756"), (4, 2, "369,600")]
)
async def test_a_clean_verdict_says_how_many_interleavings_it_covers_and_how_many_were_executed(
    bench: Bench, users: int, awaits: int, interleavings: str
) -> None:
    result = await bench.run(
        STATELESS.format(awaits=awaits), turns(*USERS[:users]), faults=False, variants=False, switches=1
    )
    assert result.report.verdict == "clean"
    statement = result.report.coverage.statement
    assert statement.startswith(f"all {interleavings} interleavings, ")
    assert "interleavings, 1 executed, the rest equal to it" in statement
    assert "random" not in statement


async def test_a_crossing_that_needs_more_switches_than_the_bound_is_found_by_the_reduction(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        turn, kept = [0], []
        async def handle(user, message):
            mine = 0
            for step in range(9):
                await asyncio.sleep(0)
                # Only strict alternation, four times over, opens the way.
                if turn[0] % 2 == (user == "user1") and turn[0] // 2 == mine:
                    turn[0] += 1
                    mine += 1
            if turn[0] >= 8:
                kept.append(message)
            return kept[:1] if turn[0] >= 9 else []
        """,
        turns(*USERS[:2]),
        faults=False,
        variants=False,
        switches=1,
    )
    assert result.report.verdict == "contaminated"
    assert result.report.crossings[0].needs.switches > 2


async def test_where_nothing_can_be_claimed_walks_are_random(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, itertools
        async def handle(user, message):
            ids = itertools.count()
            for turn in range(20):
                next(ids)
                await asyncio.sleep(0)
            return message
        """,
        turns(*USERS[:2]),
        faults=False,
        variants=False,
        switches=1,
    )
    assert result.report.verdict == "clean"
    assert "interleavings" not in result.report.coverage.statement
    assert "200 at random" in result.report.coverage.statement


@dataclass
class Lane:
    name: str
    left: int


def walked(strategy: Strategy, **steps: int) -> str:
    """The order in which a strategy runs lanes with so many steps each."""
    lanes = [Lane(name, count) for name, count in steps.items()]
    order = ""
    while enabled := [lane for lane in lanes if lane.left]:
        lane = cast("Lane", strategy(cast("Any", enabled), None))
        lane.left -= 1
        order += lane.name
    return order


def test_a_weighted_walk_takes_every_interleaving_equally_often_where_a_uniform_one_does_not() -> None:
    steps = {"a": 1, "b": 4}
    weighted = Counter(walked(RandomWalk(seed, steps), **steps) for seed in range(5_000))
    assert len(weighted) == 5
    assert all(900 < count < 1_100 for count in weighted.values())
    uniform = Counter(walked(RandomWalk(seed, {}), **steps) for seed in range(5_000))
    assert uniform["abbbb"] > 2_000


def test_a_weighted_walk_is_the_same_for_the_same_seed_and_ends_with_lanes_that_do_more_than_they_did_alone() -> None:
    steps = {"a": 2, "b": 2}
    orders = [walked(RandomWalk(seed, steps), a=5, b=3, worker=2) for seed in (1, 1, 2, 3)]
    assert orders[0] == orders[1]
    assert all(sorted(order) == sorted("aaaaabbb" + "worker" * 2) for order in orders)
