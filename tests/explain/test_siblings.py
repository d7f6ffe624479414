"""Things that one request makes together heal together; the one is named that the answer was taken from."""

from __future__ import annotations

from ..conftest import Bench

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
