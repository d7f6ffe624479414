"""What a screen paints: its text, and the style of every stretch of it, as it is after the theme's filters."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any

from rich.style import Style
from textual.app import App
from textual.color import Color

from .test_palette import contrast

LEAST_CONTRAST = 4.5
SIGNS = frozenset("✗✖✂≠◆━┃▶▷‹")
"""One of these stands in each line that has something in the colour of crossings."""
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Painted:
    """Lines of (text, style)."""

    lines: tuple[tuple[tuple[str, Style], ...], ...]

    @property
    def text(self) -> str:
        rows = ("".join(text for text, _ in line).rstrip() for line in self.lines)
        return "\n".join(rows).rstrip("\n") + "\n"

    def illegible(self) -> list[tuple[str, str]]:
        """Texts whose colour is too near to what is behind them."""
        return [
            (text, str(style))
            for line in self.lines
            for text, style in line
            if any(char.isalnum() for char in text) and _contrast(style) < LEAST_CONTRAST
        ]

    def colourless(self) -> bool:
        return all(len(set(rgb)) == 1 for line in self.lines for _, style in line for rgb in _colours(style))

    def cells_of(self, colour: str) -> set[tuple[int, int]]:
        """The cells, but for blanks, that have this colour on them or behind them."""
        wanted = Color.parse(colour).rgb
        found: set[tuple[int, int]] = set()
        for y, line in enumerate(self.lines):
            x = 0
            for text, style in line:
                if wanted in _colours(style):
                    found.update((y, x + n) for n, char in enumerate(text) if not char.isspace())
                x += len(text)
        return found

    def without_sign(self, colour: str) -> list[str]:
        """The lines that have something in this colour, and nothing that says the same without it."""
        rows = {y for y, _ in self.cells_of(colour)}
        texts = ("".join(text for text, _ in self.lines[y]) for y in sorted(rows))
        return [text for text in texts if not SIGNS & set(text)]

    def map(self) -> str:
        """A letter for each style, in its place; and what the letters mean."""
        letters: dict[str, str] = {}
        rows: list[str] = []
        for line in self.lines:
            row = ""
            for text, style in line:
                named = _named(style)
                letters.setdefault(named, _LETTERS[len(letters)])
                row += "".join(letters[named] if not char.isspace() or style.reverse else " " for char in text)
            rows.append(row.rstrip())
        legend = [f"{letter}  {named}" for named, letter in letters.items()]
        return "\n".join((*rows, *legend)) + "\n"


def painted(app: App[Any], part: str = "") -> Painted:
    """The screen as it is, or a part of it by its selector."""
    _width, height = app.size
    strips = app.screen._compositor.render_strips()[:height]
    if part:
        region = app.screen.query_one(part).region
        strips = [strip.crop(region.x, region.right) for strip in strips[region.y : region.bottom]]
    return Painted(tuple(tuple((s.text, s.style or Style()) for s in strip if not s.control) for strip in strips))


def _colours(style: Style) -> list[tuple[int, int, int]]:
    known = (Color.from_rich_color(colour) for colour in (style.color, style.bgcolor) if colour is not None)
    return [colour.rgb for colour in known]


def _contrast(style: Style) -> float:
    assert style.color is not None
    assert style.bgcolor is not None
    return contrast(Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor))


def _named(style: Style) -> str:
    """The style in words, without the actions that widgets keep in it."""
    plain = Style(
        color=style.color,
        bgcolor=style.bgcolor,
        bold=style.bold,
        dim=style.dim,
        italic=style.italic,
        underline=style.underline,
        reverse=style.reverse,
    )
    return str(plain)
