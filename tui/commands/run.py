"""From a trace on disk to a result: what `check` and `replay` have in common."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from ..folders import findings_folder
from ..safe_text import safe
from . import service_run

if TYPE_CHECKING:
    from pathlib import Path

    from ...replay.report import Result
    from ...replay.service.options import ServiceOptions
    from ...replay.trace.model import Exchange, Trace
    from ...replay.worker.job import Job
    from ...replay.worker.options import WorkerOptions


def load_trace(path: Path) -> Trace:
    """The trace of a file, or of standard input for `-`; what cannot be used of it is named."""
    from ...replay.trace.piped import NAME, STDIN, file_of
    from ...replay.trace.store import load
    from .reading_line import reading_line

    console = Console(stderr=True)
    with (
        reading_line(console, path) as tell,
        file_of(path, lambda size: tell("reading standard input", size)) as file,
    ):
        trace = load(file, lambda size: tell("loading the trace", size))
    if str(path) == STDIN:
        trace = replace(trace, path=NAME)
    for problem in trace.problems[:10]:
        console.print(Text(f"{safe(trace.path)}:{problem.line}: {safe(problem.message)}", "yellow"), soft_wrap=True)
    if len(trace.problems) > 10:
        console.print(Text(f"{safe(trace.path)}: and {len(trace.problems) - 10} more lines like that", "yellow"))
    return trace


def replayable(trace: Trace, upstream: str) -> tuple[Exchange, ...]:
    """The exchanges whose requests were recorded in full. The rest is named: it is not there to be replayed.

    So is that there are no recorded answers, where `upstream` asks for them.
    """
    from ...replay import asking

    kept = asking.replayable(trace)
    for remark in (asking.left_out(trace, kept), asking.nothing_recorded(kept, upstream)):
        if remark:
            Console(stderr=True).print(Text(remark, "yellow"), soft_wrap=True)
    return kept


def run_job(job: Job, options: WorkerOptions, service: ServiceOptions, jobs: int = 1) -> Result:
    """Run a job with a line of progress on a terminal; ctrl-c asks it to stop and keeps what it found."""
    from .progress_line import ProgressLine

    console = Console(stderr=True)

    async def work() -> Result:
        async with service_run.runner(job.handler, options, service, jobs) as worker:
            stopping: set[asyncio.Task[None]] = set()

            def interrupt() -> None:
                stopping.add(asyncio.ensure_future(worker.cancel()))

            for each in (signal.SIGINT, signal.SIGTERM):  # a launched service must not outlive us
                with contextlib.suppress(NotImplementedError):
                    asyncio.get_running_loop().add_signal_handler(each, interrupt)
            if not console.is_terminal:
                return await worker.run(job)
            with ProgressLine(console, job) as line:
                return await worker.run(job, line.show)

    return asyncio.run(work())


def keep(result: Result, job: Job, cwd: Path) -> bool:
    """Keep the findings for `export ID`; a place that cannot be written is no reason to fail."""
    from ...replay.export.findings import save

    try:
        save(result.report.crossings, job.handler, job.kind, cwd, findings_folder(), result.findings)
    except OSError:
        return False
    return True
