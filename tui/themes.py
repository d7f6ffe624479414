"""The interface's own themes: dark, light, and one without any colour.

What is painted names the colours of the dark palette. On a light background each of them is replaced by its
counterpart where lines are drawn, so that no screen and no cache needs to know which theme there is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter
from textual.theme import Theme

from .palette import ACCENT, LANES, LIGHT_ACCENT, LIGHT_LANES

if TYPE_CHECKING:
    from textual.color import Color

DARK = Theme(
    "crosslane-dark",
    primary="#2c4563",
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
    variables={"footer-key-foreground": "#7fb4e6"},
)
LIGHT = Theme(
    "crosslane-light",
    primary="#b4cfe8",
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
    variables={"footer-key-foreground": "#0f5b99"},
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
    variables={"footer-key-foreground": "#ffffff"},
)
THEMES = (DARK, LIGHT, GREY)

_COUNTERPARTS = {
    RichColor.parse(dark).get_truecolor(): RichColor.parse(light)
    for dark, light in zip((ACCENT, *LANES), (LIGHT_ACCENT, *LIGHT_LANES), strict=True)
}


class Repaint(LineFilter):
    """Puts the colours of the light palette in the place of those of the dark one."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002
        return [Segment(text, repainted(style), control) for text, style, control in segments]


@lru_cache(1024)
def repainted(style: Style | None) -> Style | None:
    """The style with what it has of the dark palette replaced."""
    if style is None:
        return None
    front, back = _counterpart(style.color), _counterpart(style.bgcolor)
    return style if front is None and back is None else style + Style.from_color(front, back)


def _counterpart(colour: RichColor | None) -> RichColor | None:
    return None if colour is None else _COUNTERPARTS.get(colour.get_truecolor())
