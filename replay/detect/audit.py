"""What already crossed in recorded traffic: values of one lane that stand in another's answers or prompts.

No handler is needed, and the trace is never held in memory. It is read twice: once for the telling values of every
lane, of which those that more than one lane sent are nobody's; then all that are left are searched for at once
(Aho-Corasick, 1975) in every response, stream and prompt. Recorded traffic proves less than a replay does, so a finding
says what was seen and is ranked by how telling it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import CrosslaneError
from ..trace.events import read_events
from .audit_report import Audit
from .owners import Owners
from .sightings import Sightings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..trace.model import Problem

MOST_VALUES = 500_000
"""Values that are searched for at most; each takes some 300 bytes."""


def audit(
    path: Path,
    boundary: str = "user",
    most_values: int = MOST_VALUES,
    progress: Callable[[str, int], None] | None = None,
) -> Audit:
    """Search a trace for values that crossed lanes. A `KeyboardInterrupt` ends it with what was found.

    Args:
        progress: called now and then with what is being done and how many events were read.

    Raises:
        TraceError: the file cannot be read. CrosslaneError: there is no request in it, or nothing at the boundary.
    """
    known = Owners(most_values)
    problems: list[Problem] = []
    complete = True
    search: Sightings | None = None
    try:
        for number, (line, event) in enumerate(read_events(path, problems)):
            known.event(line, event, boundary, path)
            if progress is not None and number % 2000 == 0:
                progress("collecting values", number)
        if not known.requests:
            why = f" (line {problems[0].line}: {problems[0].message})" if problems else ""
            raise CrosslaneError(f"holds no usable request{why}", str(path))
        search = Sightings(known, path)
        for number, (_, event) in enumerate(read_events(path, [])):
            search.event(event)
            if progress is not None and number % 2000 == 0:
                progress("searching", number)
    except KeyboardInterrupt:
        complete = False
    findings = () if search is None else search.findings()
    return Audit(
        str(path),
        known.requests,
        len(known.lanes),
        0 if search is None else search.patterns,
        known.capped or (search is not None and search.capped),
        findings,
        tuple(problems),
        complete,
    )
