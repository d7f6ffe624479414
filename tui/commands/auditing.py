"""`crosslane audit`: what already crossed in the recorded traffic itself, no handler needed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from rich.text import Text

from ..safe_text import safe
from .declared import Argument, Option

if TYPE_CHECKING:
    from ...replay.detect.audited import Audit, Finding


def audit(
    trace: Annotated[Path, Argument(help="A trace file (JSON lines); - for standard input.", show_default=False)],
    boundary: Annotated[str, Option(help="What must be isolated: user, session, or a field of the request.")] = "user",
    format: Annotated[Literal["text", "json"], Option(help="text or json.")] = "text",  # noqa: A002
    most: Annotated[int, Option(min=1, help="Print at most this many findings.")] = 50,
    open_: Annotated[
        bool, Option(names=("--open",), help="Look at the lanes and the findings in the interface.")
    ] = False,
) -> None:
    """Search recorded traffic for one user's values in another user's answers and prompts."""
    if open_:
        _open(trace, boundary)
        return
    result = _run(trace, boundary)
    if format == "json":
        # ASCII, so that neither a lone surrogate nor a terminal escape of a trace gets out raw.
        sys.stdout.write(
            json.dumps({**result.to_json(), "findings": [f.to_json() for f in result.findings[:most]]}, indent=2) + "\n"
        )
    else:
        _print(result, most)
    raise SystemExit(result.exit_code)


def _open(trace: Path, boundary: str) -> None:
    from ...replay.settings import Settings
    from ...replay.trace.events import parts
    from ...replay.worker.options import WorkerOptions
    from ..app import CrosslaneApp
    from ..screens.traffic import TrafficScreen
    from ..session import OpenSession

    parts(trace)
    session = OpenSession(None, None, WorkerOptions(None, Path.cwd()), None, Settings(), None)
    raise SystemExit(CrosslaneApp(session, TrafficScreen(trace, boundary)).show())


def _run(trace: Path, boundary: str) -> Audit:
    """The audit, with the share of the bytes that were read on a terminal."""
    from ...replay.detect.audit import audit as run
    from ...replay.trace.piped import NAME, STDIN, file_of
    from .reading_line import reading_line

    console = Console(stderr=True)
    with (
        reading_line(console, trace) as tell,
        file_of(trace, lambda size: tell("reading standard input", size)) as file,
    ):
        result = run(file, boundary, tell)
    return replace(result, trace=NAME) if str(trace) == STDIN else result


def _print(result: Audit, most: int) -> None:
    console = Console(highlight=False)
    notes = Console(stderr=True, highlight=False)
    for problem in result.problems[:10]:
        notes.print(Text(f"{safe(result.trace)}:{problem.line}: {safe(problem.message)}", "yellow"), soft_wrap=True)
    if len(result.problems) > 10:
        notes.print(Text(f"and {len(result.problems) - 10} more lines like that", "yellow"))
    for finding in result.findings[:most]:
        console.print(Text(_line(finding)), soft_wrap=True)
        console.print(Text(f"    {_detail(finding)}", "dim"), soft_wrap=True)
    if len(result.findings) > most:
        notes.print(Text(f"and {len(result.findings) - most} more; --most {len(result.findings)} shows all"))
    notes.print(Text(_summary(result)), soft_wrap=True)


def finding_lines(finding: Finding) -> tuple[str, str]:
    """A finding in a line, and the line that goes into it."""
    return _line(finding), _detail(finding)


def _line(finding: Finding) -> str:
    source, sink = finding.source, finding.sink
    if finding.kind == "identity":
        return (
            f"{safe(sink.request, 40)}: {safe(sink.path, 60)} names {finding.value_kind} {safe(source.lane, 40)}, "
            f"but {safe(sink.evidence, 100)}"
        )
    what = f'{finding.value_kind} "{safe(sink.evidence, 80)}"'
    return (
        f"{safe(source.lane, 40)} -> {safe(sink.lane, 40)}: {what} in {safe(sink.path, 80)} of {safe(sink.request, 40)}"
    )


def _detail(finding: Finding) -> str:
    if finding.kind == "identity":
        return "two places of one request name different people; unverified"
    verb = "sent in" if finding.kind == "request-value" else "first answered in"
    where = "an upstream prompt" if finding.sink.where == "upstream" else "the response"
    when = "while both were in flight" if finding.overlapped else f"{_ago(finding.after_ns)} earlier"
    places = f"; {finding.count} places" if finding.count > 1 else ""
    return f"{verb} {safe(finding.source.request, 40)}, {when}; surfaced in {where}{places}; rank {finding.rank:g}"


def _ago(ns: int) -> str:
    seconds = ns / 1e9
    return (
        f"{seconds * 1000:.0f} ms"
        if seconds < 1
        else f"{seconds:.1f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
    )


def _summary(result: Audit) -> str:
    capped = f"; {result.kept_by_hash:,} of them as whole words only, for want of memory" if result.kept_by_hash else ""
    capped += "; some values were left out, for want of memory" if result.capped else ""
    searched = f"{result.requests:,} requests, {result.lanes:,} lanes, {result.values:,} values searched{capped}"
    if result.stopped:
        return f"stopped {result.stopped}: {len(result.findings)} found so far; {searched}"
    if not result.findings:
        return f"no value of one lane was seen in another's responses or prompts: {searched}"
    return f"{len(result.findings)} found: {searched}"
