"""The interface's own themes: dark, light, and one without any colour.

What is painted names the colours of the dark palette. In the other themes each of them is replaced by its counterpart
where lines are drawn, so that no screen and no cache needs to know which theme there is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from textual.filter import LineFilter, Monochrome
from textual.theme import Theme

from .palette import ACCENT, LANES, LIGHT_ACCENT, LIGHT_LANES

if TYPE_CHECKING:
    from rich.color_triplet import ColorTriplet
    from textual.color import Color

DARK = Theme(
    "crosslane-dark",
    primary="#1c2b3e",
    secondary="#3b5f8a",
    accent="#7fb4e6",
    warning="#e0b050",
    error="#ff8f70",
    success="#5cc9a0",
    foreground="#e4e7ea",
    background="#11161c",
    surface="#161c24",
    panel="#1d2630",
    dark=True,
    variables={"footer-key-foreground": "#7fb4e6", "border": "#7f97b0", "scrollbar": "#33465a"},
)
LIGHT = Theme(
    "crosslane-light",
    primary="#d5e3f2",
    secondary="#8fb3d6",
    accent="#0f5b99",
    warning="#7a5200",
    error="#a8230a",
    success="#0b6347",
    foreground="#14181c",
    background="#fbfbf8",
    surface="#f4f5f1",
    panel="#e8ebe6",
    dark=False,
    variables={"footer-key-foreground": "#0f5b99", "border": "#4f6b86", "scrollbar": "#aebfcd"},
)
GREY = Theme(
    "crosslane-monochrome",
    primary="#484848",
    secondary="#606060",
    accent="#d0d0d0",
    warning="#e4e4e4",
    error="#ffffff",
    success="#e4e4e4",
    foreground="#e4e4e4",
    background="#121212",
    surface="#181818",
    panel="#242424",
    dark=True,
    variables={"footer-key-foreground": "#ffffff", "border": "#9a9a9a", "scrollbar": "#505050"},
)
THEMES = (DARK, LIGHT, GREY)


def _named(page: str, text: str, *colours: str) -> TerminalTheme:
    """What the names of colours mean, plain and bright, from black and red to cyan and white."""
    black, *others, white = (RichColor.parse(colour).get_truecolor() for colour in (page, *colours, text))
    return TerminalTheme(black, white, [black, *others, white])


# The source is painted in these. Those of Textual's own are too near to our backgrounds.
NAMED_ON_DARK = _named("#11161c", "#e4e7ea", "#ff8f70", "#8fd4a8", "#e0b050", "#7fb4e6", "#c9a0dc", "#7fcfd0")
NAMED_ON_LIGHT = _named("#fbfbf8", "#14181c", "#a8230a", "#0b6347", "#7a5200", "#0f5b99", "#7a3a8f", "#0a6070")


def _instead(*palette: str) -> dict[ColorTriplet, RichColor]:
    painted = (RichColor.parse(colour).get_truecolor() for colour in (ACCENT, *LANES))
    return dict(zip(painted, map(RichColor.parse, palette), strict=True))


_COUNTERPARTS = {
    LIGHT.name: _instead(LIGHT_ACCENT, *LIGHT_LANES),
    # The crossing is what is brightest.
    GREY.name: _instead("#ffffff", *("#b8b8b8" for _ in LANES)),
}


class Repaint(LineFilter):
    """Puts the colours of a theme in the place of those of the dark palette."""

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._theme = theme

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        return [Segment(text, repainted(style, self._theme), control) for text, style, control in segments]


@lru_cache(1024)
def repainted(style: Style | None, theme: str) -> Style | None:
    """The style with what it has of the dark palette replaced."""
    if style is None:
        return None
    front, back = _counterpart(style.color, theme), _counterpart(style.bgcolor, theme)
    return style if front is None and back is None else style + Style.from_color(front, back)


def _counterpart(colour: RichColor | None, theme: str) -> RichColor | None:
    return None if colour is None else _COUNTERPARTS[theme].get(colour.get_truecolor())


_LIGHT: list[LineFilter] = [Repaint(LIGHT.name)]
_GREY: list[LineFilter] = [Repaint(GREY.name)]
_MONOCHROME: list[LineFilter] = [Monochrome()]


def repaint(theme: Theme) -> list[LineFilter]:
    """What is to be done before anything else, for a theme of ours or of another."""
    return _GREY if theme is GREY else [] if theme.dark else _LIGHT


def without_colour(theme: Theme, colour: bool) -> list[LineFilter]:
    """What is to be done at last, where there is to be no colour."""
    return [] if colour and theme is not GREY else _MONOCHROME
