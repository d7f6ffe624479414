"""A trace on its way to the worker: it arrives as it is, once, and can be broken off."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from crosslane.replay.trace.identity import Claim
from crosslane.replay.trace.model import Exchange, Request, Response, Upstream
from crosslane.replay.worker import client, handing
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job, Progress
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import TWO_USERS, Bench, turns

TEXTS = st.text(max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS, lambda v: st.lists(v) | st.dictionaries(TEXTS, v)
)
EXCHANGES = st.builds(
    Exchange,
    st.builds(
        Request,
        TEXTS,
        TEXTS,
        st.none() | TEXTS,
        st.integers(),
        st.none() | TEXTS,
        VALUES,
        st.integers(),
        st.lists(st.builds(Claim, st.just("user"), TEXTS, TEXTS), max_size=2).map(tuple),
    ),
    st.none()
    | st.builds(
        Response,
        st.integers(),
        st.none() | st.integers(),
        st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple),
        VALUES,
        st.lists(TEXTS, max_size=2).map(tuple),
        st.just("ok"),
        st.lists(st.integers(), max_size=2).map(tuple),
    ),
)


def arrived(exchanges: tuple[Exchange, ...], recorded: bool = False) -> tuple[Exchange, ...]:
    lines = [json.loads(line) for _, line in handing.pieces(exchanges)]
    return tuple(exchange for line in lines for exchange in handing.exchanges_of(line["exchanges"], recorded))


@settings(max_examples=40)
@given(st.lists(EXCHANGES, max_size=4).map(tuple))
def test_what_arrives_is_what_was_sent(exchanges: tuple[Exchange, ...]) -> None:
    assert arrived(exchanges) == exchanges


def test_a_large_trace_arrives_in_several_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handing, "_PIECE", 100)
    assert [count for count, _ in handing.pieces(TWO_USERS * 3)] == [1, 2, 3, 4, 5, 6]
    assert arrived(TWO_USERS * 3) == TWO_USERS * 3


def test_recorded_answers_go_along_where_they_are_to_be_repeated() -> None:
    call = Upstream(1, 2, "llm", {"prompt": "hi"}, {"text": "hello"})
    told = (Exchange(TWO_USERS[0].request, None, (call,)),)
    assert arrived(told, recorded=True)[0].request.answers == (("llm", {"prompt": "hi"}, {"text": "hello"}),)
    assert arrived(told)[0].request.answers == ()


async def test_the_same_exchanges_are_handed_over_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    handed: list[int] = []

    def counted(exchanges: Any) -> Any:
        handed.append(len(exchanges))
        return pieces(exchanges)

    pieces = handing.pieces
    monkeypatch.setattr(handing, "pieces", counted)
    bench.write("async def handle(user, message):\n    return message\n")
    other = turns(("s1", "alice", "another text"), ("s2", "bob", "and one more"))
    said: list[Any] = []
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        for exchanges in (TWO_USERS, tuple(TWO_USERS), other, TWO_USERS):
            result = await worker.run(Job("replay", "t", exchanges, "agent.py:handle"))
            said.append([outcome.body for outcome in result.run.outcomes])
    assert len(handed) == 3
    assert said[0] == said[1] == said[3] != said[2] == ["another text", "and one more"]


async def test_what_is_broken_off_while_it_is_handed_over_is_inconclusive_and_the_next_job_gets_all(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing, "_PIECE", 100)
    bench.write("async def handle(user, message):\n    return message\n")
    job = Job("replay", "t", TWO_USERS, "agent.py:handle")
    async with Worker(WorkerOptions(None, bench.folder)) as worker:

        def heard(progress: Progress) -> None:
            assert progress.phase == "handing over the trace, 50 %"
            worker._cancelled = True

        report = (await worker.run(job, heard)).report
        assert report.verdict == "inconclusive"
        assert report.coverage.statement == "nothing was executed: interrupted while the handler was given the trace"
        assert len((await worker.run(job)).run.outcomes) == 2


async def test_a_worker_that_does_not_listen_yet_is_not_waited_for_when_the_job_is_cancelled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = bench.write("import sys, time\nsys.stdin.buffer.read(1)\ntime.sleep(600)\n", "deaf.py")
    monkeypatch.setattr(client, "_LAUNCH", deaf)
    bench.write("async def handle(user, message):\n    return message\n")
    for exchanges in (TWO_USERS, TWO_USERS * 20_000):  # as much as the pipe takes, and more
        async with Worker(WorkerOptions(None, bench.folder)) as worker:
            running = asyncio.ensure_future(worker.run(Job("replay", "t", exchanges, "agent.py:handle")))
            while worker._process is None:
                await asyncio.sleep(0)
            await worker.cancel()
            report = (await running).report
        assert report.verdict == "inconclusive"
        assert report.coverage.statement.startswith("nothing was executed: interrupted while the handler was ")
