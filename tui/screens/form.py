"""A few fields that are asked for together. What is wrong with them is said below them, where they are still open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from ..bindings import named
from ..safe_text import safe
from ..widgets.keys_line import KeysLine
from .files import FilePicker, PathSuggester

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App, ComposeResult


@dataclass(frozen=True, slots=True)
class Field:
    """One line to fill in. An `optional` one may stay empty; a `path` is completed and can be picked from a tree."""

    name: str
    label: str
    example: str = ""
    value: str = ""
    path: bool = False
    optional: bool = False


class Form(ModalScreen["dict[str, str] | None"]):
    """Answers what was typed, by the names of the fields, or None.

    `problem` is asked when all is filled in, and answers what is wrong with it, or "".
    """

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("enter", "submit", "Go on", priority=False),
            Binding("ctrl+o", "browse", "Browse files"),
            Binding("escape", "cancel", "Close"),
        ]
    )

    def __init__(
        self, title: str, hint: str, fields: tuple[Field, ...], problem: Callable[[dict[str, str]], str]
    ) -> None:
        super().__init__()
        self._title = title
        self._hint = hint
        self._fields = fields
        self._problem = problem

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog form", can_focus=False) as dialog:
            dialog.border_title = self._title
            yield Static(Text(self._hint, "dim"))
            for field in self._fields:
                with Vertical(classes="field"):
                    yield Label(Text(field.label))
                    yield Input(
                        field.value,
                        placeholder=field.example,
                        id=field.name,
                        suggester=PathSuggester() if field.path else None,
                    )
            yield Static(id="problem")
        yield KeysLine()

    def on_mount(self) -> None:
        empty = next((field for field in self._fields if not field.value and not field.optional), self._fields[0])
        self.query_one(f"#{empty.name}", Input).focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """On to the next field that is needed, or done."""
        answers = {field.name: self.query_one(f"#{field.name}", Input).value.strip() for field in self._fields}
        empty = next((field for field in self._fields if not answers[field.name] and not field.optional), None)
        if empty is not None:
            asked_again = event.input.id == empty.name
            self.query_one(f"#{empty.name}", Input).focus()
            self.problem(f"{empty.label} is needed" if asked_again else "")
            return
        problem = self._problem(answers)
        if problem:
            self.problem(problem)
        else:
            self.dismiss(answers)

    def problem(self, line: str) -> None:
        """Say in its place what is wrong."""
        self.query_one("#problem", Static).update(Text(safe(line), "bold"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        return self._path_field() is not None if action == "browse" else True

    def on_descendant_focus(self) -> None:
        self.refresh_bindings()

    def action_browse(self) -> None:
        field = self._path_field()
        if field is None:
            return
        entry = self.query_one(f"#{field.name}", Input)

        def picked(path: str | None) -> None:
            if path is not None:
                entry.value = path
                entry.action_end()

        app = cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]
        app.push_screen(FilePicker(field.label, Path.cwd()), picked)

    def action_submit(self) -> None:
        """For the footer; a field that has the focus answers `enter` itself."""
        if isinstance(self.focused, Input):
            self.focused.post_message(Input.Submitted(self.focused, self.focused.value))

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _path_field(self) -> Field | None:
        focused = self.focused
        return next((f for f in self._fields if f.path and focused is not None and f.name == focused.id), None)


def missing_file(name: str) -> str:
    """What is wrong with the path of a file that is to be read; "" where it is there."""
    if Path(name).expanduser().is_file():
        return ""
    return f"{name}: no such file; the path is relative to {Path.cwd()}"
