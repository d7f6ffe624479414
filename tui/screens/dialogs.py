"""The small questions: how to replay, where to export to, and the page of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from ..bindings import named
from ..safe_text import safe
from ..widgets.options import Options

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from .main import MainScreen

_CLOSE: list[BindingType] = named([Binding("escape", "cancel", "Close")])


class ReplayDialog(ModalScreen["tuple[str, int, int | None] | None"]):
    """Answers (`check`, `lockstep`, `serial`, `random` or `finding`; seed; concurrency), or None."""

    BINDINGS: ClassVar[list[BindingType]] = _CLOSE

    def __init__(self, has_finding: bool, concurrency: int | None) -> None:
        super().__init__()
        self._has_finding = has_finding
        self._concurrency = concurrency

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "replay"
            yield Options(
                Option("check: search the interleavings again", id="check"),
                Option("lockstep: every lane one step in turn", id="lockstep"),
                Option("serial: one lane after another", id="serial"),
                Option("random, with the seed below", id="random"),
                Option("the schedule of this finding", id="finding", disabled=not self._has_finding),
                id="orders",
            )
            yield Label("seed")
            yield Input("0", type="integer", id="seed")
            yield Label("requests in flight at most (empty: no limit)")
            yield Input(str(self._concurrency or ""), type="integer", id="concurrency")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        seed = self.query_one("#seed", Input).value
        most = self.query_one("#concurrency", Input).value
        concurrency = int(most) if most.isdigit() and int(most) > 0 else None
        self.dismiss((event.option.id or "check", int(seed) if seed.lstrip("-").isdigit() else 0, concurrency))

    def action_cancel(self) -> None:
        self.dismiss(None)


def ask_replay(screen: MainScreen) -> None:
    """Ask how to replay the trace, and do it."""
    from ...replay.schedule.schedule import of_json as schedule_of

    finding = screen.finding

    def answered(answer: tuple[str, int, int | None] | None) -> None:
        if answer is None:
            return
        order, seed, concurrency = answer
        if order == "check":
            job = screen.session.job("check", concurrency=concurrency)
        elif order == "finding" and finding is not None:
            schedule = schedule_of(finding.crossing.schedule)
            job = screen.session.job("replay", schedule=schedule, concurrency=concurrency)
        else:
            job = screen.session.job("replay", order=order, seed=seed, concurrency=concurrency)
        screen.start(job)

    screen.open(ReplayDialog(finding is not None, screen.session.concurrency), answered)


class ExportDialog(ModalScreen["str | None"]):
    """Answers the file name, or None."""

    BINDINGS: ClassVar[list[BindingType]] = _CLOSE

    def __init__(self, suggestion: str) -> None:
        super().__init__()
        self._suggestion = suggestion

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "export the finding"
            yield Label("file, relative to the current directory; enter writes it")
            yield Label("its ending decides: .py script · test_*.py · .html · .svg · .mmd · .sarif")
            yield Input(self._suggestion, id="file")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def action_cancel(self) -> None:
        self.dismiss(None)


class HelpScreen(ModalScreen[None]):
    """The keys that worked when it was opened, by where they belong. `legend` says what the glyphs of the lanes are."""

    BINDINGS: ClassVar[list[BindingType]] = named([Binding("escape,question_mark,q,enter", "close", "Close")])

    def __init__(self, sections: list[tuple[str, list[tuple[str, str]]]], legend: bool) -> None:
        super().__init__()
        self._sections = sections
        self._legend = legend

    def compose(self) -> ComposeResult:
        text = Text()
        for heading, keys in self._sections:
            text.append(f"{safe(heading, 40)}\n", "bold underline")
            for key, meaning in keys:
                text.append(f"{key:>16}  ", "bold")
                text.append(f"{meaning}\n")
        if self._legend:
            text.append(
                "\n▶ request  ◇ await  ⧖ waits for another lane  ◆ write  ▷ read  ▪ chunk  ≡ printed\n"
                "● response  ✖ exception  ✂ fault  ✗ answered with another lane's data\n"
                "━▶ from the write to the read  ‹owner› of the value  ≠ differs from the other view\n"
                "+ not in the other view  − only there  ▸ lane that the keys mean  ⇤ pinned  ◉ breakpoint",
                "dim",
            )
        with VerticalScroll(classes="dialog") as dialog:
            dialog.border_title = "keys"
            yield Static(text)

    def action_close(self) -> None:
        self.dismiss()
