"""Where faults are put, and what may run after them."""

from __future__ import annotations

from pathlib import Path

from ..conftest import turns
from ..reference.checked import checked

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
