"""`crosslane audit`: what already crossed in recorded traffic, without a handler."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.text import Text

from ..safe_text import safe
from .progress import reading

if TYPE_CHECKING:
    from ...replay.detect.audit_report import Audit, Finding


def audit(
    trace: Annotated[Path, typer.Argument(help="A trace file, recorded or imported.", show_default=False)],
    boundary: Annotated[
        str, typer.Option(help="What must be isolated: user, session, or a field of the request.")
    ] = "user",
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="text or json")] = "text",  # noqa: A002
    most: Annotated[int, typer.Option(min=1, help="Show so many findings, the most telling first.")] = 20,
    most_values: Annotated[
        int, typer.Option(min=1000, help="Search for so many values at most, the most telling; bounds the memory.")
    ] = 500_000,
) -> None:
    """Find values of one user in another's recorded answers and prompts. Exit code 1 where there are any."""
    from ...replay.detect.audit import audit as run

    with reading(Console(stderr=True)) as progress:
        result = run(trace, boundary, most_values, progress)
    if format == "json":
        # ASCII, so that no terminal escape of a trace gets out raw.
        sys.stdout.write(json.dumps(result.to_json(), indent=2) + "\n")
    else:
        _print(Console(highlight=False), result, most)
    raise typer.Exit(1 if result.findings else 0 if result.complete else 3)


def _print(console: Console, result: Audit, most: int) -> None:
    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    for problem in result.problems[:10]:
        line(f"{safe(result.trace)}:{problem.line}: {safe(problem.message)}", "yellow")
    if len(result.problems) > 10:
        line(f"and {len(result.problems) - 10} more lines like that", "yellow")
    for number, finding in enumerate(result.findings[:most], 1):
        _print_finding(line, number, finding)
    if len(result.findings) > most:
        line(f"and {len(result.findings) - most} more; see them with --most or --format json\n")
    counted = f"{result.requests:,} requests of {result.lanes:,} lanes, {result.values:,} values searched for"
    if not result.complete:
        line(f"interrupted; until then {counted}", "yellow")
    elif result.findings:
        places = "1 place" if len(result.findings) == 1 else f"{len(result.findings)} places"
        line(
            f"✗ {places} where a value of one lane stands in another's traffic; {counted}",
            "bold red",
        )
    else:
        line(f"● no value of one lane was seen in another's answers or prompts; {counted}", "bold green")
        line(
            "that says what was recorded, not what could happen: crosslane check replays it under other schedules",
            "dim",
        )
    if result.capped:
        line("more values than fit into memory: the least telling were left out; raise --most-values", "yellow")


def _print_finding(line: Line, number: int, finding: Finding) -> None:
    source, sink = finding.source, finding.sink
    if finding.kind == "identity":
        line(f"{number:3}  the places of request {safe(sink.request)} contradict each other", "bold")
        line(f"     {safe(finding.what, 120)}, {safe(finding.path)} says {safe(finding.evidence, 80)}\n")
        return
    what = "was sent only by" if finding.kind == "request-value" else "had been shown only to"
    line(f"{number:3}  {safe(sink.lane, 40)} got what {what} {safe(source.lane, 40)}", "bold")
    more = f" and {finding.values - 1} more values" if finding.values > 1 else ""
    line(f"     “{safe(finding.evidence, 100)}” ({finding.what}){more}")
    times = f", in {finding.times} requests" if finding.times > 1 else ""
    line(f"     in {safe(finding.path, 80)} of {safe(sink.request, 60)} (session {safe(sink.session, 40)}){times}")
    when = "both were in flight at once" if finding.overlapped else f"{finding.gap_ns / 1e9:.3f} s after it had ended"
    line(f"     from {safe(source.request, 60)} (session {safe(source.session, 40)}): {when}\n")


if TYPE_CHECKING:
    from typing import Protocol

    class Line(Protocol):
        def __call__(self, text: str, style: str = "") -> None: ...
