"""Makes the pictures of the README: `python -m crosslane.tui.screenshot FOLDER` runs the demo without a terminal.

The pictures are what the program draws, at 80x24 and at 160x45.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ..replay.trace.store import load
from ..replay.worker.options import WorkerOptions
from . import samples
from .app import CrosslaneApp
from .screens.main import MainScreen
from .session import OpenSession

SIZES = ((80, 24), (160, 45))


async def picture(size: tuple[int, int]) -> str:
    """The demo as SVG, once the crossing is on the screen."""
    folder = samples.folder()
    session = OpenSession(load(folder / samples.DEMO_TRACE), samples.DEMO_HANDLER, WorkerOptions(cwd=folder))
    app = CrosslaneApp(session)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        screen = app.screen
        assert isinstance(screen, MainScreen)
        while not screen.settled:
            await pilot.pause(0.02)
        await pilot.pause()
        return app.export_screenshot(title="crosslane demo")


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    folder.mkdir(parents=True, exist_ok=True)
    for width, height in SIZES:
        path = folder / f"demo-{width}x{height}.svg"
        path.write_text(asyncio.run(picture((width, height))), encoding="utf-8")
        sys.stdout.write(f"wrote {path}\n")


if __name__ == "__main__":
    main()
