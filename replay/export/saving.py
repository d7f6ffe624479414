"""Writes an export to a file, and leaves what is no export as it is: a slip in the name must not cost a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ExportError

if TYPE_CHECKING:
    from pathlib import Path

    from .formats import Format

_HEAD_BYTES = 1_000_000


def save_export(path: Path, text: str, format_: Format) -> None:
    """Write it there, over an earlier export in the same format too, and over nothing else.

    Raises:
        ExportError: something else is there, or the file cannot be written.
    """
    try:
        before = _head(path)
        if before and before != text[:_HEAD_BYTES] and format_.mark not in before:
            raise ExportError(
                "is there already, and is no export of this format", str(path), "name another file, or remove it"
            )
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(f"cannot be written: {error.strerror}", str(path)) from None


def _head(path: Path) -> str:
    """The beginning of what is there; "" where there is nothing, or a device or pipe."""
    if not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        return stream.read(_HEAD_BYTES)
