"""Where faults are put, and what may run after them."""

from __future__ import annotations

from pathlib import Path

from ..conftest import turns
from ..reference.checked import CODES, checked

THREE = turns(("s1", "alice", "I am Alice Ferrante"), ("s2", "bob", "I am Bob Okafor"), ("s3", "carol", "I am Carol"))


def test_what_a_cancelled_request_breaks_is_found_where_two_others_then_overlap(tmp_path: Path) -> None:
    source = """
        import asyncio
        broken, current = [], None
        async def handle(message):
            global current
            if broken:
                current = message
                await asyncio.sleep(0)
                return SHOWN
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                broken.append(True)
                raise
            return message
        """
    first = checked(source.replace("SHOWN", "current"), tmp_path, THREE, switches=0).crossings[0]
    assert (first.needs.cls, first.needs.switches, first.needs.requests) == ("cancellation", 1, 3)
    assert checked(source.replace("SHOWN", "message"), tmp_path, THREE, switches=0).verdict == "clean"


def test_the_reply_that_comes_after_its_request_was_cancelled_is_found_with_whoever_waits_next(tmp_path: Path) -> None:
    """As on a pooled connection, redis-py before 4.5.4: nobody takes the reply off it."""
    source = """
        import asyncio
        replies, turn = asyncio.Queue(), asyncio.Lock()
        async def handle(message):
            async with turn:
                coming = asyncio.get_running_loop().call_later(0.02, replies.put_nowait, "got " + message)
                try:
                    return await replies.get()
                finally:
                    CLEAN
        """
    first = checked(source.replace("CLEAN", "pass"), tmp_path, CODES, switches=0).crossings[0]
    assert first.needs.cls == "cancellation"
    assert first.carrier is not None
    assert first.carrier.name.endswith(".replies._queue")
    assert checked(source.replace("CLEAN", "coming.cancel()"), tmp_path, CODES, switches=0).verdict == "clean"


def test_what_a_cancelled_request_left_running_writes_amid_the_next_one_is_found(tmp_path: Path) -> None:
    source = """
        import asyncio
        box, turn = {}, asyncio.Lock()
        async def fill(kept, text):
            await asyncio.sleep(0.01)
            kept["answer"] = "re: " + text
        async def handle(message):
            async with turn:
                kept = KEPT
                kept.clear()
                await asyncio.shield(asyncio.ensure_future(fill(kept, message)))
                await asyncio.sleep(0.03)
                return kept["answer"]
        """
    first = checked(source.replace("KEPT", "box"), tmp_path, CODES, switches=0).crossings[0]
    assert first.needs.cls == "cancellation"
    assert first.carrier is not None
    assert first.carrier.name.endswith("box['answer']")
    assert checked(source.replace("KEPT", "{}"), tmp_path, CODES, switches=0).verdict == "clean"
