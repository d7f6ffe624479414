"""`export --as trace`: the smallest requests that show a finding, as a trace that every command reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..repro import repro_events
from ..trace.events import VERSION

if TYPE_CHECKING:
    from .findings import ExportSource


def trace_file(source: ExportSource) -> str:
    """JSON lines: a header, the requests, and what of the recorded answers their replay needs. ASCII alone."""
    events: list[dict[str, Any]] = [{"k": "header", "v": VERSION, "finding": source.crossing.id}]
    events += repro_events(source.crossing)
    events.append({"k": "end", "n": len(source.crossing.requests)})
    return "".join(json.dumps(event) + "\n" for event in events)
