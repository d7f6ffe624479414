"""Requests that are released together: which comes first is the release's order mostly, and never taken for granted."""

from __future__ import annotations

import asyncio

import pytest
from crosslane.replay.schedule.strategies import Serial
from crosslane.replay.service.client import Address
from crosslane.replay.service.drive import Drive, Limits
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.trace.sessions import Recorded, Sessions
from crosslane.replay.upstream.stand_in import StandIn

from .services import TWO, Stand

BY_TURNS = """
import pathlib

TURN = pathlib.Path("turn")
turn = int(TURN.read_text()) + 1 if TURN.exists() else 0
TURN.write_text(str(turn))
notes = []

async def handle(path, headers, body):
    notes.append(body["message"])
    for _ in range(50):
        await asyncio.sleep(0.004 if len(notes) < 2 else 0)
    return {"reply": f"noted {KEPT}"}
"""
"""In every third process it is the first of two requests whose note is kept, as if it had come second."""
LEAKING, OWN = BY_TURNS.replace("KEPT", "notes[-1 if turn % 3 else 0]"), BY_TURNS.replace("KEPT", "body['message']")


async def test_a_crossing_is_shown_again_although_another_request_was_the_first_meanwhile(stand: Stand) -> None:
    report = (await stand.run(LEAKING, action="replay", together=True)).report
    assert {crossing.needs.cls for crossing in report.crossings} == {"interleaved"}, report.reason
    assert {crossing.critical for crossing in report.crossings} == {None}  # no schedule decides there


async def test_what_is_each_users_own_does_not_cross_whoever_comes_first(stand: Stand) -> None:
    report = (await stand.run(OWN, action="replay", together=True)).report
    assert (report.crossings, report.influences) == ((), ())


@pytest.mark.parametrize("order", [("alice", "bob"), ("bob", "alice")])
async def test_the_service_has_taken_in_all_but_the_last_bytes_when_these_are_released(order: tuple[str, ...]) -> None:
    """So that it begins with the request that is complete first, and not with the connection that it accepted first."""
    begun: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
        begun.append("alice" if b"alice" in await reader.readexactly(length) else "bob")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
        lanes = lanes_of(exchange.request for exchange in TWO)
        stand_in = StandIn("echo", lambda *_: None, lambda _: None, lambda _: None, lambda: None)  # type: ignore[arg-type]
        sessions = Sessions(Recorded({}, ()))
        drive = Drive(lanes, address, stand_in, Limits(), sessions, lambda: False, meeting=True)
        await drive.run(Serial(order), None)
    assert tuple(begun) == order
