"""The patterns of real reports that no other test has, each beside its fix: replies routed by an id that is not unique, a
variable of a database session behind a transaction pooler, a missing session id, a search without
the tenant in its filter."""

from __future__ import annotations

from typing import Any

import pytest
from crosslane.replay.trace.model import Exchange, Request

from .conftest import Bench


def requests(*lines: tuple[str, dict[str, Any]]) -> tuple[Exchange, ...]:
    return tuple(
        Exchange(Request(f"r{n}", f"s-{user}", user, n, None, body, n)) for n, (user, body) in enumerate(lines, 1)
    )


ROUTED = """
    import asyncio

    class Rpc:
        def __init__(self):
            self.waiting = {}
        async def ask(self, key, text):
            future = asyncio.get_running_loop().create_future()
            self.waiting[key] = future
            asyncio.get_running_loop().call_later(0.01, self.reply, key, text)
            return await future
        def reply(self, key, text):
            future = self.waiting.pop(key, None)
            if future is not None and not future.done():
                future.set_result("answer to " + text)

    rpc = Rpc()

    async def handle(user, request):
        key = {key}
        try:
            async with asyncio.timeout(5):
                return await rpc.ask(key, request["text"])
        except TimeoutError:
            return "no answer"
    """

POOLER = """
    import asyncio

    class Backend:
        def __init__(self):
            self.settings = {}

    class TransactionPooler:
        backends = [Backend()]
        async def execute(self, statements):
            backend = self.backends[0]
            result = None
            for statement, value in statements:
                if statement == "SET":
                    backend.settings["app.user"] = value
                else:
                    result = f"rows of {backend.settings.get('app.user', 'nobody')}"
            await asyncio.sleep(0)
            return result

    pooler = TransactionPooler()

    async def handle(user, request):
        USE
    """
TWO_STATEMENTS = (
    'await pooler.execute([("SET", request["account"])])\n        return await pooler.execute([("SELECT", None)])'
)
ONE_TRANSACTION = 'return await pooler.execute([("SET", request["account"]), ("SELECT", None)])'

BUCKET = """
    import asyncio
    memory = {}

    async def handle(user, request):
        key = KEY
        memory.setdefault(key, []).append(request["text"])
        await asyncio.sleep(0)
        return " | ".join(memory[key])
    """

TENANT = """
    import asyncio
    documents = []

    async def handle(user, request):
        documents.append((user, request["text"]))
        await asyncio.sleep(0)
        found = [text for owner, text in documents if FILTER]
        return " | ".join(found)
    """

SAME_ID = requests(("alice", {"id": 1, "text": "code ZX-4411"}), ("bob", {"id": 1, "text": "code QW-9922"}))
ACCOUNTS = requests(("alice", {"account": "acc-551177"}), ("bob", {"account": "acc-883322"}))


@pytest.mark.parametrize(
    ("leaking", "fixed", "trace", "cls"),
    [
        (
            ROUTED.replace("{key}", 'request["id"]'),
            ROUTED.replace("{key}", '(user, request["id"])'),
            SAME_ID,
            "interleaved",
        ),
        (POOLER.replace("USE", TWO_STATEMENTS), POOLER.replace("USE", ONE_TRANSACTION), ACCOUNTS, "interleaved"),
        (BUCKET.replace("KEY", 'request.get("session_id")'), BUCKET.replace("KEY", "user"), SAME_ID, "sequential"),
        (TENANT.replace("FILTER", "True"), TENANT.replace("FILTER", "owner == user"), SAME_ID, "sequential"),
    ],
    ids=[
        "a reply routed by an id",
        "a transaction pooler",
        "no session id",
        "no tenant in the filter",
    ],
)
async def test_each_pattern_is_found_and_its_fix_is_clean(
    bench: Bench, leaking: str, fixed: str, trace: tuple[Exchange, ...], cls: str
) -> None:
    result = await bench.run(leaking, trace, budget_s=10)
    assert result.report.verdict == "contaminated", result.report.reason
    # A reply that comes after its request was cancelled finds the next one without any overlap, too.
    without_fault = [each for each in result.report.crossings if each.needs.cls != "cancellation"]
    crossing = min(without_fault, key=lambda each: each.needs.switches)
    assert crossing.needs.cls == cls
    assert crossing.carrier is not None
    clean = await bench.run(fixed, trace, budget_s=10)
    assert clean.report.verdict == "clean", clean.report.reason
