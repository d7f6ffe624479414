"""The breakpoints: listed, written, removed. What hits is shown as the count of rows of the run in the lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from ..bindings import named
from ..breakpoints import Breakpoint, NotABreakpoint, hits_in_words, parse, rows
from ..safe_text import safe
from ..widgets.options import Options

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ...replay.run import Event, Run
    from .main import MainScreen

_FORMS = "app.py:14 · await bob 2 · request r7 · request bob 2\nname == value · name != value · name ~ text · ~ text"

_KEYS = (
    "enter sets it   ↑ the list   x removes one   esc done\n"
    "f and F in the lanes continue to the next, on and back\n"
    "b in the source sets one on its line, or removes it"
)


class BreakpointsScreen(ModalScreen["tuple[Breakpoint, ...]"]):
    """Answers the breakpoints that there are now. `suggestion` is what enter would set at once."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("escape", "close", "Close"),
            Binding("up,down", "list", "To the list", show=False),
            Binding("x,delete", "remove", "Remove", show=False),
        ]
    )

    def __init__(self, breakpoints: tuple[Breakpoint, ...], run: Run, suggestion: str) -> None:
        super().__init__()
        self._breakpoints = list(breakpoints)
        self._run = run
        self._suggestion = suggestion

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "breakpoints"
            yield Options(id="breakpoints")
            yield Input(self._suggestion, id="breakpoint")
            yield Static(id="problem")
            yield Label(Text(f"{_FORMS}\n{_KEYS}", "dim"))

    def on_mount(self) -> None:
        self._list()
        self.query_one("#breakpoint", Input).focus()

    def _list(self) -> None:
        options = self.query_one("#breakpoints", OptionList)
        options.clear_options()
        for breakpoint_ in self._breakpoints:
            said = hits_in_words(len(rows([breakpoint_], self._run)))
            options.add_option(Option(Text.assemble((safe(breakpoint_.text, 100), "bold"), (f"   {said}", "dim"))))
        options.display = bool(self._breakpoints)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        problem = self.query_one("#problem", Static)
        if not event.value.strip():
            self.action_close()
            return
        try:
            made = parse(event.value)
        except NotABreakpoint as error:
            problem.update(Text(safe(str(error))))
            return
        problem.update("")
        if all(known.text != made.text for known in self._breakpoints):
            self._breakpoints.append(made)
        event.input.value = ""
        self._list()

    def action_remove(self) -> None:
        """Only in the list: in the line that is written, both keys mean what they always do."""
        options = self.query_one("#breakpoints", OptionList)
        if options.highlighted is None or not options.has_focus:
            return
        del self._breakpoints[options.highlighted]
        self._list()
        if not self._breakpoints:
            self.query_one("#breakpoint", Input).focus()

    def action_list(self) -> None:
        options = self.query_one("#breakpoints", OptionList)
        if self._breakpoints:
            options.focus()
            options.highlighted = options.highlighted or 0

    def action_close(self) -> None:
        self.dismiss(tuple(self._breakpoints))


def ask_breakpoints(screen: MainScreen) -> None:
    """Ask for the breakpoints, and stop at those that are answered."""
    panels = screen.panels

    def answered(breakpoints: tuple[Breakpoint, ...] | None) -> None:
        panels.break_at(breakpoints or ())

    if panels.showing is not None:
        asked = BreakpointsScreen(panels.breakpoints, panels.showing.view.run, suggestion(panels.event))
        screen.open(asked, answered)


def suggestion(event: Event | None) -> str:
    """A breakpoint on what stands under the cursor."""
    if event is None:
        return ""
    if event.kind == "request":
        return f"request {event.request}"
    return event.at or ""
