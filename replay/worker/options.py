"""Where the user's code runs: plain data, which costs a command line nothing to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """Where the user's code runs: the interpreter (None: the one that runs Crosslane), and the directory.

    `path` are folders that modules are looked for in beside those of the interpreter, before them."""

    python: str | None = None
    cwd: Path = field(default_factory=Path.cwd)
    path: tuple[str, ...] = ()
