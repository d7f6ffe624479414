"""What was worked on last: traces with their handlers, and the findings that were kept.

A small JSON file of ours and the folder of findings. Either may be missing, half written or of another version: what
cannot be read is left out, since it is a convenience and nobody's data.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from ..replay.errors import CrosslaneError
from ..replay.export.findings import ExportSource, load_finding

if TYPE_CHECKING:
    from pathlib import Path

KEPT = 20
_LARGEST = 1_000_000


@dataclass(frozen=True, slots=True)
class Work:
    """A trace that was opened on a handler. `cwd` is the directory that `handler` is relative to; `at` is Unix time."""

    trace: str
    handler: str
    cwd: str
    kind: str | None = None
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class KeptFinding:
    """A finding with the Unix time at which it was last seen."""

    source: ExportSource
    at: float


def recent_work(folder: Path) -> list[Work]:
    """The work in `folder`, the last first."""
    found: list[Work] = []
    for item in _items(folder / "recent.json"):
        trace, handler, cwd = (item.get(key) for key in ("trace", "handler", "cwd"))
        kind, at = item.get("kind"), item.get("at")
        if isinstance(trace, str) and isinstance(handler, str) and isinstance(cwd, str) and isinstance(at, float):
            found.append(Work(trace, handler, cwd, kind if isinstance(kind, str) else None, at))
    return found[:KEPT]


def remember(work: Work, folder: Path) -> None:
    """Put `work` in front of what is kept. A folder that cannot be written is no reason to fail."""
    same = (work.trace, work.handler, work.cwd)
    others = [other for other in recent_work(folder) if (other.trace, other.handler, other.cwd) != same]
    draft = folder / f".recent.{os.getpid()}"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump([asdict(each) for each in (work, *others)[:KEPT]], stream)
        draft.replace(folder / "recent.json")


def recent_findings(folder: Path, most: int = 8) -> list[KeptFinding]:
    """The findings in `folder` that were seen last, the last first."""
    found: list[KeptFinding] = []
    with contextlib.suppress(OSError):
        files = sorted(((file.stat().st_mtime, file) for file in folder.glob("*.json")), reverse=True)
        for at, file in files:
            if len(found) == most:
                break
            with contextlib.suppress(CrosslaneError):
                found.append(KeptFinding(load_finding(str(file), folder, folder), at))
    return found


def ago(at: float, now: float | None = None) -> str:
    """How long ago `at` was, in one unit."""
    seconds = max(0.0, (time.time() if now is None else now) - at)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return "just now"


def _items(file: Path) -> list[dict[str, Any]]:
    try:
        if file.stat().st_size > _LARGEST:
            return []
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return []
    items = cast("list[Any]", data) if isinstance(data, list) else []
    return [cast("dict[str, Any]", item) for item in items if isinstance(item, dict)]
