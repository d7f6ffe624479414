"""Several crossings of one cause are one finding, explained once; another cause is never taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crosslane.replay import causes, investigation
from crosslane.replay.allow import Allow
from crosslane.replay.checking import replay
from crosslane.replay.worker.job import Job

from ..conftest import TWO_USERS, Bench, turns
from ..handler.test_applications import posts
from ..reference.program import program_of

MESSAGES = turns(
    ("s1", "alice", "code ZX-4411"),
    ("s2", "bob", "code QW-9922"),
    ("s1", "alice", "card 4417-2093"),
    ("s2", "bob", "card 5521-8846"),
)


def test_crossings_that_come_down_to_a_known_cause_are_not_explained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import asyncio
said = []
async def handle(user, message):
    said.append(message)
    await asyncio.sleep(0)
    return " | ".join(said)
"""
    looked_into: list[str] = []
    find, explained = causes.find, causes._explained

    def found(*what: Any) -> None:
        looked_into.append("found")
        find(*what)

    def told(*what: Any) -> Any:
        looked_into.append("explained")
        return explained(*what)

    monkeypatch.setattr(investigation, "find", found)
    monkeypatch.setattr(causes, "_explained", told)
    result = replay(program_of(source, tmp_path), Job("replay", "", MESSAGES[:3], "x.py:handle"), lambda _: None)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name.endswith(".said")
    assert (looked_into.count("found") > 1, looked_into.count("explained")) == (True, 1)


async def test_beside_a_known_cause_another_one_as_simple_is_found(bench: Bench) -> None:
    source = """
        import asyncio
        codes, cards = [], []
        async def handle(user, message):
            kept = codes if message.startswith("code") else cards
            kept.append(message)
            await asyncio.sleep(0)
            return " | ".join(kept)
        """
    for action in ("replay", "check"):
        options = {"most_executions": 200} if action == "check" else {}
        result = await bench.run(source, MESSAGES, action=action, **options)
        carriers = {crossing.carrier.name for crossing in result.report.crossings if crossing.carrier is not None}
        assert carriers == {"agent.codes", "agent.cards"}


BOTH_IN_ONE_PLACE = """
    import asyncio
    {first} = {{}}
    {second} = []
    async def handle(user, message):
        {first}["who"] = message
        {second}.append(message)
        await asyncio.sleep(0)
        return "{{}} {{}}".format({said_first}, {said_second})
    """


async def test_two_causes_in_one_place_are_two_findings(bench: Bench) -> None:
    """The second cannot be seen behind the first: every schedule that shows it shows that as well."""
    leaking = {"said_first": 'latest["who"]', "said_second": '" | ".join(log)'}
    named = {"first": "latest", "second": "log"}
    result = await bench.run(BOTH_IN_ONE_PLACE.format(**named, **leaking), TWO_USERS, variants=False)
    found = {c.carrier.name: c.needs for c in result.report.crossings if c.carrier is not None}
    assert set(found) == {"agent.latest['who']", "agent.log"}
    assert (found["agent.latest['who']"].cls, found["agent.log"].cls) == ("interleaved", "sequential")
    assert "with what was found kept apart for each session" in result.report.coverage.statement
    second = next(c for c in result.report.crossings if c.carrier is not None and c.carrier.name != "agent.log")
    assert "with agent.log kept apart for each session, this still crosses" in second.explained

    mended = {"said_first": "message", "said_second": '" | ".join(log)'}
    result = await bench.run(BOTH_IN_ONE_PLACE.format(**named, **mended), TWO_USERS, variants=False)
    assert [c.carrier.name for c in result.report.crossings if c.carrier is not None] == ["agent.log"]


async def test_what_is_allowed_does_not_hide_another_cause_in_the_same_place(bench: Bench) -> None:
    leaking = {"said_first": 'latest["who"]', "said_second": '" | ".join(log)'}
    source = BOTH_IN_ONE_PLACE.format(first="latest", second="log", **leaking)
    allow = (Allow(carrier="agent.log", reason="a room that all are in"),)
    result = await bench.run(source, TWO_USERS, variants=False, allow=allow)
    assert [c.carrier.name for c in result.report.crossings if c.carrier is not None] == ["agent.latest['who']"]
    assert [allowed.carrier for allowed in result.report.allowed] == ["agent.log"]


async def test_what_carries_it_twice_at_once_is_two_findings_too(bench: Bench) -> None:
    source = """
        import asyncio
        history, last = [], {}
        async def handle(user, message):
            said = " | ".join(history) + last.get("said", "")
            history.append(message)
            last["said"] = message
            await asyncio.sleep(0)
            return "you said " + message + ", before that " + said
        """
    result = await bench.run(source, TWO_USERS, variants=False)
    names = {c.carrier.name for c in result.report.crossings if c.carrier is not None}
    assert names == {"agent.history", "agent.last['said']"}


@pytest.mark.parametrize("made", ["at start-up", "by the first request"])
async def test_two_causes_in_an_object_that_is_made_anew_in_each_execution(bench: Bench, made: str) -> None:
    source = """
        import asyncio
        from contextlib import asynccontextmanager
        from fastapi import FastAPI
        class Agent:
            def __init__(self):
                self.log = []
                self.latest = ""
        agent = None
        @asynccontextmanager
        async def lifespan(app):
            if {at_start}:
                global agent
                agent = Agent()
            yield
        app = FastAPI(lifespan=lifespan)
        @app.post("/")
        async def chat(body: dict):
            global agent
            agent = agent or Agent()
            agent.latest = body["text"]
            agent.log.append(body["text"])
            await asyncio.sleep(0)
            return {{"reply": " | ".join(agent.log) + " and last " + agent.latest}}
        """.format(at_start=made == "at start-up")
    result = await bench.run(source, posts("/"), "agent.py:app", variants=False)
    names = {c.carrier.name for c in result.report.crossings if c.carrier is not None}
    assert names == {"agent.agent.log", "agent.agent.latest"}


async def test_two_causes_in_one_place_show_in_the_replay_of_one_schedule(bench: Bench) -> None:
    leaking = {"said_first": 'latest["who"]', "said_second": '" | ".join(log)'}
    source = BOTH_IN_ONE_PLACE.format(first="latest", second="log", **leaking)
    result = await bench.run(source, TWO_USERS, action="replay", order="lockstep")
    names = {c.carrier.name for c in result.report.crossings if c.carrier is not None}
    assert names == {"agent.latest['who']", "agent.log"}


OF_A_WORKER = """
    import asyncio
    asked, task, first, free = None, None, {{}}, [[]]
    async def worker(asked):
        last = ""
        while True:
            text, answer = await asked.get()
            answer.done() or answer.set_result(last)
            last = text
    async def handle(user, message):
        global asked, task
        if asked is None:
            asked = asyncio.Queue()
            task = asyncio.create_task(worker(asked))
        answer = asyncio.get_running_loop().create_future()
        await asked.put((message, answer))
        said = await answer
        {more}
        return f"{{said}} | {{also}}"
    """
MEMO = "also = first.setdefault('said', message)"
POOL = """kept = free.pop() if free else []
        kept.append(message)
        try:
            await asyncio.sleep(0)
            also = str(kept)
            kept.clear()
        finally:
            free.append(kept)"""


@pytest.mark.parametrize(
    ("more", "name"), [(MEMO, "agent.first['said']"), (POOL, "agent.free")], ids=["another global", "after a fault"]
)
async def test_beside_what_a_worker_keeps_another_cause_is_found(bench: Bench, more: str, name: str) -> None:
    options: dict[str, Any] = {"variants": False, "switches": 1, "most_executions": 2_000}
    result = await bench.run(OF_A_WORKER.format(more=more), TWO_USERS, **options)
    names = {c.carrier.name for c in result.report.crossings if c.carrier is not None}
    assert "worker.last" in names
    assert any(other.startswith(name) for other in names)
    assert len(names) == 2


async def test_a_rule_for_one_of_two_causes_leaves_the_other(bench: Bench) -> None:
    allow = (Allow(carrier="agent.first*", reason="the greeting of the house"),)
    result = await bench.run(OF_A_WORKER.format(more=MEMO), TWO_USERS, variants=False, switches=1, allow=allow)
    assert [c.carrier.name for c in result.report.crossings if c.carrier is not None] == ["worker.last"]
