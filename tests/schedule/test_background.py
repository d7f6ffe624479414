"""Tasks that belong to no request: several of one name are told apart, or their interleavings would never be tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..reference.checked import carrier_in, checked, lines_in

DETACHED = """
    import asyncio, contextvars
    current = None
    async def work(message, done):
        {shared}
        current = message
        await asyncio.sleep(0)
        done.set_result(current)
    async def handle(user, message):
        done = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(work(message, done), name={name}, context=contextvars.Context())
        return await done
    """


@pytest.mark.parametrize("name", ["None", "'job'", "user"])
def test_tasks_of_one_name_that_no_lane_owns_are_interleaved(tmp_path: Path, name: str) -> None:
    leaking = checked(DETACHED.format(shared="global current", name=name), tmp_path)
    assert leaking.verdict == "contaminated", leaking.reason
    assert carrier_in(leaking) == ("current", "module global")
    assert lines_in(leaking) == ("current = message", "done.set_result(current)")
    clean = checked(DETACHED.format(shared="pass", name=name), tmp_path)
    assert clean.verdict == "clean", clean.reason


def test_callbacks_in_a_context_of_their_own_are_interleaved(tmp_path: Path) -> None:
    source = """
        import asyncio, contextvars
        current = None
        def first(loop, message, done, context):
            SHARED
            current = message
            loop.call_soon(second, current, done, context=context)
        def second(kept, done):
            done.set_result(READ)
        async def handle(user, message):
            loop, context = asyncio.get_running_loop(), contextvars.Context()
            done = loop.create_future()
            loop.call_soon(first, loop, message, done, context, context=context)
            return await done
        """
    leaking = checked(source.replace("SHARED", "global current").replace("READ", "current"), tmp_path)
    assert leaking.verdict == "contaminated", leaking.reason
    assert carrier_in(leaking) == ("current", "module global")
    clean = checked(source.replace("SHARED", "pass").replace("READ", "kept"), tmp_path)
    assert clean.verdict == "clean", clean.reason
