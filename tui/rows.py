"""One row of the lanes as pieces of text with a role each; what a role looks like is the caller's affair."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, set_cell_size

from .safe_text import safe
from .words import GLYPHS, cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .grid import Grid

STEP_WIDTH = 5
GAP = 3
_DOT = "·"


class Piece(NamedTuple):
    """Text with its role: `step`, `dot`, `cell`, `line` (the crossing's), `crossing`, `evidence`, `gap`, `heading`."""

    text: str
    role: str
    column: int


def lane_width(total: int, lanes: int, least: int = 24) -> tuple[int, int]:
    """(how many lanes fit beside each other, the width of each) in `total` cells, step column left out."""
    fitting = max(1, min(lanes, (total + GAP) // (least + GAP)))
    return fitting, max(8, (total + GAP) // fitting - GAP)


def heading(grid: Grid, columns: Sequence[int], width: int) -> list[Piece]:
    pieces = [Piece("step".rjust(STEP_WIDTH - 1) + " ", "step", -1)]
    for place, column in enumerate(columns):
        session = grid.sessions[column]
        name = safe(grid.lanes[column], 60)
        title = f"{name}  {safe(session, 40)}" if session and session != grid.lanes[column] else name
        if place:
            pieces.append(Piece(" " * GAP, "gap", -1))
        pieces.append(Piece(fit(title, width), "heading", column))
    return pieces


def row(grid: Grid, index: int, columns: Sequence[int], width: int, evidence: str = "") -> list[Piece]:
    """The pieces of row `index`, with the given lanes beside each other."""
    event, own = grid.events[index], grid.columns[index]
    pieces = [Piece(str(event.seq).rjust(STEP_WIDTH - 1) + " ", "step", -1)]
    start, end = grid.line if grid.line is not None and tuple(columns[:2]) == (0, 1) else (-1, -1)
    for place, column in enumerate(columns):
        if place:
            drawn = " " * GAP
            if place == 1:
                drawn = {start: "━┓ ", end: " ┗━"}.get(index, " ┃ " if start < index < end else drawn)
            pieces.append(Piece(drawn, "line" if drawn.strip() else "gap", -1))
        if column != own:
            pieces.append(Piece(fit(_DOT, width), "dot", column))
            continue
        crossed = index == grid.sink_row
        text = cell(event, crossed)
        if index == end:
            text = "▶" + text.removeprefix(GLYPHS[event.kind])
        if crossed:
            shown = safe(evidence)
            if shown and shown not in text:  # in a header, or split over the parts of a stream
                text = f"{text[:2]}{shown}  in {safe(grid.sink_path)}"
            pieces += _marked(text, width, column, shown)
        elif index == start:
            text = cut(text, width - 2) + " "
            pieces.append(Piece(text, "cell", column))
            pieces.append(Piece("━" * (width - cell_len(text)), "line", column))
        else:
            pieces.append(Piece(fit(text, width), "cell", column))
    if own not in columns:
        pieces.append(Piece(f"  {cut(f'{safe(event.lane, 30)}: {cell(event)}', 60)}" if own < 0 else "", "dot", -1))
    return pieces


def _marked(text: str, width: int, column: int, evidence: str) -> list[Piece]:
    """A cell with the foreign value in it marked, and moved into sight when it stands too far to the right."""
    at = text.find(evidence) if evidence else -1
    if at < 0:
        return [Piece(fit(text, width), "crossing", column)]
    if cell_len(text[: at + len(evidence)]) > width:
        head = text[:2]
        room = max(0, width - 3 - cell_len(evidence))
        keep = min(at - 2, room // 2)
        text = f"{head}…{text[at - keep :]}"
        at = len(head) + 1 + keep
    before, found, after = text[:at], text[at : at + len(evidence)], text[at + len(evidence) :]
    before = cut(before, width)
    found = cut(found, width - cell_len(before))
    rest = width - cell_len(before) - cell_len(found)
    return [
        Piece(before, "crossing", column),
        Piece(found, "evidence", column),
        Piece(fit(after, rest) if rest > 0 else "", "crossing", column),
    ]


def cut(text: str, width: int) -> str:
    """At most `width` cells of it, with an ellipsis where something is missing; wide characters count two."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def fit(text: str, width: int) -> str:
    """Exactly `width` cells."""
    return set_cell_size(cut(text, width), width)
