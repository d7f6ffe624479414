"""Sharing on purpose hides nothing that stands beside it, is told once, and costs the search little."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.allow import Allow

from .conftest import TWO_USERS, turns
from .reference.checked import checked

ROOM = """
    import asyncio, hashlib
    room, last = [], {}
    async def handle(user, message):
        room.append(message)
        before = last.get(KEY, "")
        last[KEY] = message
        await asyncio.sleep(0)
        return {"room": list(room), "about": SHOWN}
    """
MEMBERS = Allow(("alice", "bob"), "*.room", "", "members of one room")


@pytest.mark.parametrize("shown", ["before", "hashlib.md5(before.encode()).hexdigest()"], ids=["verbatim", "derived"])
def test_a_leak_in_the_same_answer_as_what_is_allowed_is_found(tmp_path: Path, shown: str) -> None:
    source = ROOM.replace("SHOWN", shown)
    leaking = checked(source.replace("KEY", "'all'"), tmp_path, TWO_USERS, allow=(MEMBERS,))
    assert [crossing.sink.path for crossing in leaking.crossings] == ["body.about"]
    assert [allowed.path for allowed in leaking.allowed] == ["body.room[0]"]
    clean = checked(source.replace("KEY", "user"), tmp_path, TWO_USERS, allow=(MEMBERS,))
    assert (clean.verdict, clean.crossings) == ("clean", ())


def test_what_is_made_of_what_is_allowed_is_allowed_too(tmp_path: Path) -> None:
    source = ROOM.replace("SHOWN", "len(''.join(room))").replace("KEY", "user")
    assert checked(source, tmp_path, TWO_USERS, allow=(MEMBERS,)).verdict == "clean"


def test_a_rule_that_names_no_carrier_is_one_for_carriers_that_have_no_name(tmp_path: Path) -> None:
    source = """
        import asyncio
        def make():
            said = []
            def add(message):
                said.append(message)
                return list(said)
            return add
        add = make()
        async def handle(message):
            await asyncio.sleep(0)
            return {"room": add(message)}
        """
    by_sink = Allow((), "", "body.room*", "one room")
    assert checked(source, tmp_path, TWO_USERS, allow=(by_sink,)).verdict == "clean"


def test_a_rule_for_two_members_is_none_for_a_third(tmp_path: Path) -> None:
    source = ROOM.replace("SHOWN", "1").replace("KEY", "user")
    users = (*TWO_USERS, *turns(("s3", "carol", "My name is Carol Nwosu")))
    users = turns(*((e.request.session, e.request.user or "", e.request.message or "") for e in users))
    report = checked(source, tmp_path, users, allow=(MEMBERS,))
    assert report.verdict == "contaminated"
    assert all("carol" in (c.source.lane, c.sink.lane) for c in report.crossings)


def test_in_a_busy_room_a_rare_leak_is_found_within_the_executions_that_are_given(tmp_path: Path) -> None:
    source = ROOM.replace("SHOWN", "last['all'] if last['n'] == 6 else message").replace("KEY", "'all'")
    source = source.replace("last = [], {}", "last = [], {'n': 0}").replace(
        "room.append", "last['n'] += 1; room.append"
    )
    said = turns(*((f"s-{user}", user, f"{user} says {n}{user}{n}") for n in range(3) for user in ("alice", "bob")))
    report = checked(source, tmp_path, said, allow=(MEMBERS,), most_executions=1_000)
    assert [crossing.sink.path for crossing in report.crossings] == ["body.about"]
