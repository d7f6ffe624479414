"""Writing settings into a project's files without touching anything else in them: text, comments and order stay."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, cast

from .errors import SettingsError
from .settings import section_of

if TYPE_CHECKING:
    from pathlib import Path

_HEADER = "[tool.crosslane]"


def settings_place(folder: Path) -> Path:
    """The file that settings of a project go into."""
    own, project = folder / "crosslane.toml", folder / "pyproject.toml"
    return project if project.is_file() and not own.is_file() else own


def with_settings(file: Path, before: str, values: dict[str, str], force: bool = False) -> str:
    """The text of a settings file with these values in it.

    Args:
        before: its text; empty where there is no such file.
        force: whether values that are set already may be replaced.

    Raises:
        SettingsError: something is set already, or the file is written in a way that cannot be added to.
    """
    shared = file.name == "pyproject.toml"
    old = _parsed(before, file)
    if (section_of(old) if shared else old) and not force:
        raise SettingsError("has settings of Crosslane already", str(file), "edit them, or give --force")
    lines = before.splitlines(keepends=True)
    if shared:
        header = next((n for n, line in enumerate(lines) if line.split("#")[0].strip() == _HEADER), None)
        if header is None:
            gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
            after = f"{before}{gap}{_HEADER}\n{''.join(_line(*pair) for pair in values.items())}"
            return _proven(after, old, values, file)
        start = header + 1
    else:
        start = 0
    end = next((n for n, line in enumerate(lines[start:], start) if line.lstrip().startswith("[")), len(lines))
    if end and not lines[end - 1].endswith("\n"):
        lines[end - 1] += "\n"
    added: list[str] = []
    for key, value in values.items():
        place = next((n for n in range(start, end) if re.match(rf"\s*{key}\s*=", lines[n])), None)
        if place is None:
            added.append(_line(key, value))
        else:
            lines[place] = _line(key, value)
    while end > start and not lines[end - 1].strip():
        end -= 1
    after = "".join((*lines[:end], *added, *lines[end:]))
    return _proven(after, old, values, file)


def _line(key: str, value: str) -> str:
    # What JSON escapes, TOML escapes alike; the one character that only TOML forbids is no part of a name.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}\n"


def _parsed(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"is not TOML: {error}", str(file)) from None


def _proven(after: str, old: dict[str, Any], values: dict[str, str], file: Path) -> str:
    """The new text, if it says what it should and all else as before."""
    refused = SettingsError("is written in a way that cannot be added to", str(file), "add the settings by hand")
    try:
        new = tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        raise refused from None
    if file.name == "pyproject.toml":
        expected: dict[str, Any] = {**old}
        tool = old.get("tool", {})
        expected["tool"] = {**cast("dict[str, Any]", tool), "crosslane": {**section_of(old), **values}}
    else:
        expected = {**old, **values}
    if new != expected:
        raise refused
    return after
