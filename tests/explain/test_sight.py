"""What an observed run keeps of each row: the stack with its locals, and shared state with who wrote it."""

from __future__ import annotations

import json

from crosslane.replay.run import Run
from crosslane.replay.sight import Sight
from crosslane.replay.trace.model import Exchange

from ..conftest import TWO_USERS, Bench

AGENT = """
import asyncio
seen = {}
class Memory:
    def __init__(self):
        self.turns = []
    def __repr__(self):
        raise SystemExit("looked at by its own code")
    @property
    def secret(self):
        raise SystemExit("looked at by its own code")
memory = Memory()
async def think(prompt):
    words = prompt.split()
    await asyncio.sleep(0)
    return len(words)
async def handle(user, message):
    kept = memory
    memory.turns.append(user)
    seen[user] = message
    count = await think(message)
    if user == "bob":
        raise ValueError(count)
    return " ".join(memory.turns)
"""


async def observed(bench: Bench, source: str = AGENT, exchanges: tuple[Exchange, ...] = TWO_USERS) -> Run:
    result = await bench.run(source, exchanges, action="replay", order="serial")
    assert result.run.sight is not None
    return result.run


def rows(run: Run, kind: str, lane: str) -> list[int]:
    return [n for n, event in enumerate(run.events) if (event.kind, event.lane) == (kind, lane)]


async def test_at_an_await_the_stack_has_every_frame_of_the_users_with_its_locals(bench: Bench) -> None:
    run = await observed(bench)
    assert run.sight is not None
    (waiting,) = rows(run, "await", "alice")
    inner, outer = run.sight.stack(waiting)
    assert inner[:2] == ("think", "agent.py:15")
    assert ("words", "['My', 'name', 'is', 'Alice', 'Ferrante']") in inner[2]
    assert outer[:2] == ("handle", "agent.py:21")
    assert ("user", "'alice'") in outer[2]
    assert ("kept", "<Memory turns=['alice']>") in outer[2], "looked at without its own code"


async def test_at_the_end_of_a_request_the_frame_that_was_left_last_is_shown(bench: Bench) -> None:
    run = await observed(bench)
    assert run.sight is not None
    answered, failed = rows(run, "response", "alice")[0], rows(run, "error", "bob")[0]
    assert ("count", "5") in run.sight.stack(answered)[0][2]
    assert run.sight.stack(failed)[0][:2] == ("handle", "agent.py:23")
    assert run.sight.stack(rows(run, "request", "bob")[0]) == []


async def test_shared_state_says_who_wrote_what_and_what_a_step_changed(bench: Bench) -> None:
    run = await observed(bench)
    assert run.sight is not None
    alice, bob = (run.events[rows(run, "await", lane)[0]].step for lane in ("alice", "bob"))
    first = {held.name: held for held in run.sight.state(alice)}
    turns = next(held for name, held in first.items() if name.startswith("agent.memory"))
    assert (turns.value, turns.writer, turns.before) == ("['alice']", "alice", "[]")
    assert first["agent.seen"].value == "{'alice': 'My name is Alice Ferrante'}"
    later = {held.name: held for held in run.sight.state(bob)}
    assert later["agent.seen"].writer == "bob"
    assert later["agent.seen"].before == "{'alice': 'My name is Alice Ferrante'}"
    after = {held.name: held for held in run.sight.state(bob + 1)}
    assert after["agent.seen"].before is None, "that step changed nothing"
    assert run.sight.state(0) == []


async def test_what_a_program_sees_is_the_same_with_and_without_being_looked_at(bench: Bench) -> None:
    source = """
    import asyncio, weakref
    class Big: pass
    gone = []
    async def handle(user, message):
        big = Big()
        weakref.finalize(big, gone.append, user)
        inner(big)
        del big
        await asyncio.sleep(0)
        return f"{user} {sorted(gone)}"
    def inner(big):
        held = big
        return None
    """
    result = await bench.run(source, action="replay", order="serial")
    assert "differ" not in result.report.reason
    assert result.run.outcomes[0].body == "alice ['alice']"


async def test_the_same_run_has_the_same_sight_and_it_survives_json(bench: Bench) -> None:
    one, other = await observed(bench), await observed(bench)
    assert one.sight == other.sight
    assert one.sight is not None
    assert Run.from_json(json.loads(json.dumps(one.to_json()))) == one
    assert len(one.sight.rows) == len(one.events)


async def test_a_long_run_with_large_values_stays_small(bench: Bench) -> None:
    source = """
    import asyncio
    log = []
    async def handle(user, message):
        for n in range(100):
            big = [f"{user} {n} {k}" for k in range(200)]
            log.append(big)
            await asyncio.sleep(0)
            await asyncio.sleep(0.1)
        return "ok"
    """
    run = await observed(bench, source)
    assert run.sight is not None
    assert len(run.events) > 200
    assert len(json.dumps(run.sight.to_json())) < 1_000 * len(run.events)


def test_a_sight_of_nothing_answers_nothing() -> None:
    assert Sight().stack(0) == []
    assert Sight().stack(-1) == []
    assert Sight().state(3) == []
