"""What a request makes and leaves where others find it is named down to the attribute that carried the data."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..reference.checked import carrier_in, checked, lines_in

POOL = """
    import asyncio
    class Connection:
        def __init__(self):
            self.unread = ""
        async def ask(self, message):
            self.unread += message
            await asyncio.sleep(0)
            answer, self.unread = self.unread, ""
            return answer
    class Traced(Connection):
        def __init__(self):
            super().__init__()
            self.asked = 0
    free = []
    async def handle(user, message):
        connection = free.pop() if free else Traced()
        try:
            return await connection.ask(message)
        finally:
            GIVE_BACK
    """
KEPT = """
    import asyncio
    from dataclasses import dataclass, field
    @dataclass
    class Talk:
        said: list = field(default_factory=list)
        count: int = 0
    talks = {}
    async def handle(user, message):
        talk = talks.get(KEY) or Talk()
        talk.said.append(message)
        talk.count += 1
        talks[KEY] = talk
        await asyncio.sleep(0)
        return " ".join(talk.said)
    """


def test_a_connection_that_a_cancelled_request_gives_back_dirty_is_named_by_what_it_holds(tmp_path: Path) -> None:
    leaking = checked(POOL.replace("GIVE_BACK", "free.append(connection)"), tmp_path)
    assert leaking.crossings[0].needs.cls == "cancellation"
    assert carrier_in(leaking) == ("free[0].unread", "instance attribute")
    assert lines_in(leaking) == ("self.unread += message", 'answer, self.unread = self.unread, ""')
    clean = checked(POOL.replace("GIVE_BACK", "if not connection.unread: free.append(connection)"), tmp_path)
    assert clean.verdict == "clean", clean.reason


def test_so_is_what_a_request_keeps_under_a_key_that_all_have(tmp_path: Path) -> None:
    leaking = checked(KEPT.replace("KEY", '"all"'), tmp_path)
    assert carrier_in(leaking)[0] == "talks['all'].said"
    assert lines_in(leaking) == ("talk.said.append(message)", 'return " ".join(talk.said)')
    clean = checked(KEPT.replace("KEY", "user"), tmp_path)
    assert clean.verdict == "clean", clean.reason


@pytest.mark.parametrize("key", ["'the question'", "len(message)"])
def test_an_answer_that_is_kept_as_it_was_made_is_carried_by_what_keeps_it(tmp_path: Path, key: str) -> None:
    source = """
        import asyncio
        class Answer:
            def __init__(self, text): self.text = text
        known = {}
        async def handle(user, message):
            if KEY not in known:
                known[KEY] = Answer("answered: " + message)
            await asyncio.sleep(0)
            return known[KEY].text
        """
    leaking = checked(source.replace("KEY", key), tmp_path)
    assert carrier_in(leaking)[0] in ("known['the question']", "known")
