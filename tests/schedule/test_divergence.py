"""A kept schedule on a handler that was edited since: where it first parts is said, whatever the verdict is."""

from __future__ import annotations

from crosslane.replay.schedule.schedule import Schedule

from ..conftest import Bench, turns

MESSAGES = turns(("s1", "alice", "I am Alice Ferrante"), ("s2", "bob", "I am Bob Okafor"))
SOURCE = """
    import asyncio
    current = ""
    async def handle(message):
        global current
        current = message
        await asyncio.sleep(0)
        AFTER
        return current
    """


async def test_where_an_edited_handler_parts_from_a_kept_schedule_is_said_though_something_crosses(
    bench: Bench,
) -> None:
    before = await bench.run(SOURCE.replace("AFTER", "pass"), MESSAGES, action="replay", order="lockstep")
    made = before.run.decisions
    kept = Schedule(tuple(d.lane for d in made), (), tuple(d.enabled for d in made), tuple(d.at for d in made))
    same = await bench.run(None, MESSAGES, action="replay", schedule=kept)
    assert (same.report.verdict, same.report.warnings) == ("contaminated", ())
    edited = await bench.run(
        SOURCE.replace("AFTER", "await asyncio.sleep(0)"), MESSAGES, action="replay", schedule=kept
    )
    assert edited.report.verdict == "contaminated"
    assert "the schedule could not be followed: step 4" in edited.report.warnings[0]
