"""Two interleavings beside each other: where they first part, every choice since, and what each lane was answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Static

from ..bindings import named
from ..interleavings import difference
from ..palette import ACCENT, LANES
from ..safe_text import safe
from ..widgets.keys_line import KeysLine

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ...replay.run import Decision, Outcome
    from ..interleavings import Difference, OutcomePair
    from ..tried import Tried

_BEFORE = 200
_ROWS = 2_000
_ANSWER = 2_000


class ComparisonScreen(Screen[None]):
    """Both were executed. `n` goes to the next step at which they choose differently."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("n", "differing(1)", "Next difference"),
            Binding("N", "differing(-1)", "Difference back", show=False),
            Binding("tab", "app.focus_next", "Next panel", show=False),
            Binding("escape,d", "close", "Back", key_display="esc"),
            Binding("question_mark", "app.help", "Help", key_display="?"),
            Binding("q", "app.quit", "Quit", show=False),
        ]
    )

    def __init__(self, one: Tried, other: Tried) -> None:
        super().__init__()
        assert one.run is not None
        assert other.run is not None
        self._one, self._other = one, other
        self._difference: Difference = difference(one.run, other.run)
        order = dict.fromkeys((*one.run.lanes, *other.run.lanes))
        self._colour = {lane: LANES[n % len(LANES)] for n, lane in enumerate(order)}
        parts_at = self._difference.parts_at
        self._first = max(0, (parts_at or 0) - _BEFORE)

    def compose(self) -> ComposeResult:
        yield Static(self._heading(), id="parts")
        steps: DataTable[Text] = DataTable(id="steps", cursor_type="row", zebra_stripes=True)
        yield steps
        with VerticalScroll(id="answers") as answers:
            answers.can_focus = True
            yield Static(self._answers())
        yield KeysLine()

    def on_mount(self) -> None:
        table = self._table
        table.border_title = "who ran"
        self.query_one("#answers").border_title = "what each lane was answered"
        for label in ("choice", self._one.title, self._other.title):
            table.add_column(Text(label, no_wrap=True))
        shown = self._difference.steps[self._first : self._first + _ROWS]
        for n, (one, other) in enumerate(shown, self._first):
            parts = _parts(one, other)
            mark = Text(f"{'≠' if parts else ' '}{n + 1:>5}", f"bold {ACCENT}" if parts else "dim")
            table.add_row(mark, self._choice(one), self._choice(other))
        table.focus()
        if self._difference.parts_at is not None:
            table.move_cursor(row=self._difference.parts_at - self._first)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one(DataTable)  # pyright: ignore[reportUnknownVariableType]

    def _heading(self) -> Text:
        parts_at = self._difference.parts_at
        if parts_at is None:
            return Text(" the two make the same choices at every step", "bold")
        one, other = self._difference.steps[parts_at]
        ran = [f"{safe(d.lane, 40)} goes on" if d is not None else "it is over" for d in (one, other)]
        at = next((f", at {safe(d.at)}" for d in (one, other) if d is not None and d.at), "")
        said = f" they part at choice {parts_at + 1}{at}:   "
        return Text.assemble(
            (said, "bold"),
            f"{ran[0]} ",
            (self._one.title, "bold"),
            f"   |   {ran[1]} ",
            (self._other.title, "bold"),
        )

    def _choice(self, decision: Decision | None) -> Text:
        if decision is None:
            return Text("(over)", "dim")
        said = Text.assemble((safe(decision.lane, 40), self._colour.get(decision.lane, "")))
        if decision.action:
            said.append(f"  ✂ {decision.action}", ACCENT)
        return said.append(f"  {safe(decision.at)}" if decision.at else "", "dim")

    def _answers(self) -> Text:
        text = Text()
        for pair in self._difference.outcomes:
            lane = safe(pair.lane, 40)
            same = "= the same in both" if pair.same else "≠"
            text.append(f"{lane}  {safe(pair.request, 40)}", f"bold {self._colour.get(pair.lane, '')}")
            text.append(f"   {same}\n", "dim" if pair.same else f"bold {ACCENT}")
            for glyph, outcome in self._sides(pair):
                text.append(f"  {glyph} ", "bold")
                text.append(f"{_answer(outcome)}\n")
        return text

    def _sides(self, pair: OutcomePair) -> list[tuple[str, Outcome | None]]:
        if pair.same:
            return [(" ", pair.one)]
        return [(self._one.title[:1], pair.one), (self._other.title[:1], pair.other)]

    def action_differing(self, by: int) -> None:
        table = self._table
        last = min(len(self._difference.steps), self._first + _ROWS)
        row = self._first + table.cursor_row + by
        while self._first <= row < last:
            if _parts(*self._difference.steps[row]):
                table.move_cursor(row=row - self._first)
                return
            row += by
        self.notify("no other step at which they differ")

    def action_close(self) -> None:
        self.dismiss()


def _parts(one: Decision | None, other: Decision | None) -> bool:
    return one is None or other is None or (one.lane, one.action) != (other.lane, other.action)


def _answer(outcome: Outcome | None) -> str:
    if outcome is None:
        return "(not begun)"
    if not outcome.finished:
        return "(never answered)"
    if outcome.error is not None:
        return safe(outcome.error, _ANSWER)
    status = f"{outcome.status} " if outcome.status is not None else ""
    body = outcome.body if isinstance(outcome.body, str) else json.dumps(outcome.body, ensure_ascii=False)
    return f"{status}{safe(body, _ANSWER)}"
