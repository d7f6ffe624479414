"""What commands put out: results as text or JSON, documents as bytes of a known encoding, files."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console

from ...replay.errors import CrosslaneError

if TYPE_CHECKING:
    from pathlib import Path

    from ...replay.report import Result


def print_text(result: Result, kept: bool) -> None:
    from ..report_text import print_result

    console = Console(highlight=False)
    print_result(console, result, kept)


def print_json(data: dict[str, Any]) -> None:
    # ASCII, so that neither a lone surrogate nor a terminal escape of a trace gets out raw.
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def print_utf8(text: str) -> None:
    # Whatever the locale says: the formats name their encoding.
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.flush()


def write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CrosslaneError(f"cannot be written: {error.strerror}", str(path)) from None
