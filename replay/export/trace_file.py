"""`export --as trace`: the smallest requests that show a finding, as a trace that every command reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..trace.events import VERSION

if TYPE_CHECKING:
    from .findings import ExportSource


def trace_file(source: ExportSource) -> str:
    """JSON lines: a header, the requests, and the upstream answers that their replay repeats. ASCII alone."""
    events: list[dict[str, Any]] = [{"k": "header", "v": VERSION, "finding": source.crossing.id}]
    for request in source.crossing.requests:
        events.append({key: value for key, value in request.items() if key not in ("lane", "answers")})
        events += [
            {"k": "up", "parent": request["id"], "t": request.get("t", 0), "name": name, "in": sent, "out": answered}
            for name, sent, answered in request.get("answers", ())
        ]
    events.append({"k": "end", "n": len(source.crossing.requests)})
    return "".join(json.dumps(event) + "\n" for event in events)
