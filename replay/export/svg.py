"""`export --as svg`: the lanes side by side as a picture, with the crossing drawn from the write to the read.

Made by hand, one text element a cell, so that it stays sharp, can be searched, and follows the reader's dark or light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from .story import GLYPHS, headline, lanes, moments
from .visible import visible

if TYPE_CHECKING:
    from .findings import ExportSource
    from .story import Moment

_CELL = 350
_GUTTER = 16
_ROW = 24
_TOP = 74
_CHARACTERS = 40
_MOST_ROWS = 200
_STYLE = """
    svg { color-scheme: light dark }
    text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; white-space: pre }
    .page { fill: #ffffff } .rule { stroke: #d1d9e0 } .dim { fill: #59636e } .head { font-weight: 600 }
    .bad { fill: #b3261e; font-weight: 600 } .tip { fill: #b3261e }
    .line { stroke: #b3261e; stroke-width: 2; fill: none }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 } .page { fill: #0d1117 } .rule { stroke: #3d444d } .dim { fill: #9198a1 }
      .bad, .tip { fill: #ff8078 } .line { stroke: #ff8078 }
    }"""


def svg(source: ExportSource) -> str:
    """A picture as wide as the repro has lanes."""
    crossing = source.crossing
    columns = {lane: number for number, lane in enumerate(lanes(crossing))}
    happened = [moment for moment in moments(source) if moment.lane in columns]
    shown = happened[:_MOST_ROWS]
    width = _GUTTER * 2 + _CELL * len(columns)
    height = _TOP + _ROW * (len(shown) + 3)
    through = f"through {crossing.carrier.name}" if crossing.carrier is not None else crossing.explained
    title = _text(headline(crossing), 200)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'role="img" aria-labelledby="title">',
        f'  <title id="title">{title}</title>',
        f"  <style>{_STYLE}\n  </style>",
        f'  <rect class="page" width="{width}" height="{height}"/>',
        f'  <text class="bad" x="{_GUTTER}" y="24">✗ {_text(headline(crossing), 20 + 40 * len(columns))}</text>',
        f'  <text class="dim" x="{_GUTTER}" y="44">{_text(through, 20 + 40 * len(columns))}</text>',
        *(f'  <text class="head" x="{_x(n)}" y="{_TOP}">{_text(lane, 38)}</text>' for lane, n in columns.items()),
        f'  <path class="rule" d="M {_GUTTER} {_TOP + 8} H {width - _GUTTER}"/>',
        *(_row(moment, columns[moment.lane], row) for row, moment in enumerate(shown)),
        *_crossing(shown, columns),
    ]
    if len(happened) > len(shown):
        more = f"… and {len(happened) - len(shown)} more moments"
        parts.append(f'  <text class="dim" x="{_GUTTER}" y="{_y(len(shown))}">{more}</text>')
    needs = _text(crossing.needs.in_words(), 80)
    parts += [f'  <text class="dim" x="{_GUTTER}" y="{height - 14}">needs {needs}</text>', "</svg>"]
    return "\n".join(parts) + "\n"


def _row(moment: Moment, column: int, row: int) -> str:
    style = "bad" if moment.end else "dim" if moment.kind in ("await", "blocked") else ""
    # The end of the text is dropped before the place is: the place is what one looks for.
    at = f"  {visible(moment.at, 18)}" if moment.at else ""
    words = moment.kind if moment.kind in ("write", "read", "blocked") else ""
    text = f"{GLYPHS.get(moment.kind, '·')} {words + ' ' if words else ''}{visible(moment.text)}"
    room = _CHARACTERS - len(at)
    cut = text if len(text) <= room else f"{text[: room - 1]}…"
    return f'  <text class="{style}" x="{_x(column)}" y="{_y(row)}">{escape(cut + at)}</text>'


def _crossing(shown: list[Moment], columns: dict[str, int]) -> list[str]:
    """The line from the write to the read, or to where the data came out where the read is not known."""
    rows = {moment.end: (row, columns[moment.lane]) for row, moment in enumerate(shown) if moment.end}
    start, end = rows.get("write"), rows.get("read", rows.get("sink"))
    if start is None or end is None or start[1] == end[1]:
        return []
    rightwards = start[1] < end[1]
    # In the gap before the reader's column, on the side from which the data comes.
    middle = _x(end[1]) - 14 if rightwards else _x(end[1]) + _CELL - 24
    begin_x = _x(start[1]) + _CELL - 32 if rightwards else _x(start[1]) - 8
    begin_y, end_y = _y(start[0]) - 4, _y(end[0]) - 4
    tip = f"M {middle + 10} {end_y} l -7 -4 v 8 z" if rightwards else f"M {middle - 10} {end_y} l 7 -4 v 8 z"
    end_x = middle + 6 if rightwards else middle - 6
    return [
        f'  <path class="line" d="M {begin_x} {begin_y} H {middle} V {end_y} H {end_x}"/>',
        f'  <path class="tip" d="{tip}"/>',
    ]


def _x(column: int) -> int:
    return _GUTTER + _CELL * column


def _y(row: int) -> int:
    return _TOP + 8 + _ROW * (row + 1)


def _text(text: str, limit: int) -> str:
    return escape(visible(text, limit))
