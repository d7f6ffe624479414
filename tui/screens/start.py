"""The start screen: what to open, when nothing was named on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Input, Label, Static

from ..safe_text import safe

if TYPE_CHECKING:
    from textual.app import ComposeResult

_HINT = """Crosslane replays recorded requests of several users against your handler and shows where one user's data
reached another.

d opens the demo. For your own agent, name a trace and a handler:"""


class StartScreen(Screen[None]):
    """Posts `Chosen` with what was typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "demo", "Demo"),
        Binding("q", "app.quit", "Quit"),
        Binding("escape", "leave_field", "Leave field", show=False),
    ]
    AUTO_FOCUS = ""

    class Chosen(Message):
        """A trace and a handler to open; None for the demo."""

        def __init__(self, trace: str | None, handler: str | None) -> None:
            super().__init__()
            self.trace = trace
            self.handler = handler

    def __init__(self, trace: str, problem: str = "") -> None:
        super().__init__()
        self._trace = trace
        self._problem = problem

    def compose(self) -> ComposeResult:
        with Vertical(id="start"):
            yield Static(Text("crosslane", "bold"))
            yield Static(Text(_HINT))
            yield Label("trace (JSON lines)")
            yield Input(self._trace, placeholder="trace.jsonl", id="trace")
            yield Label("handler (file.py:attribute, package.module:attribute)")
            yield Input(placeholder="app.py:handle_message", id="handler")
            yield Static(Text(safe(self._problem), "bold"), id="problem")
        yield Footer()

    def on_mount(self) -> None:
        if self._trace:
            self.query_one("#handler", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        trace = self.query_one("#trace", Input).value.strip()
        handler = self.query_one("#handler", Input).value.strip()
        if not trace or not handler:
            self.query_one("#handler" if trace else "#trace", Input).focus()
            self.problem("both are needed" if event.input.id == "handler" else "")
        elif not Path(trace).expanduser().is_file():
            self.problem(f"{trace}: no such file; the path is relative to {Path.cwd()}")
        else:
            self.post_message(self.Chosen(str(Path(trace).expanduser()), handler))

    def problem(self, line: str) -> None:
        """Say in its place what is wrong with what was typed."""
        self.query_one("#problem", Static).update(Text(safe(line), "bold"))

    def action_demo(self) -> None:
        self.post_message(self.Chosen(None, None))

    def action_leave_field(self) -> None:
        self.set_focus(None)
