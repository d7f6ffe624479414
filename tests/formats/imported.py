"""An import from text to loaded trace, as the command does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from crosslane.replay.formats.found import Reading
from crosslane.replay.formats.importing import Summary, import_files
from crosslane.replay.formats.source import sources
from crosslane.replay.trace.model import Trace
from crosslane.replay.trace.store import load


def imported(folder: Path, *files: bytes | str, names: tuple[str, ...] = (), **options: Any) -> tuple[Summary, Trace]:
    """Import the contents as files of a folder; the trace must load without a problem."""
    paths: list[str] = []
    for number, text in enumerate(files):
        path = folder / (names[number] if names else f"in{number}")
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        paths.append(str(path))
    format_name = options.pop("format_name", None)
    stopped = options.pop("stopped", lambda: False)
    target = folder / "out.jsonl"
    with sources(paths) as opened:
        summary = import_files(opened, target, Reading(**options), format_name, stopped)
    trace = load(target)
    assert trace.problems == ()
    assert trace.closed
    return summary, trace
