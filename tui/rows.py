"""One row of the lanes as pieces of text with a role each; what a role looks like is the caller's affair.

A row has one event, so all that stands beside its cell is the same for every row: it is made once and cut to size.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from .emphasis import PLAIN, Span
from .safe_text import safe
from .words import GLYPHS, cell, short_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .emphasis import Emphasis
    from .grid import Grid

STEP_WIDTH = 5
GAP = 3
_DOT = "·"
_PINNED = "⇤ "
_CURRENT = "▸ "


class Piece(NamedTuple):
    """Text with its role: `step`, `dot` (and what stands between the cells), `cell`, `line` (the crossing's),
    `crossing`, `evidence`, `changed`, `match`, `remark`, `gap`, `heading`."""

    text: str
    role: str
    column: int


def lane_width(total: int, lanes: int, least: int = 24) -> tuple[int, int]:
    """(how many lanes fit beside each other, the width of each) in `total` cells, step column left out."""
    fitting = max(1, min(lanes, (total + GAP) // (least + GAP)))
    return fitting, max(8, (total + GAP) // fitting - GAP)


def heading(
    grid: Grid, columns: Sequence[int], width: int, pinned: frozenset[str] = frozenset(), current: int = -1
) -> list[Piece]:
    pieces = [Piece("step".rjust(STEP_WIDTH - 1) + " ", "step", -1)]
    for place, column in enumerate(columns):
        lane, session = grid.lanes[column], grid.sessions[column]
        name = f"{_CURRENT if column == current else ''}{_PINNED if lane in pinned else ''}{safe(lane, 60)}"
        title = f"{name}  {safe(session, 40)}" if session and session != lane else name
        if place:
            pieces.append(Piece(" " * GAP, "gap", -1))
        pieces.append(Piece(fit(title, width), "heading", column))
    return pieces


def row(grid: Grid, index: int, columns: Sequence[int], width: int, emphasis: Emphasis = PLAIN) -> list[Piece]:
    """The pieces of row `index`, with the given lanes beside each other."""
    own = grid.columns[index]
    step = Piece(str(grid.events[index].seq).rjust(STEP_WIDTH - 1) + " ", "step", -1)
    if grid.line is not None and grid.line[0] <= index <= grid.line[1]:
        return [step, *_with_line(grid, index, columns, width, emphasis)]
    dots = _dots(len(columns), width)
    if own < 0:
        return [step, *_background(grid, index, len(dots), emphasis)]
    if own not in columns:
        return [step, Piece(dots, "dot", -1)]
    start = columns.index(own) * (width + GAP)
    pieces = [step, Piece(dots[:start], "dot", -1)] if start else [step]
    pieces += _cell(grid, index, width, emphasis)
    if start + width < len(dots):
        pieces.append(Piece(dots[start + width :], "dot", -1))
    return pieces


@lru_cache(maxsize=64)
def _dots(count: int, width: int) -> str:
    """A row in which nothing happens; every character is one cell wide."""
    return (" " * GAP).join([_DOT.ljust(width)] * count)


def row_text(grid: Grid, index: int, emphasis: Emphasis = PLAIN) -> str:
    """What a row says, however much of it there is room for."""
    event = grid.events[index]
    if grid.columns[index] < 0:
        return f"{_DOT} {safe(event.lane, 30)}: {cell(event)}"
    if index != grid.sink_row:
        return cell(event)
    text, evidence = cell(event, True), safe(emphasis.evidence)
    if evidence and evidence not in text:  # in a header, or split over the parts of a stream
        text = f"{text[:2]}{evidence}  in {safe(grid.sink_path, 200)}"
    return text


def _background(grid: Grid, index: int, width: int, emphasis: Emphasis) -> list[Piece]:
    text = row_text(grid, index)
    return _emphasised(text, width, -1, "dot", emphasis.found(text))


def _cell(grid: Grid, index: int, width: int, emphasis: Emphasis) -> list[Piece]:
    event, column = grid.events[index], grid.columns[index]
    crossed = index == grid.sink_row
    text = row_text(grid, index, emphasis)
    evidence = safe(emphasis.evidence) if crossed else ""
    spans, remark = emphasis.spans(index, event, text)
    at = text.find(evidence) if evidence else -1
    if at >= 0 and not any(span.start <= at < span.end and span.role == "evidence" for span in spans):
        spans = [Span(at, at + len(evidence), "evidence")]
    role = "crossing" if crossed else "cell"
    if not remark:
        return _emphasised(text, width, column, role, spans)
    # In a narrow cell the sign alone stands for the remark, and where the value is another's, the glyph has said it.
    remark = remark if len(remark) <= width // 3 else "" if remark.startswith("‹") else remark[0]
    room = width - cell_len(remark) - 1 if remark else width
    pieces = _emphasised(text, room, column, role, spans)
    return [*pieces, Piece(f" {remark}", "remark", column)] if remark else pieces


# ---- the crossing's line


def _with_line(grid: Grid, index: int, columns: Sequence[int], width: int, emphasis: Emphasis) -> list[Piece]:
    """A row that the line from the write to the read begins in, goes through or ends in.

    It bends beside the one of both lanes that stands further to the right. Where a lane is not in sight, the other end
    names it.
    """
    assert grid.line is not None
    start, end = grid.line
    own = grid.columns[index]
    write, read = grid.columns[start], grid.columns[end]
    ends = [place for place, column in enumerate(columns) if column in (write, read)]
    low, bend = (ends[0], ends[1]) if len(ends) == 2 else (-1, -1)
    forward = low >= 0 and columns[low] == write
    reaches = (index == start and forward) or (index == end and not forward)
    pieces: list[Piece] = []
    for place, column in enumerate(columns):
        if place:
            pieces.append(_gap(place == bend, low < place < bend and reaches, _corner(index, start, end, forward)))
        if column == own:
            pieces += _end(grid, index, column, width, emphasis, low, forward)
        elif low < place < bend and reaches:
            pieces.append(Piece(_named(grid, index, width), "line", column))
        elif own < 0 and not place:
            pieces += _background(grid, index, width, emphasis)
        else:
            pieces.append(Piece(fit(_DOT, width), "dot", column))
    return pieces


def _corner(index: int, start: int, end: int, forward: bool) -> str:
    if index == start:
        return "━┓ " if forward else " ┏━"
    if index == end:
        return " ┗━" if forward else "━┛ "
    return " ┃ "


def _gap(bends: bool, passed: bool, corner: str) -> Piece:
    if bends:
        return Piece(corner, "line", -1)
    return Piece("━" * GAP, "line", -1) if passed else Piece(" " * GAP, "gap", -1)


def _named(grid: Grid, index: int, width: int) -> str:
    """The line on its way through a lane in between, with the carrier's name on it."""
    name = cut(f" {short_name(grid.events[index].carrier or '')} ", width - 2)
    return f"━━{name}".ljust(2) + "━" * (width - 2 - cell_len(name)) if name.strip() else "━" * width


def _end(grid: Grid, index: int, column: int, width: int, emphasis: Emphasis, low: int, forward: bool) -> list[Piece]:
    """The cell of the lane that acts in a row of the line."""
    assert grid.line is not None
    start, end = grid.line
    event = grid.events[index]
    if index not in (start, end):
        return _cell(grid, index, width, emphasis)
    text = cell(event)
    arrives = f"▶{text.removeprefix(GLYPHS[event.kind])}"
    if low < 0:  # the other lane is hidden, or scrolled away
        other = safe(grid.lanes[grid.columns[end if index == start else start]], 30)
        rest = f" ━▶ {other}" if index == start else f" ◀━ {other}"
        rest = cut(rest, max(4, width // 2))
        text = cut(text if index == start else arrives, width - cell_len(rest))
        return [*_searched(text, column, emphasis), Piece(fit(rest, width - cell_len(text)), "line", column)]
    if index == start and forward:
        text = cut(text, width - 2) + " "
        return [*_searched(text, column, emphasis), Piece("━" * (width - cell_len(text)), "line", column)]
    if index == end and not forward:
        text = cut(text, width - 3) + " "
        return [*_searched(text, column, emphasis), Piece("◀".ljust(width - cell_len(text), "━"), "line", column)]
    return _searched(fit(arrives if index == end else text, width), column, emphasis)


def _searched(text: str, column: int, emphasis: Emphasis) -> list[Piece]:
    return _emphasised(text, cell_len(text), column, "cell", emphasis.found(text))


# ---- text of a certain width


def _emphasised(text: str, width: int, column: int, role: str, spans: list[Span]) -> list[Piece]:
    """A cell with parts of it emphasised, the first of them moved into sight when it stands too far to the right."""
    if not spans:
        return [Piece(fit(text, width), role, column)]
    first = next((span for span in spans if span.role == "evidence"), spans[0])
    # A difference may be long: it is enough that it begins in sight.
    if cell_len(text[: first.start + 1 if first.role == "changed" else first.end]) > width:
        room = max(0, width - 3 - cell_len(text[first.start : first.end]))
        start = first.start - min(max(0, first.start - 2), room // 2)
        text = f"{text[:2]}…{text[start:]}"
        moved = 3 - start
        spans = [Span(max(3, s.start + moved), s.end + moved, s.role) for s in spans if s.end > start]
    shown = cut(text, width)
    pieces: list[Piece] = []
    done = 0
    for span in spans:
        if span.start >= len(shown):
            break
        pieces.append(Piece(shown[done : span.start], role, column))
        pieces.append(Piece(shown[span.start : span.end], span.role, column))
        done = min(span.end, len(shown))
    pieces.append(Piece(shown[done:] + " " * (width - cell_len(shown)), role, column))
    return [piece for piece in pieces if piece.text]


def cut(text: str, width: int) -> str:
    """At most `width` cells of it, with an ellipsis where something is missing; wide characters count two."""
    if (len(text) if text.isascii() else cell_len(text)) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def fit(text: str, width: int) -> str:
    """Exactly `width` cells."""
    return set_cell_size(cut(text, width), width)
