"""The source around the line that the cursor stands on, with the lines that wrote and read the carrier marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from ..palette import ACCENT
from ..safe_text import safe, safe_block
from ..words import GLYPHS

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult

_LARGEST = 2_000_000


class SourcePanel(VerticalScroll):
    """Reads files below the user's directory; never runs them."""

    def __init__(self, cwd: Path) -> None:
        super().__init__(id="source")
        self._cwd = cwd
        self._files: dict[str, list[Text] | str] = {}
        self._shown: tuple[str | None, dict[str, str]] = (None, {})

    def compose(self) -> ComposeResult:
        yield Static(id="source-text")

    def show(self, at: str | None, marks: dict[str, str]) -> None:
        """Show `file:line`. `marks` maps such places to `write` or `read`."""
        self._shown = (at, marks)
        text = self.query_one("#source-text", Static)
        file, _, number = (at or "").rpartition(":")
        if not file or not number.isdigit():
            self.border_title = "source"
            text.update(Text("no source line belongs to this step", "dim"))
            return
        self.border_title = f"source  {safe(at or '')}"
        lines = self._lines(file)
        if isinstance(lines, str):
            text.update(Text(lines))
            return
        current = int(number)
        room = max(5, self.size.height - 1)  # one row for a scrollbar
        first = max(1, min(current - room // 2, len(lines) - room + 1))
        shown = Text(no_wrap=True)
        for line in range(first, min(first + room, len(lines) + 1)):
            mark = marks.get(f"{file}:{line}", "")
            style = ACCENT if mark else "dim"
            shown.append(f"{'▶' if line == current else ' '}{GLYPHS.get(mark, ' ')}{line:>4}  ", style)
            row = lines[line - 1].copy()
            if line == current:
                row.stylize("bold underline")
            shown.append_text(row)
            shown.append("\n")
        text.update(shown)

    def forget(self) -> None:
        """The files were edited: read them again."""
        self._files.clear()
        self.show(*self._shown)

    def on_resize(self) -> None:
        self.show(*self._shown)

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
