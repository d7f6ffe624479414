"""The tree of what was tried. Its nodes carry a run, a choice that nobody made yet, or a stretch of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from ...replay.schedule.schedule import in_words
from ..bindings import named
from ..interleavings import GLYPHS, OpenChoice, Stretch, open_choices
from ..palette import ACCENT
from ..safe_text import safe

if TYPE_CHECKING:
    from ..tried import Choice, Group, Tried

_MOST_LISTED = 500


Node = TreeNode["Tried | Choice | Stretch | None"]


class RunTree(Tree["Tried | Choice | Stretch | None"]):
    """Shows groups of runs; `show` again after anything about them has changed."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("j", "cursor_down", "Down", show=False),
            Binding("k", "cursor_up", "Up", show=False),
            Binding("home,g", "scroll_home", "First", show=False),
            Binding("end,G", "scroll_end", "Last", show=False),
            Binding("right,l", "expand(True)", "Open", show=False),
            Binding("left,h", "expand(False)", "Close", show=False),
        ]
    )

    def __init__(self) -> None:
        super().__init__("interleavings", id="interleavings")
        self.show_root = False
        self.guide_depth = 3
        self.border_title = "interleavings tried"
        self._current: Tried | None = None
        self._marked: list[Tried] = []

    def show(self, groups: list[Group], current: Tried | None, marked: list[Tried], cursor: Tried | None) -> None:
        """The runs of `groups`, with the cursor on one of them."""
        self._current, self._marked = current, marked
        self.clear()
        for group in groups:
            if group.tried:
                node = self.root.add(Text(group.title, "bold"), None, expand=True)
                self._add(node, group, group.tree(), root=True)
        if not self.root.children:
            self.root.add_leaf(Text("nothing was executed yet: esc, then r replays", "dim"))
            return
        at = next((node for node in self.nodes() if node.data is cursor and cursor is not None), None)
        self.call_after_refresh(self.move_cursor, at or self.root.children[0])

    def action_expand(self, wider: bool) -> None:
        """Open the node, or close it; where it is closed already, go to the one above."""
        node = self.cursor_node
        if node is None:
            return
        if wider:
            node.expand()
        elif node.is_expanded and node.allow_expand:
            node.collapse()
        elif node.parent is not None and node.parent is not self.root:
            self.move_cursor(node.parent)

    def nodes(self) -> list[Node]:
        """Every node in the order of the lines, those in closed ones included."""
        found: list[Node] = []
        waiting = list(reversed(self.root.children))
        while waiting:
            node = waiting.pop()
            found.append(node)
            waiting += reversed(node.children)
        return found

    def unfold(self, node: Node) -> None:
        """Put the cursor on a node, whatever it is folded into."""
        above = node.parent
        while above is not None:
            above.expand()
            above = above.parent
        self.call_after_refresh(self.move_cursor, node)

    def _add(self, parent: Node, group: Group, stretch: Stretch, root: bool = False) -> None:
        """The node of a stretch, with the ways on from it below."""
        ending = [group.tried[run] for run in stretch.ends]
        inside = list(open_choices(stretch, root))
        label = Text(self._steps(stretch))
        if stretch.branches:
            who = ", ".join(safe(lane, 30) for lane in stretch.enabled)
            if stretch.steps:
                label.append("   then ")
            label.append(f"choice {stretch.end + 1}", "bold")
            label.append(f": {who or 'another lane'} could run   ")
            label.append_text(_tally([group.tried[run] for run in stretch.runs]))
        data: Tried | Choice | Stretch = stretch
        if ending and not stretch.branches:
            label.append("   ")
            label.append_text(self._title(ending[0]))
            data = ending[0]
        if not stretch.branches and not inside:
            parent.add_leaf(label, data)
            return
        node = parent.add(label, data, expand=bool(stretch.branches))
        for tried in ending if stretch.branches else ():
            node.add_leaf(Text.assemble("ends here   ", self._title(tried)), tried)
        for branch in stretch.branches:
            self._add(node, group, branch)
        for lane in stretch.untried:
            label = Text.assemble((f"{safe(lane, 30)}   ", ""), ("not tried; enter runs it", "dim"))
            node.add_leaf(label, (group.tried[stretch.runs[0]], stretch.end, lane, ""))
        if inside:
            here = f"{len(inside)} other choice{'' if len(inside) == 1 else 's'} on the way, not tried"
            more = node.add(Text(here, "dim"), None) if stretch.branches else node
            for choice in inside[:_MOST_LISTED]:
                more.add_leaf(_open(choice), (group.tried[stretch.runs[0]], choice.step, choice.lane, ""))
            if len(inside) > _MOST_LISTED:
                more.add_leaf(Text(f"… and {len(inside) - _MOST_LISTED} more; c in the lanes chooses any", "dim"))

    def _steps(self, stretch: Stretch) -> str:
        lanes = [step.lane for step in stretch.steps]
        said = safe(in_words(lanes), 120)
        faults = [f"{step.action} for {safe(step.lane, 30)}" for step in stretch.steps if step.action]
        return f"{said}  ✂ {', '.join(faults)}" if faults else said

    def _title(self, tried: Tried) -> Text:
        marked = "▣ " if tried in self._marked else ""
        here = "  ◀ in the lanes" if tried is self._current else ""
        return Text(f"{marked}{tried.title}{here}", f"bold {ACCENT}" if tried.verdict == "crossing" else "bold")


def _open(choice: OpenChoice) -> Text:
    at = f" at {safe(choice.at)}" if choice.at else ""
    who = f"choice {choice.step + 1}: {safe(choice.lane, 30)} in place of {safe(choice.ran, 30)}{at}"
    return Text.assemble(f"{who}   ", ("not tried; enter runs it", "dim"))


def _tally(runs: list[Tried]) -> Text:
    counts = {glyph: sum(GLYPHS[tried.verdict] == glyph for tried in runs) for glyph in GLYPHS.values()}
    return Text("  ".join(f"{count} {glyph}" for glyph, count in counts.items() if count), "dim")
