"""What a lock guards is clean when it is held for the whole turn; else the state is named, and never the lock."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..conftest import turns
from ..reference.checked import carrier_in, checked

WHOLE = """
    import asyncio, collections
    guard, current = MADE, None
    async def handle(user, message):
        global current
        async with GUARD:
            current = message
            await asyncio.sleep(0)
            return current
    """
EARLY = """
    import asyncio
    guard, current = MADE, None
    async def handle(user, message):
        global current
        async with guard:
            current = message
        await asyncio.sleep(0)
        async with guard:
            return current
    """


@pytest.mark.parametrize(
    "made", ["asyncio.Lock()", "asyncio.Semaphore(1)", "asyncio.BoundedSemaphore(1)", "asyncio.Condition()"]
)
def test_state_under_a_guard_is_clean_as_long_as_it_is_held(tmp_path: Path, made: str) -> None:
    whole = checked(WHOLE.replace("MADE", made).replace("GUARD", "guard"), tmp_path)
    assert whole.verdict == "clean", whole.reason
    early = checked(EARLY.replace("MADE", made), tmp_path)
    assert (early.verdict, carrier_in(early)[0]) == ("contaminated", "current")


@pytest.mark.parametrize(
    ("made", "guard"),
    [("asyncio.Semaphore(2)", "guard"), ("collections.defaultdict(asyncio.Lock)", "guard[user]")],
    ids=["two may enter", "a lock for each user"],
)
def test_a_guard_that_lets_both_in_guards_nothing(tmp_path: Path, made: str, guard: str) -> None:
    report = checked(WHOLE.replace("MADE", made).replace("GUARD", guard), tmp_path)
    assert (report.verdict, carrier_in(report)[0]) == ("contaminated", "current")


def test_a_guard_that_tells_what_another_said_is_the_carrier_itself(tmp_path: Path) -> None:
    source = """
        import asyncio
        seats = asyncio.Semaphore(100)
        async def handle(user, message):
            for _ in TAKEN:
                await seats.acquire()
            await asyncio.sleep(0)
            return f"{seats._value} left"
        """
    users = turns(("s1", "alice", "my code is ZX-4411"), ("s2", "bob", "hi"))
    leaking = checked(source.replace("TAKEN", "message"), tmp_path, users)
    assert leaking.verdict == "contaminated", leaking.reason
    assert carrier_in(leaking) == ("seats._value", "instance attribute")
    assert leaking.crossings[0].kind == "derived"
    counted = checked(source.replace("TAKEN", "range(1)"), tmp_path, users)
    assert counted.verdict == "clean", counted.reason
    assert counted.influences
