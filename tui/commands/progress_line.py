"""The line that stands on the terminal while a job runs: how far it is, how fast, what it has found, how long still."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from ...replay.worker.job import NO_LIMIT, NO_LIMIT_S
from ..safe_text import safe

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console
    from rich.progress import Task

    from ...replay.worker.job import Job
    from ...replay.worker.job import Progress as JobProgress

_CLOCK = time.monotonic


class ProgressLine:
    """A context in which `show` keeps the line up to date; it is gone afterwards."""

    def __init__(self, console: Console, job: Job) -> None:
        self._job = job
        self._began: float | None = None
        bar = [BarColumn(bar_width=16)] if job.action == "check" else []
        columns = (SpinnerColumn(), _Words("phase"), *bar, _Words("facts"))
        self._progress = Progress(*columns, console=console, transient=True)
        self._task = self._progress.add_task("", total=1.0, phase="starting", facts="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, progress: JobProgress) -> None:
        if self._began is None and progress.executions:
            self._began = _CLOCK()  # the budget does not count what came before: starting, importing
        elapsed_s = 0.0 if self._began is None else _CLOCK() - self._began
        spent, left = spent_of(self._job, progress, elapsed_s)
        self._progress.update(
            self._task, completed=spent, phase=safe(progress.phase), facts="  ".join([*facts_of(progress), *left])
        )


def spent_of(job: Job, progress: JobProgress, elapsed_s: float) -> tuple[float, list[str]]:
    """Which part of the budget is spent, from 0 to 1, and in words what is left of it."""
    if job.most_executions < NO_LIMIT:
        left = max(0, job.most_executions - progress.executions)
        return min(1.0, progress.executions / max(1, job.most_executions)), [f"{left:,} left"]
    if job.budget_s < NO_LIMIT_S:
        return min(1.0, elapsed_s / max(job.budget_s, 1e-6)), [f"{max(0.0, job.budget_s - elapsed_s):.0f} s left"]
    return 0.0, []


def facts_of(progress: JobProgress) -> list[str]:
    """How many executions, how many a second, how many schedules that differ, how many findings."""
    facts = [f"{progress.executions:,} executions", f"{progress.per_second:,.0f}/s"]
    if progress.covered:
        facts.append(f"{progress.covered:,} schedules")
    if progress.findings:
        facts.append(f"{progress.findings} found")
    return facts


class _Words(TextColumn):
    """A field of the task as it is: what it says may come from a trace, and is no markup."""

    def __init__(self, field: str) -> None:
        super().__init__("")
        self._field = field

    def render(self, task: Task) -> Text:
        return Text(str(task.fields[self._field]), no_wrap=True)
