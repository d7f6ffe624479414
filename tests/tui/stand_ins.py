"""A runner that answers at once, and results made by hand: the interface is tested without a process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from crosslane.replay.report import (
    Access,
    Carrier,
    Coverage,
    Crossing,
    Finding,
    Influence,
    Needs,
    Report,
    Result,
    Sink,
    Source,
)
from crosslane.replay.run import Event, Outcome, Run
from crosslane.replay.trace.model import Exchange, Request, Response, Trace
from crosslane.replay.worker.client import WorkerOptions
from crosslane.replay.worker.job import Job, Progress
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.session import OpenSession
from textual.app import App
from textual.pilot import Pilot

SOURCE = "context = []\n\n\nasync def handle(user, message):\n    context.append(message)\n    return await complete(context)\n"


def trace(alice: str = "I am Alice Ferrante") -> Trace:
    texts = {"alice": alice, "bob": "I am Bob Okafor"}
    exchanges = tuple(
        Exchange(
            Request(f"r{n}", f"s{n}", user, n * 10, texts[user], None, n),
            Response(n * 10 + 5, None, (), f"recorded {texts[user]}", (), "ok"),
        )
        for n, user in enumerate(texts, 1)
    )
    return Trace("trace.jsonl", exchanges)


def run_of(alice: str = "I am Alice Ferrante") -> Run:
    rows: list[tuple[str, str, str, str | None]] = [
        ("alice", "request", alice, None),
        ("alice", "write", alice, "agent.py:5"),
        ("alice", "await", "", "agent.py:6"),
        ("bob", "request", "I am Bob Okafor", None),
        ("bob", "read", alice, "agent.py:6"),
        ("bob", "output", "printed by bob", "agent.py:6"),
        ("bob", "response", f"You said: {alice}", "agent.py:6"),
        ("alice", "response", f"You said: {alice}", "agent.py:6"),
    ]
    events = tuple(
        Event(n, n, lane, "s1" if lane == "alice" else "s2", "r1" if lane == "alice" else "r2", kind, text, at,
              "return await complete(context)", "agent.context" if kind in ("write", "read") else None)
        for n, (lane, kind, text, at) in enumerate(rows, 1)
    )  # fmt: skip
    outcomes = tuple(
        Outcome(f"r{n}", lane, f"s{n}", None, (), f"You said: {alice}", output=f"printed by {lane}")
        for n, lane in enumerate(("alice", "bob"), 1)
    )
    return Run(("bob", "alice"), (), events, outcomes)


def crossing(evidence: str = "Alice Ferrante", identity: str = "0123456789") -> Crossing:
    return Crossing(
        identity,
        "verbatim",
        Source("alice", "s1", "r1"),
        Sink("bob", "s2", "r2", "response", "body", evidence),
        Carrier("agent.context", "module global", "agent.py:1"),
        Access("alice", "agent.py:5", "context.append(message)"),
        Access("bob", "agent.py:6", "return await complete(context)"),
        Needs("interleaved", 1, 2, 2),
        ({"lane": "alice", "enabled": ["alice", "bob"], "at": None},),
        "scope agent.context to the session",
        "",
        (evidence.casefold(),),
        tuple({**e.request.to_json(), "lane": e.request.user} for e in trace().exchanges),
    )


def result(verdict: Any = "contaminated", alice: str = "I am Alice Ferrante", findings: int = 1) -> Result:
    run = run_of(alice)
    made = ()
    if verdict == "contaminated":
        made = tuple(Finding(crossing(identity=f"id{n}"), run_of(alice), 2, 5, 7, run) for n in range(findings))
    report = Report(
        verdict,
        "control escaped: a thread" if verdict == "inconclusive" else "no lane saw another's data",
        "trace.jsonl",
        "agent.py:handle",
        42,
        0.1,
        Coverage("every schedule with at most 2 switches", 2, {"alice": 1}, ("thread started at agent.py:3",)),
        tuple(finding.crossing for finding in made),
        (Influence("bob", "r2", "body.count", "1", "2"),),
        ("isolated, but session s1 lost its own turn 1",),
    )
    return Result(report, made[0].run if made else run, made, {"alice": run, "bob": run})


@dataclass
class StandIn:
    """Answers each job with `answer`, after `gate` when there is one."""

    answer: Result | Exception
    gate: asyncio.Event | None = None
    jobs: list[Job] = field(default_factory=list)
    cancelled: int = 0
    paused: list[bool] = field(default_factory=list)
    closed: bool = False
    reloaded: tuple[str, ...] = ()

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Result:
        self.jobs.append(job)
        if on_progress is not None:
            self.tell, self.latest = on_progress, Progress("serial + 1 switch", 17, 900.0, 0)
            on_progress(self.latest)
            if job.timeline_first and isinstance(self.answer, Result):
                on_progress(replace(self.latest, phase="looking for crossings", run=self.answer.run))
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def cancel(self) -> None:
        self.cancelled += 1
        if self.gate is not None:
            self.gate.set()

    async def pause(self) -> None:
        self.paused.append(True)
        self.tell(replace(self.latest, paused=True))

    async def go_on(self) -> None:
        self.paused.append(False)
        self.tell(self.latest)

    async def close(self) -> None:
        self.closed = True


def session(folder: Path, runner: StandIn, of: Trace | None = None) -> OpenSession:
    (folder / "agent.py").write_text(SOURCE)
    return OpenSession(of or trace(), "agent.py:handle", WorkerOptions(cwd=folder), runner=lambda options: runner)


def screen_text(app: App[None]) -> list[str]:
    """The lines on the screen, as a terminal would show them."""
    _, height = app.size
    lines = app.screen._compositor.render_strips()
    return ["".join(segment.text for segment in strip).rstrip() for strip in lines[:height]]


async def complete(app: CrosslaneApp, pilot: Pilot[None]) -> None:
    """Wait until the main screen has all of its parts: the footer comes last."""
    async with asyncio.timeout(30):
        await pilot.pause()
        while isinstance(app.screen, MainScreen) and not app.screen.query("FooterKey.-command-palette"):
            await pilot.pause()


async def settle(app: CrosslaneApp, pilot: Pilot[None]) -> None:
    """Wait until what was begun in threads is on the screen."""
    await complete(app, pilot)
    ending = [worker for worker in app.workers if worker.name != "_loader"]  # a directory tree's own never ends
    if ending:
        await app.workers.wait_for_complete(ending)
    await pilot.pause()
