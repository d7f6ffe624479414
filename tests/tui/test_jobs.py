"""One job at a time, and who hears of it in which order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from crosslane.replay.errors import CrosslaneError, HandlerError
from crosslane.replay.report import Result
from crosslane.replay.run import Run
from crosslane.replay.worker.job import Progress
from crosslane.tui.jobs import Jobs

from .stand_ins import StandIn, result, session


class Heard:
    def __init__(self) -> None:
        self.of: list[str] = []

    def job_progressed(self, progress: Progress) -> None:
        self.of.append(progress.phase)

    def job_failed(self, error: CrosslaneError) -> None:
        self.of.append(f"failed: {error}")

    def job_reloaded(self) -> None:
        self.of.append("reloaded")

    def job_ended(self) -> None:
        self.of.append("ended")

    def result(self, result: Result) -> None:
        self.of.append(result.report.verdict)

    def run(self, run: Run) -> None:
        self.of.append("run")


async def test_the_run_is_seen_first_and_an_edit_is_told_before_the_result(tmp_path: Path) -> None:
    runner, heard = StandIn(result(), reloaded=(str(tmp_path / "agent.py"),)), Heard()
    opened = session(tmp_path, runner)
    jobs = Jobs(opened, heard)
    outcome = await jobs.begin(opened.job("replay", timeline_first=True), heard.result, heard.run)
    assert isinstance(outcome, Result)
    assert heard.of == ["serial + 1 switch", "run", "looking for crossings", "reloaded", "contaminated", "ended"]
    assert jobs.reloaded == "reloaded agent.py"


async def test_an_error_is_told_in_the_place_of_a_result_and_forgotten_with_the_next_one(tmp_path: Path) -> None:
    runner, heard = StandIn(HandlerError("no such file", "agnet.py")), Heard()
    opened = session(tmp_path, runner)
    jobs = Jobs(opened, heard)
    assert await jobs.begin(opened.job("check"), heard.result, heard.run) is runner.answer
    assert heard.of[1:] == ["failed: agnet.py: no such file", "ended"]
    assert jobs.failed
    runner.answer = result()
    await jobs.begin(opened.job("check"), heard.result, heard.run)
    assert not jobs.failed


async def test_it_is_busy_from_the_moment_it_begins_and_who_waits_goes_on_when_it_has_ended(tmp_path: Path) -> None:
    runner, heard = StandIn(result(), asyncio.Event()), Heard()
    opened = session(tmp_path, runner)
    jobs = Jobs(opened, heard)
    job = jobs.begin(opened.job("check"), heard.result, heard.run)
    assert jobs.busy
    with pytest.raises(AssertionError):
        jobs.begin(opened.job("check"), heard.result, heard.run)
    running, forgetting = asyncio.create_task(job), asyncio.create_task(jobs.forget())
    await running
    await forgetting
    assert runner.cancelled == 1, "what runs is stopped"
    assert runner.closed
    assert not jobs.busy
    assert heard.of[-1] == "ended"
