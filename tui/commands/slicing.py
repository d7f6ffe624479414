"""`crosslane slice`: the part of a large trace that is worth replaying, as a trace of its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.text import Text

from ...replay.errors import CrosslaneError
from ..safe_text import safe
from .declared import Argument, Option

TraceArgument = Annotated[Path, Argument(help="A trace file (JSON lines).", show_default=False)]
OutputOption = Annotated[Path, Option(names=("-o", "--output"), help="The trace to write.", show_default=False)]

_UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "": 10**9}


def slice_(
    trace: TraceArgument,
    output: OutputOption,
    begin: Annotated[
        str | None,
        Option(names=("--from",), help="Seconds from the start, or an ISO time: what was in flight then or later."),
    ] = None,
    end: Annotated[str | None, Option(names=("--to",), help="Likewise: what began by then.")] = None,
    session: Annotated[list[str] | None, Option(help="Only this session; repeatable.")] = None,
    user: Annotated[list[str] | None, Option(help="Only this user; repeatable.")] = None,
    around: Annotated[
        str | None,
        Option(help="The id of a request: what overlapped it, and what those sessions did before."),
    ] = None,
    margin: Annotated[str, Option(help="With --around: how far to look on both sides, as 5s or 500ms.")] = "5s",
) -> None:
    """Keep a part of a trace: a span of time, sessions, users, or whatever could have touched one request."""
    from ...replay.trace.slice import Selection, slice_trace

    if begin is None and end is None and not session and not user and around is None:
        raise CrosslaneError("nothing says what to keep", remedy="give --from, --to, --session, --user or --around")
    selection = Selection(begin, end, frozenset(session or ()), frozenset(user or ()), around, _margin_ns(margin))
    sliced = slice_trace(trace, output, selection)
    console = Console(stderr=True, highlight=False)
    for problem in sliced.problems[:5]:
        console.print(Text(f"{safe(str(trace))}:{problem.line}: {safe(problem.message)}", "yellow"), soft_wrap=True)
    if len(sliced.problems) > 5:
        console.print(Text(f"{safe(str(trace))}: and {len(sliced.problems) - 5} more lines like that", "yellow"))
    console.print(
        Text(
            f"wrote {safe(str(output))}: {sliced.requests:,} of {sliced.of_requests:,} requests, "
            f"{sliced.sessions:,} of {sliced.of_sessions:,} sessions",
            "bold",
        ),
        soft_wrap=True,
    )


def _margin_ns(text: str) -> int:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)(ms|s|m|)", text.strip())
    if match is None:
        raise CrosslaneError(f"cannot read the margin {text!r}", "--margin", "write it like 5s or 500ms")
    return int(float(match[1]) * _UNITS[match[2]])
