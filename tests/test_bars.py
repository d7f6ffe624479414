"""The cases on which other explorers were measured: the deeper bugs are found at once, and the bugs that a
concurrency explorer passed as holding are never clean here."""

from __future__ import annotations

import pytest

from .conftest import Bench, turns

USERS = [
    ("s1", "alice", "my code is ZX-4411"),
    ("s2", "bob", "my code is QW-9922"),
    ("s3", "carol", "my code is MN-7733"),
]

DEEPER = {
    "h1: a module scalar": (
        """
        import asyncio
        current = None
        async def handle(message):
            global current
            current = message
            await asyncio.sleep(0)
            return current
        """,
        2, "agent.current", 1,
    ),
    "h2: a cache entry without a key, alive during one await": (
        """
        import asyncio
        cache = {}
        async def handle(message):
            if "profile" not in cache:
                cache["profile"] = message
            await asyncio.sleep(0)
            return cache.pop("profile", "nobody")
        """,
        2, "agent.cache['profile']", 1,
    ),
    "h3: a shared session that is released too early": (
        """
        import asyncio
        class Session:
            def __init__(self):
                self.user = None
        shared = Session()
        free = [shared]
        async def handle(user, message):
            session = free.pop() if free else Session()
            session.user = message
            await asyncio.sleep(0)
            free.append(session)
            await asyncio.sleep(0)
            return session.user
        """,
        2, "agent.shared.user", 1,
    ),
    "h4: a pool of two slots and three users": (
        """
        import asyncio
        slots = [{}, {}]
        taken = 0
        async def handle(message):
            global taken
            slot = slots[taken % 2]
            taken += 1
            slot["text"] = message
            await asyncio.sleep(0)
            answer = slot["text"]
            taken -= 1
            return answer
        """,
        3, None, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DEEPER)
async def test_the_deeper_bugs_are_found_within_three_schedules_and_no_more_switches_than_needed(
    bench: Bench, case: str
) -> None:
    source, users, carrier, switches = DEEPER[case]
    result = await bench.run(source, turns(*USERS[:users]), faults=False, variants=False)
    crossing = min(result.report.crossings, key=lambda c: c.found_after)
    assert crossing.found_after <= 3
    assert crossing.needs.switches <= switches
    assert crossing.write is not None
    assert crossing.read is not None
    assert {crossing.source.lane, crossing.sink.lane} <= {"alice", "bob", "carol"}
    assert crossing.carrier is not None
    assert carrier is None or crossing.carrier.name == carrier


async def test_state_in_a_file_is_found_or_inconclusive_with_the_reason(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        async def handle(message):
            with open("current.txt", "w") as file:
                file.write(message)
            await asyncio.sleep(0)
            with open("current.txt") as file:
                return file.read()
        """,
        turns(*USERS[:2]),
    )
    assert result.report.verdict == "contaminated"
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("current.txt", "file")
    assert crossing.write is not None
    assert crossing.write.at == "agent.py:4"


async def test_state_in_the_environment_is_named(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, os
        async def handle(message):
            os.environ["CURRENT_USER"] = message
            await asyncio.sleep(0)
            return os.environ["CURRENT_USER"]
        """,
        turns(*USERS[:2]),
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("os.environ['CURRENT_USER']", "environment variable")


async def test_a_server_inside_the_program_is_reached_in_memory(bench: Bench) -> None:
    result = await bench.run(
        """
        import aiohttp, asyncio
        from aiohttp import web
        class Agent:
            user = None
        async def chat(request):
            Agent.user = await request.text()
            await asyncio.sleep(0)
            return web.Response(text=Agent.user)
        async def handle(message):
            app = web.Application()
            app.router.add_post("/", chat)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            port = runner.addresses[0][1]
            async with aiohttp.ClientSession() as client:
                async with client.post(f"http://127.0.0.1:{port}/", data=message) as answer:
                    text = await answer.text()
            await runner.cleanup()
            return text
        """,
        turns(*USERS[:2]),
        faults=False,
        variants=False,
        budget_s=8.0,
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "Agent.user"


@pytest.mark.parametrize(("users", "awaits"), [(3, 3), (8, 3)])
async def test_a_lock_free_handler_without_shared_state_raises_no_alarm(bench: Bench, users: int, awaits: int) -> None:
    lines = [(f"s{n}", f"user{n}", f"my code is K{n}{n}{n}{n}-{n}") for n in range(users)]
    for seed in range(10 if users == 3 else 3):
        result = await bench.run(
            f"""
            import asyncio
            async def handle(user, message):
                history = []
                for turn in range({awaits}):
                    history.append((user, turn, message, {seed}))
                    await asyncio.sleep(0.01)
                return history
            """,
            turns(*lines),
            most_executions=400 if users == 3 else 2_000,
        )
        assert result.report.verdict == "clean", result.report.reason
