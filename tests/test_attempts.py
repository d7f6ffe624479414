"""When a search that has found something may end, and that one which has found nothing never does so early."""

from __future__ import annotations

from crosslane.replay.attempts import Reached

from .conftest import Bench, turns


def reached_after(schedules: int, elapsed_s: float, found_after: int, found_s: float) -> Reached:
    reached = Reached(schedules=found_after, elapsed_s=found_s)
    reached.found(("first",))
    reached.schedules, reached.elapsed_s = schedules, elapsed_s
    reached.found(("first",))
    return reached


def test_it_is_quiet_after_as_many_schedules_again_and_a_second_without_anything_new() -> None:
    assert reached_after(200, 3.0, 100, 2.0).quiet
    assert not reached_after(199, 3.0, 100, 2.0).quiet
    assert not reached_after(200, 2.9, 100, 2.0).quiet


def test_another_crossing_begins_the_wait_anew() -> None:
    reached = reached_after(200, 3.0, 100, 2.0)
    reached.found(("first", "second"))
    assert not reached.quiet


def test_a_search_that_has_found_nothing_is_never_quiet() -> None:
    reached = Reached(schedules=1_000_000, elapsed_s=1_000.0)
    reached.found(())
    assert not reached.quiet


async def test_replaying_a_seed_is_the_walk_of_that_number_in_the_search(bench: Bench) -> None:
    source = """
    import asyncio
    async def handle(user, message):
        for _ in range(1 if user == "alice" else 30):
            await asyncio.sleep(0)
        return user
    """
    exchanges = turns(("s1", "alice", "hello"), ("s2", "bob", "good morning"))
    ends: list[int] = []
    for seed in range(6):
        result = await bench.run(source, exchanges, action="replay", order="random", seed=seed)
        lanes = [decision.lane for decision in result.run.decisions]
        assert lanes.count("alice") == 2
        ends.append(max(n for n, lane in enumerate(lanes) if lane == "alice"))
    # A walk that is uniform over choices would have alice done within the first few of 33 steps each time.
    assert max(ends) > 16


async def test_of_two_users_no_fault_is_tried_twice(bench: Bench) -> None:
    source = """
    import asyncio
    async def handle(user, message):
        await asyncio.sleep(0)
        return user
    """
    exchanges = turns(("s1", "alice", "hello"), ("s2", "bob", "good morning"))
    result = await bench.run(source, exchanges, variants=False)
    # Each may be cancelled where it waits: in both serial orders, and in the two that have one switch.
    assert "and 8 with a request cancelled" in result.report.coverage.statement, result.report.coverage.statement
