"""One step in full: the request, its answer as recorded, alone and in this run, and what the handler printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static, TabbedContent, TabPane

from ..palette import ACCENT
from ..safe_text import safe, safe_block

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from ...replay.report import Finding
    from ...replay.run import Outcome, Run
    from ...replay.trace.model import Exchange

_LIMIT = 20_000


class Inspector(ModalScreen[None]):
    """Opened on one request of a run. Foreign values are marked with their owner's name."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "dismiss_inspector", "Close")]

    def __init__(self, exchange: Exchange, run: Run, solo: Run | None, finding: Finding | None) -> None:
        super().__init__()
        self._exchange = exchange
        self._now = _outcome(run, exchange.request.id)
        self._alone = _outcome(solo, exchange.request.id)
        self._fixed = _outcome(finding.fixed_run, exchange.request.id) if finding is not None else None
        self._finding = finding

    def compose(self) -> ComposeResult:
        request = self._exchange.request
        with TabbedContent(id="inspector", initial="response"):
            with TabPane("request", id="request"), VerticalScroll():
                heading = (
                    f"{request.id}  session {request.session}  user {request.user}  line {request.line} of the trace"
                )
                yield Static(Text.assemble((safe(heading), "bold"), "\n\n", self._request()))
            with TabPane("response", id="response"), VerticalScroll():
                yield Static(self._responses())
            with TabPane("output", id="output"), VerticalScroll():
                printed = self._now.output if self._now is not None else ""
                yield Static(Text(safe_block(printed, _LIMIT) or "the handler printed nothing"))
        yield Static(Text("tab, ←/→ other tab   esc close", "dim"), id="inspector-keys")

    def _request(self) -> Text:
        request = self._exchange.request
        return Text(_pretty(request.request if request.message is None else request.message))

    def _responses(self) -> Text:
        text = Text()
        recorded = self._exchange.response
        self._section(text, "recorded", None if recorded is None else _pretty(recorded.body), "")
        alone = _answer(self._alone)
        self._section(text, "alone", alone, "")
        now = _answer(self._now)
        differs = "  ≠ alone" if now is not None and alone is not None and now != alone else ""
        self._section(text, "this run", now, differs)
        if self._fixed is not None and self._finding is not None and self._finding.crossing.carrier is not None:
            carrier = safe(self._finding.crossing.carrier.name)
            same = "  = alone" if _answer(self._fixed) == alone else ""
            self._section(text, f"this run, with {carrier} kept apart for each lane", _answer(self._fixed), same)
        return text

    def _section(self, text: Text, title: str, body: str | None, remark: str) -> None:
        text.append(f"{title}{remark}\n", "bold")
        block = Text((body if body is not None else "(nothing)") + "\n\n")
        if self._finding is not None and body is not None and title == "this run" and self._is_sink():
            for value in self._finding.crossing.evidence_all:
                block.highlight_regex(rf"(?i){_escaped(value)}", f"bold reverse {ACCENT}")
            owner = safe(self._finding.crossing.source.lane)
            text.append(f"marked: {owner}'s, foreign to {safe(self._finding.crossing.sink.lane)}\n", ACCENT)
        text.append_text(block)

    def _is_sink(self) -> bool:
        return self._finding is not None and self._finding.crossing.sink.request == self._exchange.request.id

    def action_dismiss_inspector(self) -> None:
        self.dismiss()


def _escaped(value: str) -> str:
    import re

    return re.escape(value)


def _outcome(run: Run | None, request: str) -> Outcome | None:
    return next((o for o in run.outcomes if o.request == request), None) if run is not None else None


def _answer(outcome: Outcome | None) -> str | None:
    if outcome is None:
        return None
    if not outcome.finished:
        return "(never answered)"
    if outcome.error is not None:
        return safe_block(f"{outcome.error}{f'  at {outcome.error_at}' if outcome.error_at else ''}", _LIMIT)
    status = f"{outcome.status}  " if outcome.status is not None else ""
    headers = "".join(f"\n{name}: {value}" for name, value in outcome.headers)
    return f"{status}{_pretty(outcome.body)}{safe_block(headers, 2_000)}"


def _pretty(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return safe_block(text, _LIMIT)
