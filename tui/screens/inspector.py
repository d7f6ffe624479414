"""One step in full: request, responses beside each other, stack and source, shared state, upstream calls and logs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.geometry import Region
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Static, TabbedContent, TabPane, Tabs

from .. import inspection
from ..bindings import named
from ..inspection import Looked
from ..owners import Owners
from ..safe_text import safe
from ..title import NARROW
from ..views import ALONE, THIS_RUN, place_alone
from ..widgets.search_line import ListSearch

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.events import Resize

    from ...replay.run import Outcome, Run
    from ...replay.trace.model import Request
    from ..known import Known
    from ..showing import Showing

_LARGEST = 2_000_000
_MOST_OWNERS = 2_000


class Inspector(ModalScreen[None]):
    """Shows what a run knows of one row. Foreign values are marked with their owner's colour and name."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("escape,enter,q,i", "dismiss_inspector", "Close"),
            Binding("slash", "search", "Search", show=False),
            Binding("n", "match(1)", "Next match", show=False),
            Binding("N", "match(-1)", "Match back", show=False),
            Binding("right_square_bracket", "tab(1)", "Next tab", key_display="]"),
            Binding("left_square_bracket", "tab(-1)", "Tab back", key_display="["),
        ]
    )

    def __init__(self, looked: Looked) -> None:
        super().__init__()
        self._looked = looked
        self._row = 0
        self._plain: dict[Static, Text] = {}

    def compose(self) -> ComposeResult:
        looked = self._looked
        event = looked.run.events[looked.row]
        with TabbedContent(id="inspector", initial="response") as tabs:
            tabs.border_title = f"row {looked.number}  {safe(event.lane, 40)}  {event.kind}{_of(looked)}"
            with TabPane("request", id="request"), VerticalScroll():
                yield Static(inspection.request(looked))
            with TabPane("response", id="response"), VerticalScroll():
                with Horizontal(classes="beside"):
                    yield Static(inspection.recorded(looked))
                    yield Static(inspection.alone(looked))
                    yield Static(inspection.now(looked))
                with Horizontal(classes="beside"):
                    yield Static(inspection.fixed(looked))
            with TabPane("stack", id="stack"), VerticalScroll():
                yield Static(inspection.stack(looked))
            with TabPane("state", id="state"), VerticalScroll():
                yield Static(inspection.state(looked))
            with TabPane("upstream", id="upstream"), VerticalScroll():
                yield Static(inspection.upstream(looked))
            with TabPane("logs", id="logs"), VerticalScroll():
                yield Static(inspection.logs(looked))
        yield ListSearch(self._texts, lambda: self._row, self._go, lambda: self.query_one(Tabs), self._highlight)
        yield Static(Text("←/→, [ ] other tab   tab into it   / search   esc close", "dim"), id="inspector-keys")

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")

    def action_tab(self, by: int) -> None:
        tabs = self.query_one(TabbedContent)
        names = [pane.id or "" for pane in self.query(TabPane)]
        tabs.active = names[(names.index(tabs.active) + by) % len(names)]

    def action_dismiss_inspector(self) -> None:
        if self.query_one(ListSearch).active:
            self.query_one(ListSearch).end()
        else:
            self.dismiss()

    # ---- searching the tab that is open

    def action_search(self) -> None:
        self.query_one(ListSearch).ask()

    def action_match(self, by: int) -> None:
        self.query_one(ListSearch).next(by)

    def _shown(self) -> list[Static]:
        pane = self.query_one(TabbedContent).active_pane
        return [] if pane is None else list(pane.query(Static))

    def _lines(self) -> list[tuple[Static, int, str]]:
        """The lines of the tab as they are wrapped: in which text, at which of its rows, and what they say."""
        return [
            (static, y, strip.text)
            for static in self._shown()
            for y, strip in enumerate(static.render_lines(Region(0, 0, static.size.width, static.size.height)))
        ]

    def _texts(self) -> list[str]:
        return [text for _, _, text in self._lines()]

    def _go(self, row: int) -> None:
        lines = self._lines()
        if row < len(lines):
            self._row = row
            static, y, _ = lines[row]
            static.scroll_visible(animate=False)
            region = Region(0, static.virtual_region.y + y, 1, 1)
            parent = static.parent
            if isinstance(parent, Widget):
                parent.scroll_to_region(region, animate=False)

    def _highlight(self, query: str) -> None:
        for static in self._shown():
            plain = self._plain.setdefault(static, static.content if isinstance(static.content, Text) else Text())
            text = plain.copy()
            if query:
                text.highlight_regex(rf"(?i){re.escape(safe(query))}", "reverse")
            static.update(text)

    def on_tabbed_content_tab_activated(self) -> None:
        self._row = 0
        search = self.query_one(ListSearch)
        if search.active:
            self._highlight(search.query_one(Input).value)


def look(showing: Showing, row: int, program: Known, cwd: Path) -> Looked | None:
    """Everything about a row of the lanes; None where it belongs to no request."""
    view, run, finding = showing.view, showing.run, showing.finding
    solo, exchanges = program.solo(run, finding), program.exchanges(run, finding)
    event = view.run.events[row]
    exchange = next((exchange for exchange in exchanges if exchange.request.id == event.request), None)
    if exchange is None:
        return None
    crossing = finding.crossing if finding is not None else None
    sink = crossing is not None and crossing.sink.request == event.request
    near = {known.request.id: known.request for known in (exchange, *exchanges[:_MOST_OWNERS])}
    requests: dict[str, dict[str, Request]] = {}
    for known in run.events:
        if known.request in near:
            requests.setdefault(known.lane, {})[known.request] = near.pop(known.request)
            if not near:
                break
    of, at = place_alone(view.run, row, solo) if view.title == ALONE else (view.run, row)
    return Looked(
        exchange,
        of,
        at,
        view.title,
        event.seq,
        _outcome(solo.get(event.lane) if view.title == ALONE else view.run, event.request),
        _outcome(run, event.request),
        _outcome(solo.get(event.lane), event.request),
        _outcome(finding.fixed_run, event.request) if finding is not None else None,
        crossing.carrier.name if crossing is not None and crossing.carrier is not None else "",
        crossing.evidence_all if crossing is not None and sink else (),
        crossing.source.lane if crossing is not None and sink else "",
        Owners({lane: asked.values() for lane, asked in requests.items()}, solo),
        showing.grid.lanes,
        lambda file: _lines(cwd / file),
    )


def _of(looked: Looked) -> str:
    return "" if looked.view == THIS_RUN else f"  {looked.view}"


def _outcome(run: Run | None, request: str) -> Outcome | None:
    return next((o for o in run.outcomes if o.request == request), None) if run is not None else None


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _LARGEST:
            return []
        return [safe(line) for line in path.read_text(encoding="utf-8", errors="replace").expandtabs(4).split("\n")]
    except OSError:
        return []
