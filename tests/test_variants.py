"""Requests that no recording has: two clients that happen to give their requests the same ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .reference.checked import bodies, carrier_in, checked

ROUTED = """
    import asyncio
    waiting = {}
    def reply(key, text):
        future = waiting.pop(key, None)
        if future is not None and not future.done():
            future.set_result("answer to " + text)
    async def handle(user, request):
        key, text = KEY, request["params"]["text"]
        waiting[key] = future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.01, reply, key, text)
        try:
            async with asyncio.timeout(5):
                return await future
        except TimeoutError:
            return "no answer"
    """


def calls(named: str, *ids: Any) -> tuple[Any, ...]:
    texts = ("code ZX-4411", "code QW-9922")
    made = [{named: each, "jsonrpc": "2.0", "params": {"text": text}} for each, text in zip(ids, texts, strict=True)]
    return bodies(("alice", made[0]), ("bob", made[1]))


@pytest.mark.parametrize("named", ["id", "correlationId"])
def test_a_reply_routed_by_an_id_is_found_though_the_recorded_ids_differ(tmp_path: Path, named: str) -> None:
    leaking = checked(ROUTED.replace("KEY", f"request['{named}']"), tmp_path, calls(named, 1, 2))
    assert leaking.verdict == "contaminated", leaking.reason
    assert carrier_in(leaking)[0] == "waiting"
    assert "happen to have the ids" in leaking.crossings[0].explained
    clean = checked(ROUTED.replace("KEY", f"(user, request['{named}'])"), tmp_path, calls(named, 1, 2))
    assert clean.verdict == "clean", clean.reason


def test_the_id_of_a_thing_that_a_user_asks_for_is_not_given_to_another(tmp_path: Path) -> None:
    source = """
        import asyncio
        orders = {"A-1": "tea for alice", "B-2": "rum for bob"}
        async def handle(request):
            await asyncio.sleep(0)
            return orders[request["order_id"]]
        """
    users = bodies(("alice", {"order_id": "A-1"}), ("bob", {"order_id": "B-2"}))
    assert checked(source, tmp_path, users).verdict == "clean"
