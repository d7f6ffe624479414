"""What each screen looks like, as text, at both sizes; and every key of every screen, pressed.

`CROSSLANE_SNAPSHOTS=write pytest tests/tui/test_snapshots.py` writes the pictures anew.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from crosslane.replay.worker.client import WorkerOptions
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.session import OpenSession
from textual.actions import parse
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from .stand_ins import StandIn, result, screen_text, session, settle

FOLDER = Path(__file__).with_name("snapshots")
SIZES = [(80, 24), (160, 45)]


def on_main(folder: Path) -> CrosslaneApp:
    return CrosslaneApp(session(folder, StandIn(result())))


def on_start(folder: Path) -> CrosslaneApp:
    return CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=folder)))


@dataclass(frozen=True)
class Shot:
    """A screen: the keys that lead to it, and which part of it is its own; of a dialog, not what is behind it."""

    name: str
    screen: str
    opened: Callable[[Path], CrosslaneApp]
    keys: tuple[str, ...] = ()
    part: str = ""


SHOTS = (
    Shot("start", "StartScreen", on_start),
    Shot("start-open", "Form", on_start, ("o",), ".dialog"),
    Shot("start-record", "Form", on_start, ("r",), ".dialog"),
    Shot("start-import", "Form", on_start, ("i",), ".dialog"),
    Shot("start-help", "HelpScreen", on_start, ("?",), ".dialog"),
    Shot("replay", "ReplayDialog", on_main, ("r",), ".dialog"),
    Shot("export", "ExportDialog", on_main, ("e",), ".dialog"),
    Shot("breakpoints", "BreakpointsScreen", on_main, ("b",), ".dialog"),
    Shot("inspector", "Inspector", on_main, ("i",), "#inspector"),
    Shot("interleavings", "InterleavingsScreen", on_main, ("t",)),
)
BY_NAME = [pytest.param(shot, id=shot.name) for shot in SHOTS]


@asynccontextmanager
async def shown(shot: Shot, folder: Path, size: tuple[int, int]) -> AsyncIterator[tuple[CrosslaneApp, Pilot[None]]]:
    app = shot.opened(folder)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        for key in shot.keys:
            await pilot.press(key)
            await settle(app, pilot)
        assert type(app.screen).__name__ == shot.screen
        yield app, pilot


def picture(app: CrosslaneApp, part: str) -> str:
    lines = screen_text(app)
    if part:
        region = app.screen.query_one(part).region
        # A wide character would shift what is right of it; there is none in these.
        lines = [line[region.x : region.right].rstrip() for line in lines[region.y : region.bottom]]
    return "\n".join(lines).rstrip("\n") + "\n"


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("shot", BY_NAME)
async def test_a_screen_looks_as_it_did(tmp_path: Path, shot: Shot, size: tuple[int, int]) -> None:
    async with shown(shot, tmp_path, size) as (app, _):
        seen = picture(app, shot.part)
    assert str(tmp_path) not in seen
    file = FOLDER / f"{shot.name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("CROSSLANE_SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(seen, encoding="utf-8")
    assert seen == file.read_text(encoding="utf-8"), "if this is as it should be: CROSSLANE_SNAPSHOTS=write"


def test_every_picture_is_of_a_screen() -> None:
    known = {f"{shot.name}-{width}x{height}.txt" for shot in SHOTS for width, height in SIZES}
    assert {file.name for file in FOLDER.iterdir()} == known


# ---- keys

LEAVES = {"quit", "suspend_process"}


@pytest.mark.parametrize("shot", BY_NAME)
async def test_every_key_of_a_screen_does_something_that_exists(tmp_path: Path, shot: Shot) -> None:
    async with shown(shot, tmp_path, SIZES[0]) as (app, pilot):
        screen, stack = app.screen, len(app.screen_stack)
        keys = {key: active for key, active in screen.active_bindings.items() if active.enabled}
        assert len(keys) > 3
        for key, active in keys.items():
            namespace, action, _ = parse(active.binding.action)
            target = app if namespace == "app" else screen if namespace == "screen" else active.node
            assert any(hasattr(target, f"{prefix}{action}") for prefix in ("action_", "_action_")), (key, action)
            if action in LEAVES:
                continue
            await pilot.press(key)
            await pilot.pause()
            assert app._exception is None, (key, action)
            await back(app, pilot, stack)
            if app.screen is not screen:
                # The key has closed it: the others are those of a new one, which another test presses.
                assert isinstance(app.screen, Screen)
                for way in shot.keys:
                    await pilot.press(way)
                    await pilot.pause()
                await back(app, pilot, stack)
                screen = app.screen
            if active.node is not screen and not isinstance(active.node, App) and active.node.is_attached:
                screen.set_focus(active.node)  # type: ignore[arg-type]


async def back(app: CrosslaneApp, pilot: Pilot[None], stack: int) -> None:
    """Close what a key has opened on top of the screen."""
    while len(app.screen_stack) > stack:
        app.pop_screen()
        await pilot.pause()
