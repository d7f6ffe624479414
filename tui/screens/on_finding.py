"""What can be done with a finding, from whatever screen shows it: export, copy, minimise, edit its source."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import SuspendNotSupported

from ...replay.errors import CrosslaneError
from ..editor import editing
from ..safe_text import safe
from ..words import facts, headline
from .dialogs import ExportDialog

if TYPE_CHECKING:
    from textual.app import App

    from ...replay.report import Access, Crossing, Finding, Result
    from ..session import OpenSession
    from .main import MainScreen


def ask_export(app: App[Any], session: OpenSession, finding: Finding | None) -> None:
    """Ask for a file name and write the finding there, in the format that the name ends in."""
    if finding is None:
        app.notify("no finding is shown that could be exported")
        return

    def named(name: str | None) -> None:
        if name is not None:
            app.run_worker(_export(app, session, finding, name), exit_on_error=False)

    app.push_screen(ExportDialog(f"repro_{finding.crossing.id}.py"), named)


async def _export(app: App[Any], session: OpenSession, finding: Finding, name: str) -> None:
    from ...replay.errors import ExportError
    from ...replay.export.findings import ExportSource
    from ...replay.export.formats import format_named
    from ...replay.export.saving import save_export

    path = Path(name).expanduser().absolute()
    source = ExportSource(finding.crossing, session.handler or "", session.kind, str(session.options.cwd), finding)
    try:
        format_ = format_named(None, name)
        await asyncio.to_thread(lambda: save_export(path, format_.write(source), format_))
    except ExportError as error:
        app.notify(safe(str(error)), severity="error", markup=False)
        return
    use = format_.use.replace("{file}", safe(name))
    app.notify(f"wrote {safe(str(path))}\n{use}", title="exported", markup=False)


def minimise(screen: MainScreen) -> None:
    """Search the finding's own requests for a smaller one; a search minimises as far as it is let."""
    from ..kept import smaller_job

    finding = screen.finding
    if finding is None:
        screen.notify("no finding is shown that could be made smaller")
        return

    def heard(searched: Result) -> None:
        best = screen.known.learn_smaller(finding, searched)
        if best is finding:
            screen.notify(f"nothing smaller shows it, in {searched.report.executions} executions of its requests")
        else:
            screen.select(best)
            screen.notify(f"smaller: {best.crossing.needs.in_words()}")

    screen.start(smaller_job(screen.session, finding), heard=heard)


def copy(app: App[Any], crossing: Crossing | None) -> None:
    """Put the finding on the clipboard, as text; the terminal does it, also over ssh."""
    if crossing is None:
        app.notify("no finding is shown that could be copied")
        return
    rows = "\n".join(f"{label:<8} {value}" for label, value in facts(crossing))
    app.copy_to_clipboard(f"{headline(crossing)}\n{rows}\n")
    app.notify("the finding is on the clipboard")


def edit(app: App[Any], session: OpenSession, access: Access | None) -> None:
    """Open the line in the user's editor. One that needs the terminal gets it, until it ends."""
    try:
        if access is None:
            raise CrosslaneError("the line is not known", remedy="the finding says why it could not be named")
        chosen = editing(access.at, session.options.cwd, os.environ)
    except CrosslaneError as error:
        app.notify(safe(str(error)), severity="warning", markup=False)
        return
    app.run_worker(_edit(app, chosen.command, chosen.windowed), exit_on_error=False)


async def _edit(app: App[Any], command: tuple[str, ...], windowed: bool) -> None:
    quiet = subprocess.DEVNULL
    try:
        if windowed:
            await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)
            return
        # The worker is heard meanwhile: one that seems silent would be taken for blocked. Nothing may be drawn.
        with app.batch_update(), app.suspend():
            await (await asyncio.create_subprocess_exec(*command)).wait()
    except SuspendNotSupported:
        app.notify(f"{safe(command[0])} needs the terminal, which cannot be handed over here", severity="warning")
    except OSError as error:
        app.notify(f"{safe(command[0])} cannot be started: {error.strerror}", severity="warning", markup=False)
