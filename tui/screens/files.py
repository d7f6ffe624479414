"""Naming a file: completion while a path is typed, and a tree to pick from. Folders are read in threads."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.suggester import Suggester
from textual.widgets import DirectoryTree, Static

from ..bindings import named
from ..safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.app import ComposeResult

_MOST = 5_000


class PathSuggester(Suggester):
    """Completes the last part of a path to the first entry that begins with it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        return await asyncio.to_thread(completed, value)


def completed(value: str) -> str | None:
    """`value` with its last part completed, a folder with a slash behind it; None where nothing fits."""
    head, begun = os.path.split(value)
    if not begun:
        return None
    try:
        with os.scandir(Path(head).expanduser() if head else ".") as entries:
            fitting = sorted(
                (entry.name + (os.sep if entry.is_dir() else ""))
                for _, entry in zip(range(_MOST), entries, strict=False)
                if entry.name.startswith(begun) and entry.name.isprintable()
            )
    except (OSError, ValueError, RuntimeError):
        return None
    return os.path.join(head, fitting[0]) if fitting and fitting[0] != begun else None


class _Files(DirectoryTree):
    """Hidden files are left out, and no file name reaches the terminal raw."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        [
            Binding("j", "cursor_down", "Down", show=False),
            Binding("k", "cursor_up", "Up", show=False),
        ]
    )

    def process_label(self, label: str | Text) -> Text:
        return Text(safe(label if isinstance(label, str) else label.plain))

    def filter_paths(self, paths: Iterable[Path]) -> Iterable[Path]:
        return (path for path in paths if not path.name.startswith("."))


class FilePicker(ModalScreen["str | None"]):
    """Answers the path of the file that was picked, relative to the current directory where it is below it, or None."""

    BINDINGS: ClassVar[list[BindingType]] = named([Binding("escape", "cancel", "Close")])

    def __init__(self, title: str, folder: Path) -> None:
        super().__init__()
        self._title = title
        self._folder = folder

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog tall") as dialog:
            dialog.border_title = safe(self._title)
            yield _Files(self._folder, id="files")
            yield Static(Text("↑/↓ move   enter opens a folder or picks a file   esc closes", "dim"))

    def on_directory_tree_file_selected(self, event: DirectoryTree.FileSelected) -> None:
        path = event.path.absolute()
        here = Path.cwd()
        self.dismiss(str(path.relative_to(here) if path.is_relative_to(here) else path))

    def action_cancel(self) -> None:
        self.dismiss(None)
