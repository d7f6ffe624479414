"""Colours that can be told apart and read, by whoever looks and on whichever background."""

from __future__ import annotations

from itertools import combinations
from math import dist

import pytest
from crosslane.tui.palette import ACCENT, LANES, LIGHT_ACCENT, LIGHT_LANES
from crosslane.tui.themes import DARK, GREY, LIGHT, THEMES, Repaint, repainted
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.theme import Theme

Rgb = tuple[float, float, float]

# Machado, Oliveira and Fernandes 2009, at full severity, for linear RGB.
BLINDNESSES: dict[str, tuple[Rgb, Rgb, Rgb]] = {
    "none": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
APART = 0.08
"""In Oklab, where about 0.02 is the least that is noticed of two patches side by side."""


def linear(colour: str) -> Rgb:
    def channel(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = Color.parse(colour).normalized
    return channel(red), channel(green), channel(blue)


def oklab(rgb: Rgb) -> Rgb:
    red, green, blue = (min(1.0, max(0.0, value)) for value in rgb)
    long = (0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue) ** (1 / 3)
    middle = (0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue) ** (1 / 3)
    short = (0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def seen(colour: str, blindness: str) -> Rgb:
    rgb = linear(colour)
    red, green, blue = (sum(a * b for a, b in zip(row, rgb, strict=True)) for row in BLINDNESSES[blindness])
    return oklab((red, green, blue))


def contrast(one: Color, other: Color) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: Color) -> float:
    red, green, blue = linear(colour.hex6)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("blindness", BLINDNESSES)
@pytest.mark.parametrize("palette", [(ACCENT, *LANES), (LIGHT_ACCENT, *LIGHT_LANES)], ids=["dark", "light"])
def test_lanes_and_accent_are_told_apart_whatever_colours_the_eye_lacks(
    palette: tuple[str, ...], blindness: str
) -> None:
    for one, other in combinations(palette, 2):
        assert dist(seen(one, blindness), seen(other, blindness)) >= APART, (one, other)


def test_the_measure_knows_the_pairs_that_are_confused() -> None:
    red, green = "#b02a2a", "#5a5a00"
    assert dist(seen(red, "none"), seen(green, "none")) > 1.4 * dist(
        seen(red, "deuteranopia"), seen(green, "deuteranopia")
    )
    assert contrast(Color.parse("#000"), Color.parse("#fff")) == pytest.approx(21)


def backgrounds(theme: Theme) -> list[Color]:
    """What stands behind the lanes: the page, panels, and the cursor's row with and without the focus."""
    page, panel = Color.parse(theme.background or ""), Color.parse(theme.panel or "")
    return [page, panel, *(page.blend(Color.parse(theme.foreground or ""), part) for part in (0.04, 0.08))]


@pytest.mark.parametrize(("theme", "palette"), [(DARK, (ACCENT, *LANES)), (LIGHT, (LIGHT_ACCENT, *LIGHT_LANES))])
def test_lanes_and_accent_are_legible_also_in_the_row_of_the_cursor(theme: Theme, palette: tuple[str, ...]) -> None:
    for background in backgrounds(theme):
        for colour in palette:
            assert contrast(Color.parse(colour), background) >= 4.5, (colour, background.hex)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_plain_text_and_what_warns_are_legible_on_every_surface(theme: Theme) -> None:
    for colour in (
        theme.foreground,
        theme.warning,
        theme.error,
        theme.success,
        theme.accent,
        theme.variables["border"],
    ):
        for surface in (theme.background, theme.surface, theme.panel):
            assert contrast(Color.parse(colour or ""), Color.parse(surface or "")) >= 4.5, (colour, surface)


def test_the_theme_without_colour_has_none() -> None:
    named = [GREY.primary, GREY.secondary, GREY.accent, GREY.warning, GREY.error, GREY.success]
    for colour in (*named, GREY.foreground, GREY.background, GREY.surface, GREY.panel):
        assert len(set(Color.parse(colour or "").rgb)) == 1, colour


def test_on_a_light_background_each_colour_has_its_counterpart_and_other_colours_stay() -> None:
    line = [
        Segment("a", Style.parse(f"bold {LANES[2]}")),
        Segment("b", Style.parse(f"#123456 on {ACCENT}")),
        Segment("c"),
    ]
    first, second, third = Repaint(LIGHT.name).apply(line, Color.parse("#fff"))
    assert first.style == Style.parse(f"bold {LIGHT_LANES[2]}")
    assert second.style == Style.parse(f"#123456 on {LIGHT_ACCENT}")
    assert third.style is None
    assert repainted(Style.parse("bold red"), LIGHT.name) == Style.parse("bold red")


def test_without_colour_the_crossing_is_what_is_brightest() -> None:
    accent, *lanes = (repainted(Style.parse(colour), GREY.name) for colour in (ACCENT, *LANES))
    assert accent == Style.parse("#ffffff")
    page = Color.parse(GREY.background or "")
    for lane in lanes:
        assert lane is not None
        assert lane.color is not None
        shade = Color.from_rich_color(lane.color)
        assert 4.5 <= contrast(shade, page) < contrast(Color.parse("#fff"), page)
