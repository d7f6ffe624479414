"""Stepping into another interleaving: what has to be followed, and what stays near to the old run."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from crosslane.replay.run import Decision, Run
from crosslane.replay.schedule.branching import branched, faults, followed, others
from crosslane.replay.schedule.schedule import FAULTS, Schedule
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job, Progress
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
    fault = data.draw(st.sampled_from(("", *FAULTS)))
    schedule, then = branched(run, step, lane, fault)
    assert schedule.names == (*(d.lane for d in run[:step]), lane)
    undone = lane == run[step].lane and bool(run[step].action)
    turns = Counter(d.lane for d in run[step:] if not d.action)
    kept = Counter(name for n, name in enumerate(then.names) if n not in dict(then.faults))
    assert kept == (turns if undone else turns - Counter([lane]))
    before = [(n, d.action) for n, d in enumerate(run[:step]) if d.action]
    assert list(schedule.faults) == [*before, *([(step, fault)] if fault else [])]
    assert [action for _, action in then.faults] == [d.action for d in run[step + undone :] if d.action]


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
        job = Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", order="serial")
        serial = await worker.run(job)
        assert serial.report.verdict == "clean"
        assert serial.environment == {}
        assert [d.lane for d in serial.run.decisions] == ["alice", "alice", "bob", "bob"]
        schedule, then = branched(serial.run.decisions, 1, "bob")
        crossing = await worker.run(
            Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", schedule=schedule, then=then)
        )
        assert followed(crossing.run.decisions, schedule)
        assert [d.lane for d in crossing.run.decisions] == ["alice", "bob", "alice", "bob"]
        assert crossing.report.verdict == "contaminated"
        assert any(e.kind == "write" and e.carrier == "agent.context" for e in crossing.run.events)
        assert crossing.report.executions < serial.report.executions + 20
        back, then = branched(crossing.run.decisions, 1, "alice")
        again = await worker.run(Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", schedule=back, then=then))
        assert again.report.verdict == "clean"
        assert again.report.executions == 2, "one to look at the answers, one observed, and no baseline again"


async def test_the_timeline_of_a_branch_is_told_before_it_is_looked_into(bench: Bench) -> None:
    bench.write(AGENT)
    told: list[Run] = []

    def heard(progress: Progress) -> None:
        told.extend([progress.run] if progress.run is not None else [])

    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        job = Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", order="serial", timeline_first=True)
        serial = await worker.run(job, heard)
        assert told == [serial.run]
        assert (await worker.run(job)).report.executions == 2, "one to look at the answers, and one observed"
        schedule, then = branched(serial.run.decisions, 1, "bob")
        for _ in range(2):
            crossing = await worker.run(replace(job, schedule=schedule, then=then), heard)
            assert crossing.report.verdict == "contaminated"
            assert (told[-1].decisions, told[-1].outcomes) == (crossing.run.decisions, crossing.run.outcomes)
        assert len(told) == 3
        assert any(event.carrier == "agent.context" for event in told[-1].events), "what carried it the last time"
        assert not any(event.carrier for event in told[0].events)


def test_what_can_be_done_instead_is_every_fault_but_that_which_was_done_and_none_at_all() -> None:
    assert faults(Decision("bob", ("bob",))) == ()
    assert faults(Decision("bob", ("bob",), faults=("cancel", "fail"))) == ("cancel", "fail")
    assert faults(Decision("bob", ("bob",), action="fail", faults=("cancel", "fail"))) == ("", "cancel")


async def test_a_request_that_is_cancelled_at_a_step_leaves_its_data_to_the_next_lane(bench: Bench) -> None:
    bench.write(AGENT)
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        job = Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle", order="serial")
        serial = await worker.run(job)
        assert [decision.faults for decision in serial.run.decisions] == [(), ("cancel",), (), ("cancel",)]
        schedule, then = branched(serial.run.decisions, 1, "alice", "cancel")
        broken = await worker.run(replace(job, schedule=schedule, then=then))
        assert [decision.action for decision in broken.run.decisions] == ["", "cancel", "", ""]
        assert broken.report.verdict == "contaminated"
        (finding,) = broken.report.crossings
        assert (finding.source.lane, finding.sink.lane) == ("alice", "bob")
        schedule, then = branched(broken.run.decisions, 1, "alice")
        assert (await worker.run(replace(job, schedule=schedule, then=then))).report.verdict == "clean"


async def test_a_function_that_cannot_be_cancelled_offers_it_nowhere(bench: Bench) -> None:
    bench.write("import time\n\ndef handle(user, message):\n    time.sleep(1)\n    return message\n")
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        run = (await worker.run(Job("replay", "t", TWO_USERS, "agent.py:handle"))).run
    assert not any(decision.faults for decision in run.decisions)


async def test_baselines_are_not_taken_from_other_requests(bench: Bench) -> None:
    bench.write("async def handle(user, message):\n    return message\n")
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        first = await worker.run(Job("replay", "t", TWO_USERS, "agent.py:handle", schedule=Schedule(("alice",))))
        other = await worker.run(Job("replay", "t", TWO_USERS[::-1], "agent.py:handle", schedule=Schedule(("alice",))))
    assert first.report.executions == other.report.executions
    assert list(first.solo) == ["alice", "bob"]
    assert list(other.solo) == ["bob", "alice"]
