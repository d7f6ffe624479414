"""Things that are reached together: made by one request, or handed out in turn. The one is named that carried it."""

from __future__ import annotations

from ..conftest import Bench, turns

QUEUES = """
    import asyncio
    asked = answers = task = None

    async def worker():
        while True:
            message = await asked.get()
            await asyncio.sleep(0.01)
            await answers.put("echo " + message)

    async def handle(user, message):
        global asked, answers, task
        if asked is None:
            asked = asyncio.Queue(); answers = asyncio.Queue(); task = asyncio.create_task(worker())
        await asked.put(message)
        return await answers.get()
    """


async def test_of_two_queues_made_by_a_request_the_one_that_mixes_the_answers_is_named(bench: Bench) -> None:
    result = await bench.run(QUEUES, switches=1, most_executions=200)
    assert result.report.crossings
    for crossing in result.report.crossings:
        assert crossing.carrier is not None
        assert crossing.write is not None
        assert crossing.read is not None
        assert crossing.carrier.name == "agent.answers"
        assert (crossing.write.at, crossing.read.at) == ("agent.py:9", "agent.py:16")


async def test_what_an_iterator_hands_out_in_turn_goes_by_the_name_of_the_iterator(bench: Bench) -> None:
    source = """
        import asyncio, itertools
        slots = itertools.cycle([[], []])
        async def handle(user, message):
            slot = next(slots)
            slot.append(message)
            await asyncio.sleep(0)
            return str(slot)
        """
    users = turns(("s1", "alice", "code ZX-4411"), ("s2", "bob", "code QW-9922"), ("s1", "alice", "card 4417-2093"))
    result = await bench.run(source, users, switches=1, most_executions=150)
    assert result.report.crossings
    for crossing in result.report.crossings:
        assert crossing.carrier is not None
        assert crossing.write is not None
        assert crossing.read is not None
        assert (crossing.carrier.name, crossing.carrier.defined_at) == ("agent.slots", "agent.py:3")
        assert (crossing.write.at, crossing.read.at) == ("agent.py:6", "agent.py:8")
        assert "in turn" in crossing.fix
