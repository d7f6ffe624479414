"""Stepping into another interleaving: what has to be followed, and what stays near to the old run."""

from __future__ import annotations

from collections import Counter

from crosslane.replay.run import Decision
from crosslane.replay.schedule.branching import branched, followed, others
from crosslane.replay.schedule.schedule import Schedule
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job
from hypothesis import given
from hypothesis import strategies as st

from ..conftest import TWO_USERS, Bench

LANES = ("alice", "bob", "carol")
RUNS = st.lists(
    st.builds(Decision, st.sampled_from(LANES), st.just(LANES), action=st.sampled_from(("", "", "", "cancel"))),
    min_size=1,
    max_size=30,
)

AGENT = """
import asyncio
context = []
async def think():
    await asyncio.sleep(0)
async def handle(user, message):
    context.append(message)
    await think()
    reply = " ".join(context)
    context.clear()
    return reply
"""


@given(RUNS, st.data())
def test_the_steps_before_are_followed_then_the_choice_and_every_lane_keeps_its_turns(
    run: list[Decision], data: st.DataObject
) -> None:
    step = data.draw(st.integers(0, len(run) - 1))
    lane = data.draw(st.sampled_from(LANES))
    schedule, then = branched(run, step, lane)
    assert schedule.names == (*(d.lane for d in run[:step]), lane)
    turns = Counter(d.lane for d in run[step:] if not d.action)
    kept = Counter(name for n, name in enumerate(then.names) if n not in dict(then.faults))
    assert kept == turns - Counter([lane])
    before = [d.action for d in run[:step] if d.action]
    assert [action for _, action in schedule.faults] == before
    assert [action for _, action in then.faults] == [d.action for d in run[step:] if d.action]


@given(RUNS, st.data())
def test_the_choice_that_was_made_gives_the_same_run_again(run: list[Decision], data: st.DataObject) -> None:
    step = data.draw(st.integers(0, len(run) - 1))
    if run[step].action:
        return
    schedule, then = branched(run, step, run[step].lane)
    assert [*schedule.names, *then.names] == [d.lane for d in run]


def test_who_could_have_run_is_everyone_enabled_but_the_one_who_did() -> None:
    assert others(Decision("bob", ("alice", "bob", "carol"))) == ("alice", "carol")
    assert others(Decision("bob", ("bob",))) == ()


async def test_a_branch_of_a_real_run_follows_the_choice_and_says_what_came_of_it(bench: Bench) -> None:
    bench.write(AGENT)
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        job = Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", order="serial", environment=False)
        serial = await worker.run(job)
        assert serial.report.verdict == "clean"
        assert serial.environment == {}
        assert [d.lane for d in serial.run.decisions] == ["alice", "alice", "bob", "bob"]
        schedule, then = branched(serial.run.decisions, 1, "bob")
        crossing = await worker.run(
            Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", schedule=schedule, then=then, environment=False)
        )
        assert followed(crossing.run.decisions, schedule)
        assert [d.lane for d in crossing.run.decisions] == ["alice", "bob", "alice", "bob"]
        assert crossing.report.verdict == "contaminated"
        assert any(e.kind == "write" and e.carrier == "agent.context" for e in crossing.run.events)
        assert crossing.report.executions < serial.report.executions + 20
        back, then = branched(crossing.run.decisions, 1, "alice")
        again = await worker.run(
            Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", schedule=back, then=then, environment=False)
        )
        assert again.report.verdict == "clean"
        assert again.report.executions == 2, "one to look at the answers, one observed, and no baseline again"


async def test_baselines_are_not_taken_from_other_requests(bench: Bench) -> None:
    bench.write("async def handle(user, message):\n    return message\n")
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        first = await worker.run(Job("replay", "t", TWO_USERS, "agent.py:handle", schedule=Schedule(("alice",))))
        other = await worker.run(Job("replay", "t", TWO_USERS[::-1], "agent.py:handle", schedule=Schedule(("alice",))))
    assert first.report.executions == other.report.executions
    assert list(first.solo) == ["alice", "bob"]
    assert list(other.solo) == ["bob", "alice"]
