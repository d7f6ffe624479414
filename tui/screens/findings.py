"""The findings of a search as a table, the most telling first, with the one under the cursor in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import DataTable, Static

from ...replay.report import Finding
from ..bindings import named
from ..detail import detail
from ..palette import ACCENT
from ..ranking import COLUMNS, Entry, entries, said
from ..title import NARROW
from ..widgets.keys_line import KeysLine
from ..widgets.search_line import ListSearch
from ..words import facts
from . import on_finding

if TYPE_CHECKING:
    from textual.app import App, ComposeResult
    from textual.events import Resize

    from ...replay.report import Result
    from ..session import OpenSession
    from .main import MainScreen


@dataclass(frozen=True, slots=True)
class Chosen:
    """A finding, and what to do with it: show it in the lanes, or look for something smaller that shows it too."""

    finding: Finding
    minimise: bool = False


class _FindingsTable(DataTable[Text]):
    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("enter", "select_cursor", "Show in the lanes"),
            Binding("j", "cursor_down", "Down", show=False),
            Binding("k", "cursor_up", "Up", show=False),
            Binding("home,g", "scroll_top", "First", show=False),
            Binding("end,G", "scroll_bottom", "Last", show=False),
        ]
    )


class FindingsScreen(Screen["Chosen | None"]):
    """Answers what was chosen. What is allowed, known, or an influence is listed below the findings, apart."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("e", "export", "Export"),
            Binding("y", "copy", "Copy"),
            Binding("o", "edit('write')", "Edit write"),
            Binding("O", "edit('read')", "Edit read"),
            Binding("m", "minimise", "Minimise"),
            Binding("slash", "search", "Search", show=False),
            Binding("n", "match(1)", "Next match", show=False),
            Binding("N", "match(-1)", "Match back", show=False),
            Binding("tab", "app.focus_next", "Next panel", show=False),
            Binding("question_mark", "app.help", "Help", key_display="?"),
            Binding("escape,q", "back", "Back"),
        ]
    )

    def __init__(self, session: OpenSession, result: Result, finding: Finding | None) -> None:
        super().__init__()
        self._session = session
        self._entries = entries(result)
        self._verdict = result.report.verdict
        self._finding = finding

    def compose(self) -> ComposeResult:
        with Horizontal(id="findings-body"):
            yield _FindingsTable(id="findings-table", cursor_type="row")
            with VerticalScroll(id="findings-detail"):
                yield Static(id="findings-text")
        yield ListSearch(self._texts, lambda: self._table.cursor_row, self._go, lambda: self._table)
        yield KeysLine()

    def on_mount(self) -> None:
        table = self._table
        count = sum(entry.what == "finding" for entry in self._entries)
        table.border_title = f"{count} finding{'' if count == 1 else 's'}"
        table.add_columns(*COLUMNS)
        for entry in self._entries:
            style = f"bold {ACCENT}" if entry.what == "finding" else "dim"
            first, *others = entry.row
            table.add_row(
                Text(first, style), *(Text(cell, "" if entry.what == "finding" else "dim") for cell in others)
            )
        table.focus()
        if not self._entries:
            self.query_one("#findings-text", Static).update(
                Text(f"nothing was found ({self._verdict}); esc goes back, and r searches again", "dim")
            )
            return
        start = next((n for n, entry in enumerate(self._entries) if entry.about is self._finding), 0)
        table.move_cursor(row=start)
        self._show(start)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < NARROW, "-narrow")

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        self._show(event.cursor_row)

    def on_data_table_row_selected(self) -> None:
        self.action_show()

    def _show(self, row: int) -> None:
        if not 0 <= row < len(self._entries):
            return
        entry = self._entries[row]
        panel = self.query_one("#findings-detail", VerticalScroll)
        panel.border_title = said(entry)
        panel.scroll_home(animate=False)
        self.query_one("#findings-text", Static).update(detail(entry))

    @property
    def _table(self) -> _FindingsTable:
        return self.query_one(_FindingsTable)

    @property
    def _app(self) -> App[Any]:
        return cast("App[Any]", self.app)  # pyright: ignore[reportUnknownMemberType]

    @property
    def _chosen(self) -> Finding | None:
        entry: Entry | None = self._entries[self._table.cursor_row] if self._entries else None
        return entry.about if entry is not None and isinstance(entry.about, Finding) else None

    def _texts(self) -> list[str]:
        """What is told of each entry."""
        texts: list[str] = []
        for entry in self._entries:
            facts_of = facts(entry.about.crossing) if isinstance(entry.about, Finding) else []
            texts.append("\n".join((*entry.row, said(entry), *(fact for _, fact in facts_of))))
        return texts

    def _go(self, row: int) -> None:
        self._table.move_cursor(row=row)

    # ---- keys

    def action_search(self) -> None:
        self.query_one(ListSearch).ask()

    def action_match(self, by: int) -> None:
        self.query_one(ListSearch).next(by)

    def action_show(self) -> None:
        if self._chosen is not None:
            self.dismiss(Chosen(self._chosen))

    def action_minimise(self) -> None:
        if self._chosen is None:
            self.notify("no finding is shown that could be made smaller")
        else:
            self.dismiss(Chosen(self._chosen, minimise=True))

    def action_export(self) -> None:
        on_finding.ask_export(self._app, self._session, self._chosen)

    def action_copy(self) -> None:
        on_finding.copy(self._app, self._chosen.crossing if self._chosen is not None else None)

    def action_edit(self, which: str) -> None:
        crossing = self._chosen.crossing if self._chosen is not None else None
        access = None
        if crossing is not None:
            access = crossing.write or crossing.read if which == "write" else crossing.read or crossing.write
        on_finding.edit(self._app, self._session, access)

    def action_back(self) -> None:
        if self.query_one(ListSearch).active:
            self.query_one(ListSearch).end()
        else:
            self.dismiss(None)


def ask_findings(screen: MainScreen) -> None:
    """Show the findings of the last result, and in the lanes the one that is chosen."""
    if screen.known.result is None:
        screen.notify("nothing was searched yet")
        return

    def chosen(choice: Chosen | None) -> None:
        if choice is None or choice.finding not in screen.known.findings:
            return
        screen.select(choice.finding)
        if choice.minimise:
            on_finding.minimise(screen)

    screen.open(FindingsScreen(screen.session, screen.known.result, screen.finding), chosen)
