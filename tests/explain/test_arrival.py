"""What a request makes and keeps for all (a client, a pool, made when first needed) is looked into from then on."""

from __future__ import annotations

import pytest

from ..conftest import Bench

POOL = """
    import asyncio
    class Connection:
        def __init__(self):
            self.replies = []
    class Client:
        def __init__(self):
            self.connections = [Connection()]
            self.calls = 0
        async def ask(self, text):
            self.calls += 1
            connection = {connection}
            connection.replies.append(text)
            await asyncio.sleep(0)
            return connection.replies.pop(0)
    client = None
    async def handle(user, message):
        global client
        if client is None:
            client = Client()
        return await client.ask(message)
    """


async def test_the_reply_that_a_cancelled_request_left_is_named_by_its_path_below_the_client(bench: Bench) -> None:
    leaking = await bench.run(POOL.format(connection="self.connections[0]"), variants=False, switches=0)
    crossing = leaking.report.crossings[0]
    assert crossing.carrier is not None
    assert crossing.write is not None
    assert crossing.read is not None
    assert crossing.carrier.name == "agent.client.connections[0].replies"
    assert crossing.carrier.defined_at == "agent.py:16"
    assert crossing.needs.cls == "cancellation"
    assert (crossing.write.code, crossing.read.code) == (
        "connection.replies.append(text)",
        "return connection.replies.pop(0)",
    )
    clean = await bench.run(POOL.format(connection="Connection()"), variants=False, switches=0)
    assert clean.report.verdict == "clean", clean.report.reason


@pytest.mark.parametrize("kind", ["async ", ""])
async def test_an_agent_made_by_the_first_request_is_looked_into_before_that_request_has_put_anything_there(
    bench: Bench, kind: str
) -> None:
    result = await bench.run(
        f"""
        class Agent:
            def __init__(self):
                self.turns = 0
                self.messages = []
        agent = None
        {kind}def handle(message):
            global agent
            if agent is None:
                agent = Agent()
            agent.turns += 1
            agent.messages.append(message)
            return " ".join(agent.messages)
        """,
        variants=False,
        switches=0,
    )
    names = [crossing.carrier.name for crossing in result.report.crossings if crossing.carrier is not None]
    assert names == ["agent.agent.messages"]


async def test_an_object_made_anew_by_each_request_stays_named_by_the_global_that_holds_it(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        class Turn:
            def __init__(self, text):
                self.text = text
        turn = None
        async def handle(message):
            global turn
            turn = Turn(message)
            await asyncio.sleep(0)
            return turn.text
        """,
        switches=1,
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.turn"
