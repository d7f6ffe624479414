"""What each screen looks like, as text, at both sizes and in each theme; and every key of every screen, pressed.

`CROSSLANE_SNAPSHOTS=write pytest tests/tui/test_snapshots.py` writes the pictures anew. The text is the same in every
theme, so that there is one picture of it; what is painted in which colour is another, of the lanes alone. An application
is started once for all of its screens, which are brought to each size and into each theme.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from crosslane.replay.errors import HandlerError
from crosslane.replay.report import Result
from crosslane.replay.worker.client import WorkerOptions
from crosslane.replay.worker.job import Job
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.palette import ACCENT, LIGHT_ACCENT
from crosslane.tui.screens.traffic import RecordingScreen, TrafficScreen
from crosslane.tui.session import OpenSession
from crosslane.tui.themes import THEMES
from textual.actions import parse
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen

from .painted import Painted, painted
from .stand_ins import StandIn, complete, result, session, settle
from .test_stepping import branch, with_choices
from .test_traffic import written

FOLDER = Path(__file__).with_name("snapshots")
SIZES = [(80, 24), (160, 45)]
PAINTED, BRIGHTEST = "main", "#ffffff"


class _Branching(StandIn):
    """Answers a search with a finding, and every run by itself with one in which nothing crosses."""

    async def run(self, job: Job, on_progress: Callable[..., None] | None = None) -> Result:
        self.answer = with_choices(result()) if job.action == "check" else branch()
        return await super().run(job, on_progress)


def on_main(folder: Path) -> CrosslaneApp:
    return CrosslaneApp(session(folder, _Branching(result())))


def on_clean(folder: Path) -> CrosslaneApp:
    return CrosslaneApp(session(folder, StandIn(result("clean"))))


def on_search(folder: Path) -> CrosslaneApp:
    return CrosslaneApp(session(folder, StandIn(result(), gate=asyncio.Event())))


def on_error(folder: Path) -> CrosslaneApp:
    error = HandlerError("there is no `handle` in it", "agent.py", "name one of: answer, main")
    return CrosslaneApp(session(folder, StandIn(error)))


def on_start(folder: Path) -> CrosslaneApp:
    return CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=folder)))


def on_traffic(folder: Path) -> CrosslaneApp:
    screen = TrafficScreen(written(folder / "trace.jsonl"))
    return CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=folder)), screen)


def on_recording(folder: Path) -> CrosslaneApp:
    screen = RecordingScreen("http://127.0.0.1:8000", 0, folder / "trace.jsonl")
    return CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=folder)), screen)


@dataclass(frozen=True)
class Shot:
    """A screen: the keys that lead to it, and which part of it is its own; of a dialog, not what is behind it."""

    name: str
    screen: str
    opened: Callable[[Path], CrosslaneApp]
    keys: tuple[str, ...] = ()
    part: str = ""
    sizes: list[tuple[int, int]] = field(default_factory=lambda: SIZES)


SHOTS = (
    Shot("start", "StartScreen", on_start),
    Shot("start-open", "Form", on_start, ("o",), ".dialog"),
    Shot("start-record", "Form", on_start, ("r",), ".dialog"),
    Shot("start-import", "Form", on_start, ("i",), ".dialog"),
    Shot("start-help", "HelpScreen", on_start, ("?",), ".dialog"),
    Shot(PAINTED, "MainScreen", on_main),
    Shot("help", "HelpScreen", on_main, ("?",), ".dialog"),
    Shot("replay", "ReplayDialog", on_main, ("r",), ".dialog"),
    Shot("export", "ExportDialog", on_main, ("e",), ".dialog"),
    Shot("breakpoints", "BreakpointsScreen", on_main, ("b",), ".dialog"),
    Shot("inspector", "Inspector", on_main, ("i",), "#inspector"),
    Shot("interleavings", "InterleavingsScreen", on_main, ("t",)),
    Shot("findings", "FindingsScreen", on_main, ("a",)),
    Shot("choose", "ChoiceDialog", on_main, ("home", "right", "right", "right", "c"), ".dialog"),
    Shot("comparison", "ComparisonScreen", on_main, ("home", "right", "right", "right", "c", "enter", "d")),
    Shot("drawer", "MainScreen", on_main, ("n", "enter"), sizes=SIZES[:1]),
    Shot("main-clean", "MainScreen", on_clean),
    Shot("main-running", "MainScreen", on_search),
    Shot("main-error", "MainScreen", on_error),
    Shot("traffic", "TrafficScreen", on_traffic),
    Shot("recording", "RecordingScreen", on_recording),
)
OPENED = list(dict.fromkeys(shot.opened for shot in SHOTS))


async def ready(app: CrosslaneApp, pilot: Pilot[None]) -> None:
    """Wait until the screen stands still; a search that is to be seen under way never ends."""
    runner = app.session.runner(app.session.options)
    if isinstance(app.screen, RecordingScreen):
        while not app.screen.settled:
            await pilot.pause()
    elif not (isinstance(runner, StandIn) and runner.gate is not None):
        await settle(app, pilot)
    await complete(app, pilot)


@asynccontextmanager
async def running(
    opened: Callable[[Path], CrosslaneApp], folder: Path, size: tuple[int, int]
) -> AsyncIterator[tuple[CrosslaneApp, Pilot[None]]]:
    app = opened(folder)
    app.animation_level = "none"
    async with app.run_test(size=size) as pilot:
        await ready(app, pilot)
        yield app, pilot


async def go(app: CrosslaneApp, pilot: Pilot[None], shot: Shot) -> None:
    for key in shot.keys:
        await pilot.press(key)
        await ready(app, pilot)
    assert type(app.screen).__name__ == shot.screen


async def back(app: CrosslaneApp, pilot: Pilot[None], stack: int) -> None:
    """Close what a key has opened on top of the screen."""
    while len(app.screen_stack) > stack:
        app.pop_screen()
        await pilot.pause()


# ---- pictures


@pytest.mark.parametrize("opened", OPENED, ids=lambda opened: opened.__name__)
async def test_screens_look_as_they_did_and_are_legible_in_every_theme_and_size(
    tmp_path: Path, opened: Callable[[Path], CrosslaneApp]
) -> None:
    said: list[str] = []
    async with running(opened, tmp_path, SIZES[0]) as (app, pilot):
        stack = len(app.screen_stack)
        for shot in SHOTS:
            if shot.opened is not opened:
                continue
            await go(app, pilot, shot)
            for size in shot.sizes:
                if app.size != size:
                    await pilot.resize_terminal(*size)
                    await ready(app, pilot)
                name = f"{shot.name}-{size[0]}x{size[1]}"
                themed = await in_every_theme(app, pilot, shot.part)
                said += [f"{name}: {problem}" for problem in problems([whole for whole, _ in themed])]
                said += compared(f"{name}.txt", hidden(themed[0][0].text, app, tmp_path))
                if shot.name == PAINTED:
                    lanes = [lanes for _, lanes in themed]
                    said += [f"{text!r} is told by its colour alone" for text in lanes[0].without_sign(ACCENT)]
                    maps = (f"{theme.name}\n{one.map()}" for theme, one in zip(THEMES, lanes, strict=True))
                    said += compared(f"{name}-colours.txt", "\n".join(maps))
            if app.size != SIZES[0]:
                await pilot.resize_terminal(*SIZES[0])
            await back(app, pilot, stack)
    assert not said, "if another picture is as it should be: CROSSLANE_SNAPSHOTS=write"


async def in_every_theme(app: CrosslaneApp, pilot: Pilot[None], part: str) -> list[tuple[Painted, Painted]]:
    """A part of the screen, and the lanes where there are any, in each theme; the one that it has comes first."""
    seen: dict[str, tuple[Painted, Painted]] = {}
    for theme in sorted(THEMES, key=lambda theme: theme.name != app.theme):
        if app.theme != theme.name:
            with app.batch_update():  # what is painted here is painted once
                app.theme = theme.name
                await pilot.pause()
                seen[theme.name] = looked_at(app, part)
        else:
            seen[theme.name] = looked_at(app, part)
    return [seen[theme.name] for theme in THEMES]


def looked_at(app: CrosslaneApp, part: str) -> tuple[Painted, Painted]:
    return painted(app, part), painted(app, "LanesView") if app.screen.query("LanesView") else Painted(())


def problems(themed: list[Painted]) -> list[str]:
    """What one of the themes does not show as legibly as it should, or not without its colours."""
    wrong = [f"{text!r} is illegible: {style}" for one in themed for text, style in one.illegible()]
    dark, light, grey = themed
    crossing = dark.cells_of(ACCENT)
    for holds, problem in (
        (dark.text == light.text == grey.text, "a theme changes what is said"),
        (grey.colourless(), "there is colour in monochrome"),
        (crossing == light.cells_of(LIGHT_ACCENT), "what crosses is other cells on a light background"),
        (crossing <= grey.cells_of(BRIGHTEST), "what crosses is not the brightest in monochrome"),
    ):
        wrong += [] if holds else [problem]
    return wrong


def hidden(text: str, app: CrosslaneApp, folder: Path) -> str:
    """Without what is another one in each run: the port of a recording."""
    assert str(folder) not in text
    port = next((screen.port for screen in app.screen_stack if isinstance(screen, RecordingScreen)), None)
    return text if port is None else text.replace(str(port), "9" * len(str(port)))


def compared(name: str, seen: str) -> list[str]:
    """The lines that are others than in the picture."""
    file = FOLDER / name
    if os.environ.get("CROSSLANE_SNAPSHOTS") == "write":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(seen, encoding="utf-8")
    was = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    now = seen.splitlines()
    different = [n for n in range(max(len(was), len(now))) if was[n : n + 1] != now[n : n + 1]]
    return [f"{name}:{n + 1}\n- {was[n : n + 1]}\n+ {now[n : n + 1]}" for n in different[:10]]


def test_every_picture_is_of_a_screen() -> None:
    known = {f"{shot.name}-{width}x{height}.txt" for shot in SHOTS for width, height in shot.sizes}
    known |= {f"{PAINTED}-{width}x{height}-colours.txt" for width, height in SIZES}
    assert {file.name for file in FOLDER.iterdir()} == known


# ---- keys

LEAVES = {"quit", "suspend_process"}
CLOSES = {"back", "cancel", "close", "dismiss_inspector", "leave", "select_cursor", "show"}
"""Actions that may end a screen: they come last, so that the others need it only once."""
ONE_EACH = {(shot.screen, shot.part and shot.name): shot for shot in reversed(SHOTS)}
KEYED = [pytest.param(shot, id=shot.name) for shot in SHOTS if shot in ONE_EACH.values()]


@pytest.mark.parametrize("shot", KEYED)
async def test_every_key_of_a_screen_does_something_that_exists(tmp_path: Path, shot: Shot) -> None:
    async with running(shot.opened, tmp_path, SIZES[0]) as (app, pilot):
        await go(app, pilot, shot)
        screen, stack = app.screen, len(app.screen_stack)
        keys = {key: active for key, active in screen.active_bindings.items() if active.enabled}
        assert len(keys) > 3
        for key, active in sorted(keys.items(), key=lambda known: known[1].binding.action in CLOSES):
            namespace, action, _ = parse(active.binding.action)
            target = app if namespace == "app" else screen if namespace == "screen" else active.node
            assert any(hasattr(target, f"{prefix}{action}") for prefix in ("action_", "_action_")), (key, action)
            # What a widget of Textual's does by itself, an input or a list, is Textual's to test.
            if action in LEAVES or not type(active.node).__module__.startswith("crosslane"):
                continue
            if active.node is app and shot.keys:  # on what stands below it, the same was pressed
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
