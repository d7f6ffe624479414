"""Faults from outside: a client that goes away while its request is under way, and an LLM that fails."""

from __future__ import annotations

import sys
from typing import Any

from crosslane.replay.report import Crossing
from crosslane.replay.schedule.schedule import of_json

from .services import DIRTY, HALF_DONE, RESET, UNDONE, Stand

FEW: dict[str, Any] = {"budget_s": 60.0, "most_executions": 22, "variants": False, "switches": 0}


def aiohttp_service(stand: Stand, source: str) -> str:
    (stand.folder / "pooled.py").write_text(source)
    return f"{sys.executable} pooled.py"


async def test_what_a_failing_llm_leaves_behind_is_found_in_the_next_request(stand: Stand) -> None:
    result = await stand.run(HALF_DONE, job=FEW)
    (crossing,) = result.report.crossings
    assert (crossing.needs.cls, crossing.needs.switches) == ("exception", 0)
    assert [step.get("action") for step in crossing.schedule if step.get("action")] == ["fail"]
    assert any(event.kind == "fault" and event.text == "the LLM fails" for event in result.findings[0].run.events)
    assert "finally" in crossing.fix


async def test_what_a_client_that_is_gone_leaves_behind_is_found_and_shown_again(stand: Stand) -> None:
    result = await stand.run(launch=aiohttp_service(stand, DIRTY), job=FEW)
    (crossing,) = [c for c in result.report.crossings if c.needs.cls == "cancellation"]
    assert crossing.needs.to_json() == {"class": "cancellation", "switches": 0, "sessions": 2, "requests": 2}
    assert crossing.sink.path == "body.reply"
    again = await stand.run(
        launch=aiohttp_service(stand, DIRTY), action="replay", job={"schedule": of_json(crossing.schedule)}
    )
    assert evidence(again.report.crossings) == evidence([crossing])


def evidence(crossings: Any) -> list[tuple[str, str]]:
    found: list[Crossing] = list(crossings)
    return [(crossing.sink.lane, crossing.sink.evidence) for crossing in found]


async def test_a_service_that_undoes_what_it_began_is_not_accused_and_the_faults_are_counted(stand: Stand) -> None:
    report = (await stand.run(UNDONE, job=FEW, keep_state=True)).report
    assert report.crossings == ()
    assert "with a client gone or the LLM failing" in report.coverage.statement


async def test_a_connection_that_is_reset_on_cancellation_is_not_accused(stand: Stand) -> None:
    report = (await stand.run(launch=aiohttp_service(stand, RESET), job=FEW, keep_state=True)).report
    assert report.crossings == ()
    assert "with a client gone or the LLM failing" in report.coverage.statement


async def test_without_faults_none_is_made(stand: Stand) -> None:
    report = (await stand.run(HALF_DONE, job={**FEW, "faults": False}, keep_state=True)).report
    assert report.crossings == ()
    assert "client gone" not in report.coverage.statement
