"""Colours. A colour says which lane, a glyph says what: everything is legible without any of them."""

from __future__ import annotations

from rich.style import Style

# Okabe and Ito's palette for the common colour blindnesses, without its red-orange, which is the crossing's own, and
# without yellow and black, which vanish on one of the two backgrounds.
LANES = ("#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#b08900", "#7f7fbf")
ACCENT = "#e0431b"


def style_of(role: str, column: int) -> Style:
    """The style of a piece of a row; see `rows.Piece`."""
    match role:
        case "heading":
            return Style(color=LANES[column % len(LANES)], bold=True)
        case "cell":
            return Style(color=LANES[column % len(LANES)])
        case "line":
            return Style(color=ACCENT, bold=True)
        case "crossing":
            return Style(color=ACCENT, bold=True)
        case "evidence":
            return Style(color=ACCENT, bold=True, reverse=True)
        case "changed":
            return Style(color=LANES[column % len(LANES)], bold=True, underline=True)
        case "match":
            return Style(reverse=True)
        case "remark":
            return Style(bold=True)
        case "step" | "dot":
            return Style(dim=True)
        case _:
            return Style()
