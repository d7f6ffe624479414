"""An address is no identity: an object that is gone, and another in its place, are not the same thing."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest
from crosslane.replay.schedule import ownership
from crosslane.replay.schedule.actors import ACTOR, Actor
from crosslane.replay.schedule.loop import ControlledLoop

from ..reference.checked import carrier_in, checked

TALK = """
    import asyncio
    seen = []
    class Talk:
        def __init__(self, text): self.texts = [text]
    async def handle(user, message):
        talk = Talk(message)
        await asyncio.sleep(0)
        said = " ".join(talk.texts)
        {keep}
        del talk
        return said
    """


@pytest.mark.parametrize("keep", ["pass", "seen.append(id(talk))"], ids=["freed at once", "its address kept"])
def test_objects_that_come_to_lie_where_anothers_lay_are_no_crossing(tmp_path: Path, keep: str) -> None:
    report = checked(TALK.format(keep=keep), tmp_path)
    assert (report.verdict, report.influences) == ("clean", ()), report.reason


def test_a_dict_keyed_by_an_address_that_is_used_again_is_named(tmp_path: Path) -> None:
    # An allocator of its own makes sure that the address is used again.
    source = """
        import asyncio
        class Slot:
            text = ""
        free, kept = [Slot()], {}
        async def handle(user, message):
            slot = free.pop() if free else Slot()
            slot.text = message
            first = kept.setdefault(KEY, message)
            await asyncio.sleep(0)
            free.append(slot)
            return first
        """
    leaking = checked(source.replace("KEY", "id(slot)"), tmp_path)
    assert leaking.verdict == "contaminated", leaking.reason
    assert carrier_in(leaking)[0] == "kept"
    assert checked(source.replace("KEY", "user"), tmp_path).verdict == "clean"


def test_an_item_that_a_full_queue_refused_leaves_no_owner_behind() -> None:
    class Queue(asyncio.Queue[object]): ...

    ownership.follow(Queue, "put_nowait", "get_nowait")
    loop = ControlledLoop(["alice"])
    alice: Actor = loop.lanes["alice"]

    def put() -> dict[int, object]:
        ACTOR.set(alice)
        full = Queue(1)
        full.put_nowait("first")
        with pytest.raises(asyncio.QueueFull):
            full.put_nowait(object())
        full.get_nowait()
        gc.collect()
        return vars(full)["_crosslane_owners"]

    assert loop.context.run(put) == {}
