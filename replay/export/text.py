"""`export --as text`: a finding as plain text, for a terminal, a ticket or the output of a failed test.

What happened, one lane a column and one moment a row, then what is known of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .story import GLYPHS, facts, headline, lanes, moments
from .visible import visible

if TYPE_CHECKING:
    from .findings import ExportSource
    from .story import Moment

_WIDTH = 110
_NARROWEST = 24
_STEP = 5
_MOST_ROWS = 60
_MARKS = {"write": "  ← written here", "read": "  ← read here", "sink": "  ← shown here"}


def text(source: ExportSource) -> str:
    """The finding in words."""
    return f"{visible(headline(source.crossing), 300)}\n\n{what_happened(source)}"


def what_happened(source: ExportSource) -> str:
    """The lanes, and what is known of the finding."""
    rows = [*lanes_side_by_side(source), ""]
    rows += [f"  {label:<8} {visible(value, 500)}" for label, value in facts(source.crossing)]
    return "\n".join(row.rstrip() for row in rows) + "\n"


def lanes_side_by_side(source: ExportSource) -> list[str]:
    """The lanes in columns; where they do not fit, those that the finding is about."""
    crossing = source.crossing
    names = list(lanes(crossing))
    happened = moments(source)
    if len(names) * _NARROWEST > _WIDTH:
        names = [crossing.source.lane, crossing.sink.lane]
    width = max(_NARROWEST, _WIDTH // max(1, len(names)))
    column = {name: number for number, name in enumerate(names)}
    rows = [" " * _STEP + "".join(_cell(name, width) for name in names)]
    shown = [moment for moment in happened if moment.lane in column]
    for number, moment in enumerate(shown[:_MOST_ROWS], 1):
        indent = " " * (column[moment.lane] * width)
        rows.append(f"{number:>{_STEP - 2}}  {indent}{_line(moment, width)}")
    if len(shown) > _MOST_ROWS:
        rows.append(f"     … and {len(shown) - _MOST_ROWS} more")
    return rows


def _line(moment: Moment, width: int) -> str:
    glyph = GLYPHS.get(moment.kind, "·")
    at = f"  {visible(moment.at, 60)}" if moment.at else ""
    said = f"{moment.kind} {moment.text}" if moment.kind in ("write", "read") else moment.text
    room = max(12, width - len(at) - 4)
    return f"{glyph} {_cut(said, room)}{at}{_MARKS.get(moment.end, '')}"


def _cell(name: str, width: int) -> str:
    return f"{_cut(name, width - 2):<{width}}"


def _cut(value: str, room: int) -> str:
    shown = visible(value)
    return shown if len(shown) <= room else f"{shown[: room - 1]}…"
