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
