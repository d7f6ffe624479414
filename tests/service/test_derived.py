"""What is made of another user's words, in the answers and prompts of services: found, and told from what differs anyway."""

from __future__ import annotations

from collections import deque

import pytest
from crosslane.replay.schedule.schedule import Schedule
from crosslane.replay.schedule.strategies import Lockstep
from crosslane.replay.service.callers import Callers
from crosslane.replay.service.options import ServiceOptions
from crosslane.replay.service.target import Target
from crosslane.replay.service.traffic import Traffic
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.worker.job import Job

from .services import HALF_DONE, LOCAL, TWO, UNDONE, Stand
from .test_calls import drive, held

DIGEST = """
import base64, hashlib
last = {}

async def handle(path, headers, body):
    before = last.get("note", "")
    last["note"] = body["message"]
    await ask("what was said: " + base64.b64encode(NOTE.encode()).decode())
    return {"reply": "done"}
"""
IN_PROMPT, OF_ONES_OWN = DIGEST.replace("NOTE", "before"), DIGEST.replace("NOTE", "body['message']")
HASHED = HALF_DONE.replace("{found}", "{__import__('hashlib').sha1(found.encode()).hexdigest()}")
HASHED_UNDONE = UNDONE.replace("{found}", "{__import__('hashlib').sha1(found.encode()).hexdigest()}")
SERIAL = {"order": "serial"}
FAILING = {"schedule": Schedule(("alice", "alice", "bob", "bob"), ((1, "fail"),))}


async def test_what_is_made_of_anothers_words_is_found_in_a_prompt(stand: Stand) -> None:
    report = (await stand.run(IN_PROMPT, action="replay", job=SERIAL)).report
    (crossing,) = report.crossings
    assert (crossing.kind, crossing.sink.where, crossing.sink.lane) == ("derived", "upstream", "bob")
    assert (
        "it contains base64 of r1's text" in crossing.explained or "contains the base64 of r1's" in crossing.explained
    )


async def test_what_a_failing_llm_leaves_behind_is_found_in_an_answer_that_is_made_of_it(stand: Stand) -> None:
    report = (await stand.run(HASHED, action="replay", job=FAILING)).report
    (crossing,) = report.crossings
    assert (crossing.kind, crossing.sink.where, crossing.needs.cls) == ("derived", "response", "exception")
    assert "it contains the sha1 of r1's" in crossing.explained


@pytest.mark.parametrize(("source", "job"), [(OF_ONES_OWN, SERIAL), (HASHED_UNDONE, FAILING)])
async def test_what_is_made_of_ones_own_words_is_none(stand: Stand, source: str, job: dict[str, object]) -> None:
    report = (await stand.run(source, action="replay", job=job)).report
    assert (report.verdict, report.crossings) == ("clean", ())


BY_TURNS = """
import pathlib

TURN = pathlib.Path("turn")
turn = int(TURN.read_text()) + 1 if TURN.exists() else 0
TURN.write_text(str(turn))
guests = []

async def handle(path, headers, body):
    guests.append(body["user"])
    await ask("greet the customer")
    return {"reply": "welcome", "seat": "left" if len(guests) == 1 or turn % 2 else "right"}
"""


async def test_what_is_another_each_time_does_not_depend_on_what_was_said(stand: Stand) -> None:
    """As the order of a map is in Go, or of a set of texts in Python: two executions that differ prove nothing."""
    report = (await stand.run(BY_TURNS, action="replay", job=SERIAL)).report
    assert report.crossings == ()


async def test_whose_call_was_guessed_is_remembered() -> None:
    made = drive()
    made.called(held("the code is ZX-4411"))
    assert made.guessed == {"r1": None, "r2": None}


async def test_whose_call_it_is_needs_no_guess_where_one_lane_is_alone() -> None:
    lanes = lanes_of(exchange.request for exchange in TWO[:1])
    traffic = [Traffic(lane.name, deque(lane.requests)) for lane in lanes]
    callers = Callers(lanes, traffic)
    assert callers.caller(held("hello").call, traffic[0]) is traffic[0]
    assert callers.guessed == {}


def test_a_guess_where_requests_were_released_together_is_none_where_they_come_in_order(stand: Stand) -> None:
    job = Job("replay", "t", TWO, f"http://127.0.0.1:{stand.port}")
    target = Target.of(job, ServiceOptions(stand.folder, launch=stand.command(LOCAL)), lambda: False)
    target.open()
    try:
        target.meeting = True
        target.execute(lanes_of(exchange.request for exchange in TWO), Lockstep())
        assert target.guessed == {"r1": None, "r2": None}
        target.meeting = False
        assert target.guessed == {}
    finally:
        target.close()
