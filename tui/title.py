"""The line at the top, in the room that there is: the verdict is the last thing to go.

First the paths are shortened in their middle, as long as they can still be told; then goes what is beside the verdict.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from .safe_text import safe
from .words import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .jobs import Jobs
    from .known import Known
    from .session import OpenSession
    from .showing import Shown

NARROW = 110
"""Below this width, what stands beside the lanes has no room there, and the title less to say."""

_NAME = "crosslane  "
_BETWEEN = "   "
_TOLD = 24
_LEAST = 9


def main_title(session: OpenSession, shown: Shown | None, jobs: Jobs, known: Known, width: int) -> str:
    """What the main screen has open, what is in its lanes, and what came of that, or how far the job is.

    A run that is shown by itself, such as a branch, has an outcome of its own: the search's stands beside it, as such.
    How it was chosen stands over the lanes.
    """
    assert session.trace is not None
    paths = f"{safe(Path(session.trace.path).name)} > {safe(session.handler or '')}"
    schedule = shown.schedule if shown is not None else "recorded"
    how = (f"concurrency {session.concurrency or 'all'}", f"schedule {schedule}") if width >= NARROW else ()
    if jobs.progress:
        return title(paths, how, safe(jobs.progress), (), width)
    if jobs.failed:
        return title(paths, how, "✖ no verdict", (), width)
    if known.result is None:
        return title(paths, how, "", (), width)
    report = known.result.report
    count = len(report.crossings)
    said = f"{VERDICTS[report.verdict]} {report.verdict}"
    verdict, executions = counted(count) if count else said, f"{report.executions} executions"
    if shown is not None and shown.outcome:
        beside = f"{known.result_of}: {verdict} in {executions}"
        return title(paths, how[:1], shown.outcome, tuple(filter(None, (beside, jobs.reloaded))), width)
    return title(paths, how, verdict, tuple(filter(None, (jobs.reloaded, executions))), width)


def counted(crossings: int) -> str:
    return f"✗ {crossings} crossing{'' if crossings == 1 else 's'}"


def title(paths: str, before: Sequence[str], verdict: str, after: Sequence[str], width: int) -> str:
    """The paths, then what stands before the verdict, the verdict, and what stands after it, in `width` cells.

    All of them are safe to show already. What stands last goes first.
    """
    name, goes = _NAME, [*before, *after]
    while True:
        said = [part for part in (*before, verdict, *after) if part and (part == verdict or part in goes)]
        rest = "".join(_BETWEEN + part for part in said)
        room = width - 1 - len(name) - cell_len(rest)
        if room >= min(cell_len(paths), _TOLD if goes else _LEAST):
            return f" {name}{shortened(paths, room)}{rest}"
        if goes:
            goes.pop()
        elif name:
            name = ""
        else:
            return f" {verdict or shortened(paths, width - 1)}"


def shortened(text: str, width: int) -> str:
    """`text` in at most so many cells: its beginning and its end, which say more of a path than its middle."""
    if cell_len(text) <= width:
        return text
    if width < 3:
        return set_cell_size(text, max(0, width)).rstrip()
    end = width // 2
    start = set_cell_size(text, width - 1 - end).rstrip()
    tail = text[-end:]
    while cell_len(tail) > end:
        tail = tail[1:]
    return f"{start}…{tail}"
