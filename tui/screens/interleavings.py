"""The interleavings that were tried, as a tree: where runs part, who could go on there, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Label, Static, Tree

from ...replay.schedule.schedule import in_words
from ..bindings import named
from ..interleavings import Stretch
from ..palette import ACCENT
from ..safe_text import safe
from ..tried import Tried
from ..widgets.keys_line import KeysLine
from ..widgets.run_tree import RunTree
from ..widgets.search_line import ListSearch

if TYPE_CHECKING:
    from textual.app import App, ComposeResult

    from ..tried import Choice, TriedRuns


class InterleavingsScreen(Screen["Tried | Choice | None"]):
    """Answers the run to show, or the choice to make, or None."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("space", "mark", "Mark", priority=True),
            Binding("d", "compare", "Compare two"),
            Binding("r", "rename", "Rename"),
            Binding("slash", "search", "Search", show=False),
            Binding("n", "match(1)", "Next match", show=False),
            Binding("N", "match(-1)", "Match back", show=False),
            Binding("escape,t", "close", "Back", key_display="esc"),
            Binding("question_mark", "app.help", "Help", key_display="?"),
            Binding("q", "app.quit", "Quit", show=False),
        ]
    )

    def __init__(self, runs: TriedRuns, current: Tried | None) -> None:
        super().__init__()
        self._runs = runs
        self._current = current
        self._marked: list[Tried] = []

    def compose(self) -> ComposeResult:
        yield RunTree()
        yield Static(id="interleaving")
        yield ListSearch(self._texts, self._place, self._go, lambda: self.query_one(RunTree))
        yield KeysLine()

    def on_mount(self) -> None:
        self._show(self._current)
        self.query_one(RunTree).focus()

    def _show(self, cursor: Tried | None) -> None:
        self.query_one(RunTree).show(self._runs.groups, self._current, self._marked, cursor)

    # ---- the cursor

    @property
    def _here(self) -> Tried | None:
        node = self.query_one(RunTree).cursor_node
        return node.data if node is not None and isinstance(node.data, Tried) else None

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[object]) -> None:
        self.query_one("#interleaving", Static).update(_about(event.node.data))

    def on_tree_node_selected(self, event: Tree.NodeSelected[object]) -> None:
        data = event.node.data
        if isinstance(data, (Tried, tuple)):
            self.dismiss(cast("Tried | Choice", data))

    def _texts(self) -> list[str]:
        return [str(node.label) for node in self.query_one(RunTree).nodes()]

    def _place(self) -> int:
        tree = self.query_one(RunTree)
        return next((n for n, node in enumerate(tree.nodes()) if node is tree.cursor_node), 0)

    def _go(self, place: int) -> None:
        tree = self.query_one(RunTree)
        tree.unfold(tree.nodes()[place])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """A space that is typed is a space."""
        return action != "mark" or not (self.is_mounted and self.query_one(ListSearch).typing)

    # ---- keys

    def action_search(self) -> None:
        self.query_one(ListSearch).ask()

    def action_match(self, by: int) -> None:
        self.query_one(ListSearch).next(by)

    @property
    def _app(self) -> App[None]:
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]

    def action_mark(self) -> None:
        tried = self._here
        if tried is None:
            self.notify("a run has no mark of its own here: go to a line with ●, ✗, ◐ or ○")
            return
        if tried in self._marked:
            self._marked.remove(tried)
        else:
            self._marked = [*self._marked, tried][-2:]
        self._show(tried)

    def action_compare(self) -> None:
        """The two that are marked; with one, it and the one under the cursor, or the one in the lanes."""
        from .comparison import ComparisonScreen

        chosen = list(dict.fromkeys((*self._marked, *(t for t in (self._here, self._current) if t is not None))))[:2]
        if len(chosen) < 2:
            self.notify("space marks a run; d then compares two")
            return
        if any(tried.run is None for tried in chosen):
            self.notify("one of them has not been executed yet: enter runs it")
            return
        self._app.push_screen(ComparisonScreen(*chosen))

    def action_rename(self) -> None:
        tried = self._here
        if tried is None:
            self.notify("only a run has a name: go to a line with ●, ✗, ◐ or ○")
            return

        def named(name: str | None) -> None:
            if name is not None:
                tried.name = name
                self._show(tried)

        self._app.push_screen(NameDialog(tried.name), named)

    def action_close(self) -> None:
        if self.query_one(ListSearch).active:
            self.query_one(ListSearch).end()
        else:
            self.dismiss(None)


class NameDialog(ModalScreen["str | None"]):
    """Answers the name, "" for none, or None when it is left as it was."""

    BINDINGS: ClassVar[list[BindingType]] = named([Binding("escape", "cancel", "Close")])

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name_now = name

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = "name of the interleaving"
            yield Label("empty: none")
            yield Input(self._name_now, id="name", max_length=60)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip())

    def action_cancel(self) -> None:
        self.dismiss(None)


def _about(data: object) -> Text:
    if isinstance(data, Tried):
        text = Text(f"{data.title}\n", "bold")
        lanes = [decision.lane for decision in data.decisions]
        text.append(f"{len(lanes)} choices: {safe(in_words(lanes), 240)}\n", "not bold")
        if data.finding is not None:
            from ..words import headline

            text.append(headline(data.finding.crossing), f"not bold {ACCENT}")
        elif data.report is not None:
            text.append(safe(data.report.reason, 240), "not bold")
        elif data.run is None:
            text.append("known by its schedule; enter executes it and shows it in the lanes", "not bold dim")
        return text
    if isinstance(data, Stretch) and data.branches:
        who = ", ".join(safe(lane, 40) for lane in data.enabled)
        return Text(f"choice {data.end + 1}: the runs part here\ncould run: {who}")
    return Text("● clean   ✗ crossing   ◐ inconclusive   ○ not executed yet", "dim")
