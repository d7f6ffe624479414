"""Findings to export: one made by hand whose every text can be set, and those of the samples."""

from __future__ import annotations

import ast
from functools import cache

from crosslane.replay.export.findings import ExportSource
from crosslane.replay.report import (
    Access,
    Carrier,
    Coverage,
    Crossing,
    Finding,
    Needs,
    Report,
    Result,
    Sink,
    Source,
)
from crosslane.replay.run import Decision, Event, Run
from crosslane.replay.trace.store import load
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job

from ..conftest import SAMPLES

NASTY = [
    '"',
    '"""',
    "'",
    "'''",
    "\\",
    "\n",
    "\r\n",
    "{{",
    "{0}",
    "{text!r}",
    "</script>",
    "<!--",
    "]]>",
    "&amp;",
    "\0",
    "\x1b[31m",
    "\u202e",
    "\ud800",
    "#",
    ";",
    "%%{init: {}}%%",
    "end",
    "-->>",
    "$(rm)",
    "%s",
    "\u2028",
    "\ufffe",
    "import os",
]


def crossing(text: str = "x", evidence: str = "secret", lane: str = "alice", at: str = "a.py:1") -> Crossing:
    """A crossing with `text` wherever a text of the trace or the program can stand."""
    requests = (
        {"k": "req", "id": "r1", "t": 1, "session": "s1", "user": lane, "message": text, "lane": lane},
        {
            "k": "req",
            "id": "r2",
            "t": 2,
            "session": "s2",
            "user": "bob",
            "request": {"path": text, "json": [text]},
            "lane": "bob",
        },
    )
    return Crossing(
        "abc123",
        "verbatim",
        Source(lane, "s1", "r1"),
        Sink("bob", "s2", "r2", "response", f"body.{text}", evidence),
        Carrier(f"app.{text}", "module global", at),
        Access(lane, at, text),
        Access("bob", at, text),
        Needs("sequential", 0, 2, 2),
        ({"lane": lane, "enabled": [lane], "at": None}, {"lane": "bob", "enabled": ["bob"], "at": None}),
        text,
        text,
        (evidence,),
        requests,
    )


def observed(crossing: Crossing, text: str) -> Finding:
    """The crossing with a run of which every event says `text`."""
    source, sink = crossing.source.lane, crossing.sink.lane
    kinds = [(source, "request"), (source, "write"), (source, "response"), (sink, "request"), (sink, "read"), (sink, "await"), (sink, "response")]  # fmt: skip
    events = tuple(
        Event(seq, seq, lane, "s", "r", kind, text, f"{text}:3", text, text, 200 if kind == "response" else None)
        for seq, (lane, kind) in enumerate(kinds, 1)
    )
    run = Run((source, sink), (Decision(source, (source,)), Decision(sink, (sink,))), events, ())
    return Finding(crossing, run, 2, 5, 7)


def sources(text: str) -> list[ExportSource]:
    """The same finding without and with its run, with `text` everywhere."""
    made = crossing(text, text or "x", text or "y", f"{text}:7")
    return [
        ExportSource(made, f"{text}.py:handle", None, f"/srv/{text}"),
        ExportSource(made, "a.py:handle", "asgi", "/srv", observed(made, text)),
    ]


def report(*crossings: Crossing, verdict: str = "contaminated", reason: str = "why", **more: object) -> Report:
    coverage = Coverage("everything", 2, {"alice": 1, "bob": 1}, ())
    return Report(verdict, reason, "t.jsonl", "a.py:handle", 3, 0.5, coverage, crossings, **more)  # type: ignore[arg-type]


def statements(text: str) -> list[ast.stmt]:
    """The statements of a script or a test file.

    What they carry of Crosslane is the same in each, and long: it is parsed once. Two texts that are both whole by
    themselves are together the statements of the one, then those of the other.
    """
    own, mark, carried = text.partition("\n\n# What follows")
    assert mark
    return [*ast.parse(f"{own}\n".encode()).body, *_carried(mark + carried)]


@cache
def _carried(text: str) -> list[ast.stmt]:
    return ast.parse(text.encode("utf-8")).body


async def found(trace: str, handler: str) -> Result:
    """What `check` finds in a sample."""
    async with Worker(WorkerOptions(cwd=SAMPLES)) as worker:
        return await worker.run(Job("check", trace, load(SAMPLES / trace).exchanges, handler, most_executions=60))


def source_of(result: Result, handler: str) -> ExportSource:
    return ExportSource(result.findings[0].crossing, handler, None, str(SAMPLES), result.findings[0])
