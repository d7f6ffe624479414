"""`crosslane doctor`: whether everything is in place, and what Crosslane makes of a handler. Nothing is changed."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from ...replay.errors import CrosslaneError
from ...replay.settings import load_settings
from ..folders import config_file, findings_folder, state_folder
from ..safe_text import safe
from . import options, service_run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ...replay.report import Result
    from ...replay.settings import Settings
    from ...replay.trace.model import Exchange
    from ...replay.worker.options import WorkerOptions

_MARKS = {"ok": ("●", "green"), "note": ("◐", "yellow"), "wrong": ("✗", "bold red")}
_SMALLEST = (80, 24)
_MOST_REQUESTS = 6
_PROBES = [
    {"user": user, "request": {"method": "GET", "path": "/", "json": {"message": f"My name is {user}"}}}
    for user in ("alice", "bob")
]
"""Requests that a function finds its message in, and an application its path."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was looked at: fine, worth knowing, or in the way of everything else."""

    label: str
    text: str
    state: Literal["ok", "note", "wrong"] = "ok"


def doctor(
    handler: options.HandlerArgument = None,
    python: options.PythonOption = None,
    cwd: options.CwdOption = None,
    kind: options.KindOption = None,
    config: options.ConfigOption = None,
) -> None:
    """Look at the installation, the terminal, the settings and the handler. Exit code 2 where something is wrong."""
    worker = options.worker_options(python, cwd)
    console = Console(highlight=False)
    wrong = False
    for remark in _remarks(handler, worker, kind, config, console):
        mark, style = _MARKS[remark.state]
        wrong = wrong or remark.state == "wrong"
        console.print(Text.assemble((f"{mark} ", style), (f"{remark.label:<12} ", "dim"), remark.text), soft_wrap=True)
    raise SystemExit(2 if wrong else 0)


def _remarks(
    handler: str | None, worker: WorkerOptions, kind: str | None, config: Path | None, console: Console
) -> Iterator[Remark]:
    yield from _installation()
    yield from terminal(console, os.environ)
    yield from _places()
    settings, remark = _settings(worker, config)
    yield remark
    handler = handler or settings.handler
    if handler is None:
        yield from _worker(worker)
        yield Remark("handler", "none is named, and none is set: crosslane doctor file.py:attribute", "note")
    elif service_run.is_service(handler):
        yield Remark("handler", f"{safe(handler)}: a running service, to be looked at with crosslane check", "note")
    else:
        yield from _handler(handler, worker, kind, settings)


def _installation() -> Iterator[Remark]:
    yield Remark("interpreter", f"{platform.python_implementation()} {platform.python_version()}, {sys.executable}")
    names = ("crosslane", "textual", "rich", "typer", "aiohttp")
    yield Remark("versions", ", ".join(f"{name} {metadata.version(name)}" for name in names))
    yield Remark("system", f"{platform.system()} {platform.release()}, {os.cpu_count()} processors")


def terminal(console: Console, environment: Mapping[str, str]) -> Iterator[Remark]:
    """What the interface can count on."""
    if not console.is_terminal:
        yield Remark("terminal", "standard output is none: reports are plain text, the interface needs one", "note")
    else:
        name = safe(environment.get("TERM", "unknown"))
        columns, rows = shutil.get_terminal_size()
        small = columns < _SMALLEST[0] or rows < _SMALLEST[1]
        hint = f"; the interface needs {_SMALLEST[0]} by {_SMALLEST[1]}" if small else ""
        yield Remark("terminal", f"{name}, {columns} by {rows}{hint}", "note" if small else "ok")
        colours = console.color_system
        why = ", because NO_COLOR is set" if environment.get("NO_COLOR") else ""
        yield Remark("colours", f"none{why}" if colours is None or why else colours, "note" if not colours else "ok")
    encoding = console.encoding
    unicode = encoding.lower().replace("-", "") == "utf8"
    remedy = "" if unicode else "; lines and marks need UTF-8: set LANG or PYTHONUTF8=1"
    yield Remark("encoding", f"{encoding}{remedy}", "ok" if unicode else "note")


def _places() -> Iterator[Remark]:
    folder = state_folder()
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    if not os.access(nearest, os.W_OK):
        yield Remark("state", f"{safe(str(folder))} cannot be written; set CROSSLANE_STATE_DIR", "wrong")
        return
    kept = sum(1 for _ in findings_folder().glob("*.json"))
    yield Remark("state", f"{safe(str(folder))}, {kept} finding{'' if kept == 1 else 's'} kept")
    own = config_file()
    yield Remark("keys", f"{safe(str(own))}{'' if own.is_file() else ' (none yet)'}")


def _settings(worker: WorkerOptions, config: Path | None) -> tuple[Settings, Remark]:
    from ...replay.settings import Settings

    try:
        settings = load_settings(worker.cwd, config)
    except CrosslaneError as error:
        return Settings(), Remark("settings", safe(str(error)), "wrong")
    if settings.folder is None:
        return settings, Remark("settings", "none: crosslane init writes some", "note")
    if settings.trace is not None and not settings.trace.is_file():
        return settings, Remark("settings", f"the trace {safe(str(settings.trace))} is not there", "wrong")
    return settings, Remark("settings", f"in {safe(str(settings.folder))}")


def _worker(worker: WorkerOptions) -> Iterator[Remark]:
    """Without a handler, the bundled one is a test of the whole way: its bug must be found."""
    from dataclasses import replace

    from ...replay.trace.store import load
    from .. import samples

    folder = samples.folder()
    exchanges = load(folder / samples.DEMO_TRACE).exchanges
    try:
        result = _run(replace(worker, cwd=folder), samples.DEMO_HANDLER, None, exchanges, check=True)
    except CrosslaneError as error:
        yield Remark("worker", safe(str(error)), "wrong")
        return
    if result.report.verdict == "contaminated":
        yield Remark("worker", f"starts, and finds the bug of the demo in {result.report.executions} executions")
    else:
        yield Remark("worker", f"starts, but does not find the bug of the demo: {result.report.reason}", "wrong")


def _handler(spec: str, worker: WorkerOptions, kind: str | None, settings: Settings) -> Iterator[Remark]:
    from dataclasses import replace

    from ...replay.asking import replayable, trace_of

    if settings.folder is not None and spec == settings.handler:
        worker = replace(worker, cwd=settings.folder)
    trace = settings.trace if settings.trace is not None and settings.trace.is_file() else _PROBES
    try:
        exchanges = replayable(trace_of(trace))[:_MOST_REQUESTS]
        result = _run(worker, spec, kind, exchanges)
    except CrosslaneError as error:
        yield Remark("handler", safe(str(error)), "wrong")
        return
    seen = result.environment
    yield Remark("worker", f"Python {safe(str(seen.get('python')))}, in {safe(str(worker.cwd))}")
    filled = ", ".join(f"{safe(name)} is the {role}" for name, role in dict(seen.get("parameters", {})).items())
    yield Remark("handler", f"{safe(spec)}: {seen.get('kind')}{': ' + filled if filled else ''}")
    yield from _short_run(result, len(exchanges))


def _short_run(result: Result, requests: int) -> Iterator[Remark]:
    statuses = sorted({str(event.status) for event in result.run.events if event.status is not None})
    failed = sum(event.kind == "error" for event in result.run.events)
    said = f"{requests} requests, lockstep"
    said += f", status {', '.join(statuses)}" if statuses else ""
    said += f", {failed} failed" if failed else ""
    refused = bool(statuses) and all(status >= "400" for status in statuses)
    said += "; set a trace of requests that it knows" if refused else ""
    yield Remark("short run", said, "note" if failed or refused else "ok")
    points = result.report.coverage.interior_points
    switches = f"{min(points.values(), default=0)} to {max(points.values(), default=0)} in a lane"
    none = not any(points.values())
    yield Remark("switches", "none: nothing can be interleaved" if none else switches, "note" if none else "ok")
    for escape in result.report.coverage.uncontrolled:
        yield Remark("escapes", safe(escape), "note")
    if result.report.verdict == "inconclusive":
        yield Remark("inconclusive", safe(result.report.reason), "note")
    for warning in result.report.warnings:
        yield Remark("warning", safe(warning), "note")


def _run(
    worker: WorkerOptions, handler: str, kind: str | None, exchanges: tuple[Exchange, ...], check: bool = False
) -> Result:
    from ...replay.worker.client import Worker
    from ...replay.worker.job import Job

    action = "check" if check else "replay"
    job = Job(action, "a short run", exchanges, handler, kind, most_executions=60, environment=True)

    async def work() -> Result:
        async with Worker(worker) as runner:
            return await runner.run(job)

    return asyncio.run(work())
