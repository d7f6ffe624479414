"""The application: opens the main screen on a session, or the start screen when there is nothing to open yet."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual import constants, work
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType

from ..replay.errors import CrosslaneError
from .bindings import named
from .folders import config_file
from .garbage import collect_from_now_on
from .preferences import preferences, remember_theme
from .safe_text import safe
from .screens.main import MainScreen
from .screens.main_keys import COMMANDS
from .themes import DARK, GREY, NAMED_ON_DARK, NAMED_ON_LIGHT, THEMES, repaint, without_colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.filter import LineFilter
    from textual.screen import Screen

    from .chosen import What
    from .screens.start import StartScreen
    from .session import OpenSession

_MAIN = Path(__file__).with_name("main.tcss")
_OTHERS = Path(__file__).with_name("app.tcss")
_COVERED_S = 0.3
_FAILED = 2
"""Not 1, which says that something is contaminated."""


class CrosslaneApp(App[None]):
    """See the module."""

    TITLE = "crosslane"
    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("ctrl+q", "quit", "Quit", show=False, priority=True),
            Binding("ctrl+p", "command_palette", "palette", show=False, priority=True),
            Binding("colon", "command_palette", "palette", show=False),
        ]
    )

    def __init__(self, session: OpenSession, first: Screen[None] | None = None) -> None:
        super().__init__()
        self.session = session
        self._first = first
        self._later: list[Callable[[], None]] = []
        self.preferences = preferences(config_file())
        self.ansi_theme_dark, self.ansi_theme_light = NAMED_ON_DARK, NAMED_ON_LIGHT
        for theme in THEMES:
            self.register_theme(theme)
        wished, own = self.preferences.theme, DARK if self.preferences.colour else GREY
        self._kept_theme = wished if wished in self.available_themes else own.name
        self.theme = self._kept_theme

    def show(self) -> int:
        """Run it in the terminal.

        Returns:
            The exit code: 0 where the user left, 2 where it failed, and for a signal that of the signal.

        Raises:
            CrosslaneError: there is none to draw on, or none to hear keys from.
        """
        # Another driver than the terminal's, a browser's for one, has its own ways in and out.
        if not constants.DRIVER:
            for stream, name in ((sys.__stdin__, "standard input"), (sys.__stderr__, "standard error")):
                if stream is None or not stream.isatty():
                    raise CrosslaneError(
                        f"the interface needs a terminal, and {name} is none",
                        remedy="run it in one, or use crosslane check, whose results can be piped",
                    )
        self.run(mouse=self.preferences.mouse)
        code = self.return_code or 0
        return _FAILED if code == 1 else code

    def on_mount(self) -> None:
        if not self.is_headless:
            for end in (signal.SIGTERM, signal.SIGHUP):
                # As for q: the terminal is put back, and the processes that hold the handler are ended.
                asyncio.get_running_loop().add_signal_handler(end, self.exit, None, 128 + end)
        self._prefer()
        self.call_next(self.call_next, self._show_first)

    def _show_first(self) -> None:
        """Not before: while the application itself is mounted, what a screen draws is thrown away, and styles are read
        once more when the theme is known. Those of later screens wait until the first one is seen."""
        self._style(_MAIN)
        if self._first is not None:
            self._style(_OTHERS)
            self.push_screen(self._first)
        elif self.session.trace is not None and self.session.handler is not None:
            self.push_screen(MainScreen(self.session))
            self._later = [partial(self._style, _OTHERS), partial(self._remember, self.session)]
            self.call_after_refresh(self._do_later)
            # A screen that keys typed ahead have opened covers it before it is drawn, and nothing is called after that.
            self.set_timer(_COVERED_S, self._do_later)
        else:
            from .screens.start import StartScreen

            self._style(_OTHERS)
            self.push_screen(StartScreen(self.session.trace.path if self.session.trace is not None else ""))
        self.call_after_refresh(collect_from_now_on)

    def _do_later(self) -> None:
        while self._later:
            self._later.pop(0)()

    def _style(self, file: Path) -> None:
        self.stylesheet.read(file)
        self.stylesheet.parse()
        if len(self.screen_stack) > 2:  # keys that were typed ahead have opened one already
            self.stylesheet.update(self.screen, animate=False)

    def _fatal_error(self) -> None:
        """Where the program is at fault: Textual's own tells the values of all variables too, which are private."""
        from rich.console import Group
        from rich.traceback import Traceback

        self._exit_renderables.append(Group(Traceback(), "crosslane: the interface failed; please report this"))
        self._close_messages_no_wait()

    # ---- the user's own settings

    def _prefer(self) -> None:
        """Use the keys that the user wishes, and say what of the settings cannot be used."""
        own = self.preferences
        problems = list(own.problems)
        if own.theme and own.theme != self.theme:
            problems.append(
                f"there is no theme {safe(own.theme)!r}; there are {', '.join(sorted(self.available_themes))}"
            )
        if own.keys:
            from .bindings import keymap, places

            keys, refused = keymap(own.keys, places())
            self.set_keymap(keys)
            problems += refused
        for problem in problems:
            self.notify(problem, title="settings", severity="warning", timeout=15, markup=False)

    def get_line_filters(self) -> Sequence[LineFilter]:
        theme = self.current_theme
        return [*repaint(theme), *super().get_line_filters(), *without_colour(theme, self.preferences.colour)]

    def watch_theme(self, theme: str) -> None:
        """Keep what the user chooses for the next time."""
        if theme != self._kept_theme:
            self._kept_theme = theme
            self._keep_theme(theme)

    @work(exclusive=True, group="settings")
    async def _keep_theme(self, theme: str) -> None:
        try:
            await asyncio.to_thread(remember_theme, theme, config_file())
        except (OSError, UnicodeDecodeError) as error:
            self.notify(f"the theme is not kept: {safe(str(error))}", severity="warning", markup=False)

    # ---- the start screen's wishes

    def on_start_screen_chosen(self, message: StartScreen.Chosen) -> None:
        self._open(message.what)

    @work(exclusive=True, group="open")
    async def _open(self, what: What) -> None:
        """Read what was chosen, in a thread, and show it."""
        from .chosen import session_on
        from .recent import Work

        try:
            session = await asyncio.to_thread(session_on, self.session, what)
        except CrosslaneError as error:
            self._problem(str(error))
            return
        if isinstance(what, Work):
            self._remember(session)
        self.session = session
        self.push_screen(MainScreen(session))

    def on_start_screen_recording(self, message: StartScreen.Recording) -> None:
        from .screens.traffic import RecordingScreen

        self.push_screen(RecordingScreen(message.to, message.port, message.output))

    def on_start_screen_importing(self, message: StartScreen.Importing) -> None:
        self._import(message.file, message.output)

    @work(exclusive=True, group="open")
    async def _import(self, file: str, output: Path) -> None:
        from .chosen import imported

        self._problem(f"reading {file}")
        try:
            requests = await asyncio.to_thread(imported, file, output)
        except CrosslaneError as error:
            self._problem(str(error))
            return
        self._problem("")
        self.notify(f"{requests} requests are in {output.name}", title="imported", markup=False)
        if (start := self._start()) is not None and start is self.screen:
            start.ask_open(str(output))

    def _problem(self, line: str) -> None:
        if (start := self._start()) is not None:
            start.problem(line)

    def _start(self) -> StartScreen | None:
        """The start screen, where there is one below what is shown."""
        from .screens.start import StartScreen

        return next((screen for screen in self.screen_stack if isinstance(screen, StartScreen)), None)

    def _remember(self, session: OpenSession) -> None:
        from .chosen import remembered

        self.run_worker(asyncio.to_thread(remembered, session), exit_on_error=False)

    # ---- for every screen

    def action_start(self) -> None:
        """Back to the start screen, wherever one is."""
        from .screens.start import StartScreen

        if not isinstance(self.screen_stack[1], StartScreen):
            self.push_screen(StartScreen())
            return
        while not isinstance(self.screen, StartScreen):
            self.pop_screen()

    def action_help(self) -> None:
        """The keys of what has the focus now."""
        from .keys import keys_of
        from .screens.dialogs import HelpScreen

        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(keys_of(self.screen), isinstance(self.screen, MainScreen)))

    def action_command_palette(self) -> None:
        from .widgets.options import Palette

        if not Palette.is_open(cast("App[object]", self)):
            self.push_screen(Palette(id="--command-palette"))

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        for command in super().get_system_commands(screen):  # pyright: ignore[reportUnknownMemberType]
            if command.title != "Keys":  # there is a page of them
                yield command
        from .screens.start import StartScreen

        yield SystemCommand("Keys of this panel", "Every key that works here", self.action_help)
        if not isinstance(screen, StartScreen):
            yield SystemCommand("Start screen", "Recent work, open, record, import, demo", self.action_start)
        if isinstance(screen, MainScreen):
            for title, help_text, action in COMMANDS:
                yield SystemCommand(title, help_text, partial(self._act, screen, action))

    def _act(self, screen: MainScreen, action: str) -> None:
        self.run_worker(screen.run_action(action))
