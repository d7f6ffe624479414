"""Which source files are the user's own, and how they are shown."""

from __future__ import annotations

import os
import sysconfig
from dataclasses import dataclass, field

_OURS = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
_LIBRARY_FOLDERS = ("site-packages", "dist-packages", "node_modules", ".tox", ".nox")


@dataclass(slots=True)
class UserFiles:
    """Files below `roots`, but for installed libraries and the interpreter's own.

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
        path = os.path.realpath(filename)
        if path.startswith(_OURS + os.sep):
            return False
        for root in self.roots:
            relative = os.path.relpath(path, root)
            if relative.startswith(os.pardir) or any(part in _LIBRARY_FOLDERS for part in relative.split(os.sep)):
                continue
            stdlib = os.path.realpath(sysconfig.get_path("stdlib"))
            if path.startswith(stdlib + os.sep) and not root.startswith(stdlib + os.sep):
                continue
            return True
        return False

    def shown(self, filename: str) -> str:
        """Relative to the working directory when inside it, else as it is."""
        path = os.path.realpath(filename)
        relative = os.path.relpath(path, self.cwd)
        return path if relative.startswith(os.pardir) else relative

    def at(self, filename: str, line: int) -> str:
        return f"{self.shown(filename)}:{line}"
