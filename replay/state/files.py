"""Which source files are the user's own, and how they are shown."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass, field
from functools import cache

_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_LIBRARY_FOLDERS = ("site-packages", "dist-packages", "node_modules", ".tox", ".nox")


@dataclass(slots=True)
class UserFiles:
    """Files below `roots`, which are real paths, but for installed libraries and the interpreter's own.

    The handler's folder is a root even where it lies inside site-packages (the samples of an installed Crosslane do).
    """

    cwd: str
    roots: tuple[str, ...]
    _known: dict[str, bool] = field(default_factory=dict[str, bool])

    def __contains__(self, filename: str) -> bool:
        known = self._known.get(filename)
        if known is None:
            known = self._known[filename] = self._decide(filename)
        return known

    def _decide(self, filename: str) -> bool:
        if filename.startswith("<"):
            return False
        path = _real(filename)
        if path.startswith(_OURS + os.sep):
            return False
        for root in self.roots:
            below = os.path.join(root, "")
            if not path.startswith(below):
                continue
            if any(part in _LIBRARY_FOLDERS for part in path.removeprefix(below).split(os.sep)):
                continue
            if path.startswith(_stdlib()) and not root.startswith(_stdlib()):
                continue
            return True
        return False

    def shown(self, filename: str) -> str:
        """Relative to the working directory when inside it, else as it is."""
        path = _real(filename)
        relative = os.path.relpath(path, self.cwd)
        return path if relative.startswith(os.pardir) else relative

    def at(self, filename: str, line: int) -> str:
        return f"{self.shown(filename)}:{line}"


def _real(filename: str) -> str:
    """`os.path.realpath`, for many files of few folders: a program has thousands of modules."""
    folder, name = os.path.split(filename)
    if not os.path.isabs(folder) or name in ("", os.curdir, os.pardir):
        return os.path.realpath(filename)
    path = os.path.join(_real_folder(folder), name)
    return os.path.realpath(path) if os.path.islink(path) else path


@cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


@cache
def _stdlib() -> str:
    return os.path.realpath(sysconfig.get_path("stdlib")) + os.sep
