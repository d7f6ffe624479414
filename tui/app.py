"""The application: opens the main screen on a session, or the start screen when there is nothing to open yet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from ..replay.errors import CrosslaneError
from .screens.main import MainScreen
from .screens.start import StartScreen

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.screen import Screen

    from .session import OpenSession

_COMMANDS = (
    ("Replay", "Run the trace again: lockstep, serial, random, the finding's schedule", "replay"),
    ("Export the repro", "Write a script that needs Python and the handler alone", "export"),
    ("Inspect the step", "Request, response and output of the step under the cursor", "inspect"),
    ("Copy the finding", "As text, to the clipboard", "copy"),
    ("Cancel the replay", "Keeps what was found", "cancel"),
    ("Next crossing", "Moves the cursor", "crossing(1)"),
    ("Keys", "Every key of this screen", "help"),
)


class CrosslaneApp(App[None]):
    """See the module."""

    CSS_PATH = "app.tcss"
    TITLE = "crosslane"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", show=False, priority=True)]

    def __init__(self, session: OpenSession) -> None:
        super().__init__()
        self.session = session

    def on_mount(self) -> None:
        if self.session.trace is not None and self.session.handler is not None:
            self.push_screen(MainScreen(self.session))
        else:
            self.push_screen(StartScreen(self.session.trace.path if self.session.trace is not None else ""))

    def on_start_screen_chosen(self, message: StartScreen.Chosen) -> None:
        from ..replay.trace.store import load
        from . import samples

        handler = message.handler or samples.DEMO_HANDLER
        options = self.session.options
        if message.trace is None:
            options = replace(options, cwd=samples.folder())
        try:
            trace = load(Path(message.trace) if message.trace else samples.folder() / samples.DEMO_TRACE)
        except CrosslaneError as error:
            screen = self.screen
            if isinstance(screen, StartScreen):
                screen.problem(str(error))
            return
        self.session = replace(self.session, trace=trace, handler=handler, options=options)
        self.switch_screen(MainScreen(self.session))  # pyright: ignore[reportUnknownMemberType]

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield from super().get_system_commands(screen)  # pyright: ignore[reportUnknownMemberType]
        if isinstance(screen, MainScreen):
            for title, help_text, action in _COMMANDS:
                yield SystemCommand(title, help_text, partial(self._act, screen, action))

    def _act(self, screen: MainScreen, action: str) -> None:
        self.run_worker(screen.run_action(action))
