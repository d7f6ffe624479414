"""Stepping from one interleaving into another: what the main screen does when another lane shall run at a step."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from ...replay.schedule.branching import faults, others
from ..bindings import named
from ..safe_text import safe
from ..tried import same_choices
from ..widgets.options import Options

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ...replay.run import Decision
    from ..tried import Choice, Tried
    from .main import MainScreen


DONE = {
    "": "goes on undisturbed",
    "cancel": "its client goes away here",
    "timeout": "its time limit passes here",
    "fail": "its upstream call fails here",
}


class ChoiceDialog(ModalScreen["tuple[str, str] | None"]):
    """Answers the lane that shall run and what shall be done to its request, or None."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("escape,c", "cancel", "Close"),
            Binding("j", "app.simulate_key('down')", show=False),
            Binding("k", "app.simulate_key('up')", show=False),
        ]
    )

    def __init__(self, step: int, ran: Decision, known: dict[tuple[str, str], Tried]) -> None:
        super().__init__()
        self._step = step
        self._ran = ran
        self._choices = (*((lane, "") for lane in others(ran)), *((ran.lane, fault) for fault in faults(ran)))
        self._known = known

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = f"choice {self._step + 1}: who goes on"
            did = f", and {DONE[self._ran.action]}" if self._ran.action in DONE and self._ran.action else ""
            yield Label(Text(f"{safe(self._ran.lane, 60)} did{did}; instead of it"))
            yield Options(*(Option(self._line(*choice)) for choice in self._choices), id="choices")

    def _line(self, lane: str, fault: str) -> Text:
        known = self._known.get((lane, fault))
        said = ("not tried", "dim") if known is None else (f"tried: {known.title}", "")
        sign = "✂ " if fault else ""
        done = f": {DONE[fault]}" if lane == self._ran.lane else ""
        return Text.assemble((f"{sign}{safe(lane, 60)}", "bold"), done, "   ", said, no_wrap=True, overflow="ellipsis")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._choices[event.option_index])

    def action_cancel(self) -> None:
        self.dismiss(None)


def choose(screen: MainScreen) -> None:
    """Ask who shall run at the step under the cursor, or what shall be done to the one who does, and run that."""
    showing, event, current = screen.panels.showing, screen.panels.event, screen.known.shown
    if showing is None or event is None:
        return
    if showing.view.run is not showing.run:
        screen.notify(f"nobody chose who runs in the view {showing.view.title!r}: v goes back to this run")
        return
    if current is None:
        screen.notify("this is the traffic as it was recorded: nobody chose who runs. r replays it")
        return
    if screen.known.as_tried(showing.run, showing.finding) is None:
        screen.notify("this run is not among the interleavings: r replays it")
        return
    step = event.step - 1
    if not 0 <= step < len(current.decisions):
        screen.notify("no choice belongs to this row")
        return
    decision = current.decisions[step]
    if not others(decision) and not faults(decision):
        screen.notify(_only_one(current, step), markup=False)
        return

    def chosen(choice: tuple[str, str] | None) -> None:
        if choice is not None:
            take(screen, (current, step, *choice))

    screen.open(ChoiceDialog(step, decision, _known(current, step)), chosen)


def take(screen: MainScreen, choice: Choice) -> None:
    """Run the interleaving of a choice and show it."""
    tried, step, lane, fault = choice
    ran = tried.decisions[step].lane if step < len(tried.decisions) else "nobody"
    said = f"{lane}, {DONE[fault]}" if lane == ran else f"{lane} in place of {ran}"
    screen.start(tried.branch(step, lane, fault), (tried.group, f"choice {step + 1}: {said}"))


def show(screen: MainScreen, wish: Tried | Choice | None) -> None:
    """What the interleavings screen answered."""
    if isinstance(wish, tuple):
        take(screen, wish)
    elif wish is not None and wish.run is None:
        screen.start(wish.again(), (wish.group, wish.origin))
    elif wish is not None:
        screen.show_tried(wish)


def compare(screen: MainScreen) -> None:
    """The run in the lanes with the one before it."""
    from .comparison import ComparisonScreen

    if screen.known.shown is None or screen.known.before is None:
        screen.notify("there is one run only: c chooses another lane at a step")
        return
    screen.open(ComparisonScreen(screen.known.before, screen.known.shown))


def _known(current: Tried, step: int) -> dict[tuple[str, str], Tried]:
    """For each choice that was tried at this step after the same steps before it, a run in which it was."""
    known: dict[tuple[str, str], Tried] = {}
    for tried in current.group.tried:
        if len(tried.decisions) > step and same_choices(tried.decisions, current.decisions[:step]):
            known.setdefault((tried.decisions[step].lane, tried.decisions[step].action), tried)
    return known


def _only_one(current: Tried, step: int) -> str:
    """Where the nearest choices are, before the step and after it."""
    open_ = [n for n, decision in enumerate(current.decisions) if others(decision)]
    back = max((n for n in open_ if n < step), default=None)
    on = min((n for n in open_ if n > step), default=None)
    near = " and ".join(f"choice {n + 1}" for n in (back, on) if n is not None)
    who = safe(current.decisions[step].lane, 40)
    return f"only {who} could run here{f'; another could at {near}' if near else ''}"
