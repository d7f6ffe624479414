"""The source around the line that the cursor stands on: the lines that wrote and read the carrier are marked, and those
that breakpoints are on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static

from ..bindings import named
from ..palette import ACCENT
from ..safe_text import safe, safe_block
from ..words import GLYPHS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.events import Click

_LARGEST = 2_000_000
_STOP = "◉"


class SourcePanel(VerticalScroll):
    """Reads files below the user's directory; never runs them.

    With the focus it has a cursor of its own on a line, which begins on the one that is shown.
    """

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("b", "break", "Breakpoints"),
            Binding("down,j", "line(1)", "Line down", show=False),
            Binding("up,k", "line(-1)", "Line up", show=False),
            Binding("pagedown", "page(1)", "Page down", show=False),
            Binding("pageup", "page(-1)", "Page up", show=False),
            Binding("home,g", "go(1)", "First line", show=False),
            Binding("end,G", "go(-1)", "Last line", show=False),
        ]
    )

    class Toggled(Message):
        """A breakpoint shall be on this line, or no longer."""

        def __init__(self, file: str, line: int) -> None:
            super().__init__()
            self.file = file
            self.line = line

    def __init__(self, cwd: Path, stops: Callable[[str], Mapping[int, str]] = lambda _: {}) -> None:
        """Args:
        stops: the lines of a file that breakpoints are on, and what there is to say of each.
        """
        super().__init__(id="source")
        self._cwd = cwd
        self._stops = stops
        self._files: dict[str, list[Text] | str] = {}
        self._shown: tuple[str | None, dict[str, str]] = (None, {})
        self._cursor = 0
        self._first = 1

    def compose(self) -> ComposeResult:
        yield Static(id="source-text")

    def show(self, at: str | None, marks: dict[str, str]) -> None:
        """Show `file:line`. `marks` maps such places to `write` or `read`."""
        self._shown = (at, marks)
        _, self._cursor = self._place()
        self.redraw()

    def redraw(self) -> None:
        at, marks = self._shown
        text = self.query_one("#source-text", Static)
        file, current = self._place()
        if not file:
            self.border_title = "source"
            text.update(Text("no source line belongs to this step", "dim"))
            return
        self.border_title = f"source  {safe(at or '')}"
        lines = self._lines(file)
        if isinstance(lines, str):
            text.update(Text(lines))
            return
        room = self._room
        self._first = first = max(1, min(self._cursor - room // 2, len(lines) - room + 1))
        stops = self._stops(file)
        shown = Text(no_wrap=True)
        for line in range(first, min(first + room, len(lines) + 1)):
            mark = marks.get(f"{file}:{line}", "")
            style = ACCENT if mark else "bold" if line in stops else "dim"
            if self.has_focus and line == self._cursor:
                style = f"{style} reverse"
            stop = _STOP if line in stops else " "
            shown.append(f"{'▶' if line == current else ' '}{GLYPHS.get(mark, ' ')}{stop}{line:>3}", style).append("  ")
            row = lines[line - 1].copy()
            if line == current:
                row.stylize("bold underline")
            shown.append_text(row)
            if stops.get(line):
                shown.append(f"   {_STOP} {safe(stops[line], 100)}", "bold")
            shown.append("\n")
        text.update(shown)

    def _place(self) -> tuple[str, int]:
        """The file and the line that are shown; "" for none."""
        file, _, number = (self._shown[0] or "").rpartition(":")
        return (file, int(number)) if file and number.isdecimal() else ("", 0)

    @property
    def _room(self) -> int:
        return max(5, self.size.height - 1)  # one row for a scrollbar

    # ---- the cursor

    def action_line(self, by: int) -> None:
        self._move(self._cursor + by)

    def action_page(self, by: int) -> None:
        self._move(self._cursor + by * self._room)

    def action_go(self, line: int) -> None:
        self._move(line if line > 0 else _LARGEST)

    def action_break(self) -> None:
        file, _ = self._place()
        if file and not isinstance(self._lines(file), str):
            self.post_message(self.Toggled(file, self._cursor))

    def on_click(self, event: Click) -> None:
        offset = event.get_content_offset(self)
        if offset is not None:
            self._move(self._first + offset.y)

    def _move(self, line: int) -> None:
        file, _ = self._place()
        lines = self._lines(file) if file else ""
        if not isinstance(lines, str):
            self._cursor = max(1, min(line, len(lines)))
            self.redraw()

    def on_focus(self) -> None:
        self.redraw()

    def on_blur(self) -> None:
        self.redraw()

    def forget(self) -> None:
        """The files were edited: read them again."""
        self._files.clear()
        self.redraw()

    def on_resize(self) -> None:
        self.redraw()

    def _lines(self, file: str) -> list[Text] | str:
        if file not in self._files:
            self._files[file] = self._read(file)
        return self._files[file]

    def _read(self, file: str) -> list[Text] | str:
        path = self._cwd / file
        try:
            if path.stat().st_size > _LARGEST:
                return f"{safe(file)} is too large to show"
            source = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            return f"{safe(file)} cannot be read: {error.strerror}"
        from rich.syntax import Syntax  # pygments is slow to import, and not every session shows source

        highlighted = Syntax("", "python", theme="ansi_dark").highlight(safe_block(source))
        return list(highlighted.split("\n"))
