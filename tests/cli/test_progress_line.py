"""The line on the terminal while a search runs."""

from __future__ import annotations

import io

from crosslane.replay.worker.job import NO_LIMIT_S, Job, Progress
from crosslane.tui.commands.progress_line import ProgressLine, facts_of, spent_of
from rich.console import Console


def job(**options: object) -> Job:
    return Job("check", "t", (), "h", **options)  # type: ignore[arg-type]


def test_it_says_how_much_was_executed_how_fast_how_much_of_it_differs_and_what_was_found() -> None:
    assert facts_of(Progress("x", 12_345, 678.9, 2, 12_000)) == [
        "12,345 executions",
        "679/s",
        "12,000 schedules",
        "2 found",
    ]
    assert facts_of(Progress("x", 1, 0.0, 0)) == ["1 executions", "0/s"]


def test_what_is_left_of_the_budget_is_in_its_own_unit() -> None:
    progress = Progress("x", 250, 1.0, 0)
    assert spent_of(job(budget_s=20.0), progress, 5.0) == (0.25, ["15 s left"])
    assert spent_of(job(budget_s=20.0), progress, 25.0) == (1.0, ["0 s left"])
    assert spent_of(job(budget_s=NO_LIMIT_S, most_executions=1_000), progress, 5.0) == (0.25, ["750 left"])
    assert spent_of(job(budget_s=NO_LIMIT_S), progress, 5.0) == (0.0, [])


def test_what_comes_from_a_program_is_no_markup_and_no_escape_and_the_line_is_gone_in_the_end() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=120, color_system=None)
    with ProgressLine(console, job()) as line:
        line.show(Progress("[bold]when \x1b[31mbob\x1b[0m says the same[/bold]", 7, 3.0, 1))
        line._progress.refresh()
        during = out.getvalue()
    assert "[bold]when" in during
    assert "\x1b[31m" not in during
    assert "7 executions  3/s  1 found" in during
    assert out.getvalue().endswith("\x1b[2K")
