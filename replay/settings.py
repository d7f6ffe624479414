"""A project's settings: `crosslane.toml`, or `[tool.crosslane]` in pyproject.toml. The command line wins over both."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from .allow import Allow
from .errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_KEYS = ("boundary", "upstream_calls", "upstream", "upstream_allow", "allow")
_RULE_KEYS = ("lanes", "carrier", "sink", "reason")


@dataclass(frozen=True, slots=True)
class Settings:
    """What was set. `boundary` is None where it was not."""

    boundary: str | None = None
    upstream_calls: tuple[str, ...] = ()
    allow: tuple[Allow, ...] = ()
    upstream: str = ""
    upstream_allow: tuple[str, ...] = ()


def load_settings(folder: Path, file: Path | None) -> Settings:
    """The settings in `file`, else those of the nearest folder from `folder` upwards that has any.

    Raises:
        SettingsError: a file cannot be read, or has something in it that is no setting.
    """
    if file is not None:
        table = _read(file)
        return _settings(_section(table) if file.name == "pyproject.toml" else table, file)
    for place in (folder, *folder.parents):
        own, project = place / "crosslane.toml", place / "pyproject.toml"
        if own.is_file():
            return _settings(_read(own), own)
        if project.is_file() and (section := _section(_read(project))):
            return _settings(section, project)
    return Settings()


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", str(file)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"is not TOML: {error}", str(file)) from None


def _section(table: dict[str, Any]) -> dict[str, Any]:
    tool = table.get("tool", {})
    section: Any = cast("dict[str, Any]", tool).get("crosslane", {}) if isinstance(tool, dict) else {}
    return cast("dict[str, Any]", section) if isinstance(section, dict) else {}


def _settings(table: dict[str, Any], file: Path) -> Settings:
    _known(table, _KEYS, str(file))
    boundary = table.get("boundary")
    if boundary is not None and not isinstance(boundary, str):
        raise SettingsError("boundary must be a string", str(file))
    rules = table.get("allow", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in cast("list[Any]", rules)):
        raise SettingsError("allow must be a list of tables: [[allow]] or [[tool.crosslane.allow]]", str(file))
    calls = _strings(table.get("upstream_calls", []), "upstream_calls", str(file))
    allowed = _strings(table.get("upstream_allow", []), "upstream_allow", str(file))
    upstream = table.get("upstream", "")
    if not isinstance(upstream, str):
        raise SettingsError("upstream must be a string: recorded, echo, pass or FILE.py:function", str(file))
    numbered = enumerate(cast("list[dict[str, Any]]", rules), 1)
    allow = tuple(_rule(rule, f"{file}: allow rule {number}") for number, rule in numbered)
    return Settings(boundary, calls, allow, upstream, allowed)


def _rule(rule: dict[str, Any], where: str) -> Allow:
    _known(rule, _RULE_KEYS, where)
    if not any(rule.get(key) for key in ("lanes", "carrier", "sink")):
        raise SettingsError("allows everything: it names no lanes, carrier or sink", where, "narrow it")
    lanes = rule.get("lanes", [])
    texts = {key: rule.get(key, "") for key in ("carrier", "sink", "reason")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise SettingsError(f"{key} must be a string", where)
    return Allow(() if lanes == "*" else _strings(lanes, "lanes", where), **texts)


def _strings(value: Any, name: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise SettingsError(f"{name} must be a list of strings", where)
    return tuple(cast("list[str]", value))


def _known(table: dict[str, Any], keys: tuple[str, ...], where: str) -> None:
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise SettingsError(f"unknown setting {unknown[0]!r}", where, f"known: {', '.join(keys)}")
