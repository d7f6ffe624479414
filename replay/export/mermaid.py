"""`export --as mermaid`: a sequence diagram, as GitHub and GitLab render it in issues and pull requests.

Mermaid has no quoting: whatever is not a letter, a digit or plain punctuation goes in as a character code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .story import headline, lanes, moments
from .visible import visible

if TYPE_CHECKING:
    from .findings import ExportSource
    from .story import Moment

_PLAIN = frozenset(" .,_-'/=()!?")
_VERBS = {
    "request": "asks",
    "await": "waits in",
    "blocked": "waits for another in",
    "write": "writes",
    "read": "reads",
    "chunk": "streams",
    "output": "prints",
    "fault": "is disturbed",
    "response": "is answered",
    "error": "fails",
}
_LONGEST = 90
_MOST_MOMENTS = 120


def mermaid(source: ExportSource) -> str:
    """A `sequenceDiagram`: the users, the carrier between them, and what happened in order."""
    crossing = source.crossing
    names = {lane: f"L{number}" for number, lane in enumerate(lanes(crossing), 1)}
    lines = ["sequenceDiagram"]
    lines += [f"    participant {name} as {_text(lane, 40) or '?'}" for lane, name in names.items()]
    if crossing.carrier is not None:
        lines.append(f"    participant C as {_text(crossing.carrier.name, 60) or '?'}")
    happened = moments(source)
    for moment in happened[:_MOST_MOMENTS]:
        name = names.get(moment.lane)
        if name is not None:
            lines.append(f"    {_line(moment, name, crossing.carrier is not None)}")
    if len(happened) > _MOST_MOMENTS:
        lines.append(f"    Note over L1: and {len(happened) - _MOST_MOMENTS} more moments")
    first, last = names[crossing.source.lane], names[crossing.sink.lane]
    lines.append(f"    Note over {first},{last}: {_text(headline(crossing), 200)}")
    return "\n".join(lines) + "\n"


def _line(moment: Moment, name: str, has_carrier: bool) -> str:
    at = f" at {_text(moment.at, 60)}" if moment.at else ""
    text = _text(moment.text, _LONGEST)
    if moment.kind in ("write", "read") and has_carrier and moment.end:
        return f"{name}->>C: writes{at}" if moment.kind == "write" else f"C-->>{name}: is read{at}"
    if moment.kind == "crossing":
        return f"Note over {name}: ✗ {text}"
    return f"Note over {name}: {_VERBS.get(moment.kind, moment.kind)} {text}{at}".rstrip()


def _text(text: str, limit: int) -> str:
    """`text` so that nothing in it means anything to Mermaid."""
    return "".join(c if c.isalnum() or c in _PLAIN else f"#{ord(c)};" for c in visible(text, limit))
