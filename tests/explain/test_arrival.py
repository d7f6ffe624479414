"""What a request makes and keeps for all (a client, a pool, made when first needed) is looked into from then on."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from crosslane.replay.state import caches

from ..conftest import Bench
from ..reference.checked import carrier_in, checked, lines_in

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


STORE = """
    import asyncio
    from functools import cache, lru_cache
    class Store:
        def __init__(self):
            self.texts = {{}}
        def get(self, key):
            return self.texts.get(key, [])
        def put(self, key, texts):
            self.texts[key] = texts
    @{cached}
    def store(kind):
        return Store()
    async def handle(user, message):
        key = {key}
        texts = [*store("notes").get(key), message]
        await asyncio.sleep(0)
        store("notes").put(key, texts)
        return texts
    """


@pytest.mark.parametrize("cached", ["lru_cache", "cache", "lru_cache(maxsize=2)"])
def test_what_a_cached_function_has_made_for_all_is_named_down_to_the_entry(tmp_path: Path, cached: str) -> None:
    report = checked(STORE.format(cached=cached, key="''"), tmp_path)
    assert carrier_in(report) == ("store().texts['']", "instance attribute")
    assert lines_in(report) == ("self.texts[key] = texts", "return self.texts.get(key, [])")
    assert checked(STORE.format(cached=cached, key="user"), tmp_path).verdict == "clean"


def test_a_place_without_which_requests_are_refused_is_no_cause(tmp_path: Path) -> None:
    """A framework fills its table of routes at the first request, and notes that it did. With a table of its own, and
    without the note, no request of the other lane is found a route, and so nothing leaks."""
    report = checked(
        """
        import asyncio
        class Routes:
            def __init__(self):
                self.filled, self.table = False, ()
            def find(self):
                if not self.filled:
                    self.filled, self.table = True, (answer,)
                return next(iter(self.table), None)
        t = Routes()
        latest_of_everybody = []
        async def answer(message):
            latest_of_everybody.append(message[::-1])
            await asyncio.sleep(0)
            return [text[::-1] for text in latest_of_everybody]
        async def handle(user, message):
            found = t.find()
            return "no route" if found is None else await found(message)
        """,
        tmp_path,
    )
    assert carrier_in(report)[0] == "latest_of_everybody"


def test_a_cache_that_was_cleared_while_it_was_filled_can_be_emptied() -> None:
    @lru_cache
    def made() -> list[str]:
        made.cache_clear()
        return []

    made()
    assert (made.cache_info().misses, caches.results(made)) == (0, [[]])
    caches.write(made, ())
    assert caches.results(made) == []
