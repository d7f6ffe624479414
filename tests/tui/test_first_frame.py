"""What is seen first, and what waits for it."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from crosslane.tui import garbage
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.widgets.finding import FindingPanel
from crosslane.tui.widgets.lanes import LanesView
from textual.geometry import Region
from textual.strip import Strip

from .stand_ins import StandIn, result, screen_text, session, settle


@pytest.fixture
def as_it_was() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


async def test_the_lanes_are_drawn_before_what_stands_around_them_and_before_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, as_painted: None
) -> None:
    runner = StandIn(result())
    drawn: list[tuple[str, int, int]] = []
    render_line = LanesView.render_line

    def render(view: LanesView, y: int) -> Strip:
        strip = render_line(view, y)
        drawn.append((strip.text, len(view.screen.query(FindingPanel)), len(runner.jobs)))
        return strip

    monkeypatch.setattr(LanesView, "render_line", render)
    app = CrosslaneApp(session(tmp_path, runner))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        assert len(runner.jobs) == 1
        assert isinstance(app.screen, MainScreen)
        assert len(app.screen.query(FindingPanel)) == 1
    first = next((panels, jobs) for text, panels, jobs in drawn if "I am Bob Okafor" in text)
    assert first == (0, 0)


async def test_a_screen_that_is_opened_by_keys_typed_ahead_has_its_styles(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(160, 45)) as pilot:
        await pilot.press("question_mark")
        await settle(app, pilot)
        async with asyncio.timeout(20):
            while app.screen.query_one(".dialog").styles.border_top[0] != "round":
                await pilot.pause()


async def test_in_a_window_that_has_not_the_focus_the_keys_stand_below_as_ever(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    app.set_reactive(CrosslaneApp.app_focus, False)
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        assert "n Crossing" in screen_text(app)[-1]
        assert screen_text(app)[-1].count("palette") == 1


async def test_another_theme_repaints_the_rows_that_were_drawn_before(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        before, text = _backgrounds(app), screen_text(app)
        app.theme = "crosslane-light"
        await settle(app, pilot)
        assert screen_text(app) == text
        assert not before & _backgrounds(app)


def _backgrounds(app: CrosslaneApp) -> set[str]:
    lanes = app.screen.query_one(LanesView)
    rows = lanes.render_lines(Region(0, 0, *lanes.size))
    return {str(segment.style.bgcolor) for strip in rows for segment in strip if segment.style}


def test_garbage_is_collected_again_once_it_was_held(as_it_was: None) -> None:
    gc.unfreeze()  # of other tests
    garbage.collect_from_now_on()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
    garbage.hold()
    assert not gc.isenabled()
    garbage.collect_from_now_on()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
