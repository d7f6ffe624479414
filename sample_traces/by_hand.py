"""The check that people write by hand: two users, one gather, and the other's name must be absent.

It fails on shared_list.py, and it passes on overlap.py, which is contaminated all the same. Run it with
`python by_hand.py shared_list` or `python by_hand.py overlap`.
"""

import asyncio
import importlib
import sys


async def check(handle_message):
    for_alice, for_bob = await asyncio.gather(
        handle_message("s1", "alice", "I am Alice"),
        handle_message("s2", "bob", "I am Bob"),
    )
    assert "Bob" not in for_alice, for_alice
    assert "Alice" not in for_bob, for_bob


if __name__ == "__main__":
    asyncio.run(check(importlib.import_module(sys.argv[1]).handle_message))
    print("passed: one gather shows no leak")
