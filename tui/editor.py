"""The user's own editor at a line of the source: which command that is. Each editor says the line in its own way."""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from ..replay.errors import CrosslaneError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLUS = ("vi", "vim", "nvim", "view", "gvim", "nano", "pico", "emacs", "emacsclient", "kak", "micro", "joe", "ne", "ed")
_COLON = ("hx", "helix", "subl", "sublime_text", "zed")
_GOTO = ("code", "code-insiders", "codium", "vscodium", "cursor", "windsurf")
_WINDOWED = (*_GOTO, "subl", "sublime_text", "zed", "gvim")


@dataclass(frozen=True, slots=True)
class Editing:
    """A command to run. One that is not `windowed` needs the terminal to itself."""

    command: tuple[str, ...]
    windowed: bool


def editing(at: str, folder: Path, environment: Mapping[str, str]) -> Editing:
    """The command that opens `file:line` (relative to `folder`) in `$VISUAL`, else `$EDITOR`.

    An editor that is not known is given the file alone: most take no line in a way that could be guessed.

    Raises:
        CrosslaneError: no editor is set or it is not installed, or there is no such file.
    """
    file, _, line = at.rpartition(":")
    path = (folder / file).absolute()
    if not line.isdigit() or not path.is_file():
        raise CrosslaneError("no such source file", at or "this finding", "it may have moved since it was found")
    name = "VISUAL" if environment.get("VISUAL", "").strip() else "EDITOR"
    try:
        words = shlex.split(environment.get(name, ""))
    except ValueError as error:
        raise CrosslaneError(f"cannot be read: {error}", f"${name}", "set it to a command such as vim") from None
    if not words:
        raise CrosslaneError("no editor is set", remedy="set $VISUAL or $EDITOR to a command such as vim or code")
    if shutil.which(words[0], path=environment.get("PATH")) is None:
        raise CrosslaneError(f"{words[0]} is not installed", f"${name}", "set it to an editor that is")
    known = PurePath(words[0]).stem
    if known in _PLUS:
        place = (f"+{line}", str(path))
    elif known in _GOTO:
        place = ("-g", f"{path}:{line}")
    elif known in _COLON:
        place = (f"{path}:{line}",)
    else:
        place = (str(path),)
    return Editing((*words, *place), known in _WINDOWED)
