"""Colours. A colour says which lane, a glyph says what: everything is legible without any of them."""

from __future__ import annotations

from functools import lru_cache

from rich.style import Style

# Found by a search for colours that stay apart for the common colour blindnesses, from each other and from the accent,
# and have a contrast of at least 4.5 to the backgrounds of their theme, that of the cursor's row included. What is
# painted names those for dark backgrounds; `themes` puts the others in their place.
LANES = ("#1ac8e8", "#c6b91a", "#c17f9c", "#08fab6", "#9589e9", "#b0ed00")
ACCENT = "#ea6f52"
LIGHT_LANES = ("#3d3eff", "#0a595d", "#7552a1", "#6b0000", "#083549", "#60039b")
LIGHT_ACCENT = "#b51306"


@lru_cache(maxsize=4_096)
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
