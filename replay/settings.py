"""A project's settings: `crosslane.toml`, or `[tool.crosslane]` in pyproject.toml. The command line wins over both."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from .errors import CrosslaneError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .allow import Allow

IDENTITIES = ("recorded", "fresh")
_TEXTS = ("handler", "trace", "boundary", "identity", "budget", "upstream", "baseline")
_KEYS = (*_TEXTS, "upstream_calls", "upstream_allow", "allow")
_MEANT = {"upstream": ": recorded, echo, pass or FILE.py:function", "budget": ': "30s", or "5000x" executions'}
_RULE_KEYS = ("lanes", "carrier", "sink", "reason")


@dataclass(frozen=True, slots=True)
class Settings:
    """What was set; None where it was not.

    Attributes:
        handler, trace: what `check` takes where it is given none. `trace` and `baseline` are paths, and `handler` is
            loaded from `folder`, where the settings stand.
        boundary, upstream, upstream_calls, upstream_allow, allow: see `Job`.
        identity: `recorded` or `fresh`, for running services.
        budget: as people write it.
    """

    boundary: str | None = None
    upstream_calls: tuple[str, ...] = ()
    allow: tuple[Allow, ...] = ()
    upstream: str = ""
    upstream_allow: tuple[str, ...] = ()
    handler: str | None = None
    trace: Path | None = None
    identity: str | None = None
    budget: str | None = None
    baseline: Path | None = None
    folder: Path | None = field(default=None, compare=False)

    def overridden(
        self,
        boundary: str | None = None,
        upstream_calls: Iterable[str] | None = None,
        upstream: str | None = None,
        upstream_allow: Iterable[str] | None = None,
    ) -> Settings:
        """These settings with what was said for this one time in their place."""
        return replace(
            self,
            boundary=boundary or self.boundary,
            upstream_calls=tuple(upstream_calls or ()) or self.upstream_calls,
            upstream=upstream or self.upstream,
            upstream_allow=tuple(upstream_allow or ()) or self.upstream_allow,
        )


def load_settings(folder: Path, file: Path | None) -> Settings:
    """The settings in `file`, else those of the nearest folder from `folder` upwards that has any.

    Raises:
        SettingsError: a file cannot be read, or has something in it that is no setting.
    """
    if file is not None:
        table = _read(file)
        return _settings(section_of(table) if file.name == "pyproject.toml" else table, file)
    for place in (folder, *folder.parents):
        own, project = place / "crosslane.toml", place / "pyproject.toml"
        if own.is_file():
            return _settings(_read(own), own)
        if project.is_file() and (section := section_of(_read(project))):
            return _settings(section, project)
    return Settings()


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", str(file)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"is not TOML: {error}", str(file)) from None


def section_of(table: dict[str, Any]) -> dict[str, Any]:
    """`[tool.crosslane]` of a pyproject.toml; empty where there is none."""
    tool = table.get("tool", {})
    section: Any = cast("dict[str, Any]", tool).get("crosslane", {}) if isinstance(tool, dict) else {}
    return cast("dict[str, Any]", section) if isinstance(section, dict) else {}


def _settings(table: dict[str, Any], file: Path) -> Settings:
    _known(table, _KEYS, str(file))
    texts = {key: _text(table, key, str(file)) for key in _TEXTS}
    rules = table.get("allow", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in cast("list[Any]", rules)):
        raise SettingsError("allow must be a list of tables: [[allow]] or [[tool.crosslane.allow]]", str(file))
    calls = _strings(table.get("upstream_calls", []), "upstream_calls", str(file))
    allowed = _strings(table.get("upstream_allow", []), "upstream_allow", str(file))
    if texts["identity"] not in (None, *IDENTITIES):
        raise SettingsError(f"unknown identity {texts['identity']!r}", str(file), f"known: {', '.join(IDENTITIES)}")
    if texts["budget"] is not None:
        from .budget import budget_of

        try:
            budget_of(texts["budget"])
        except CrosslaneError as error:
            raise SettingsError(error.what, str(file), error.remedy) from None
    numbered = enumerate(cast("list[dict[str, Any]]", rules), 1)
    allow = tuple(_rule(rule, f"{file}: allow rule {number}") for number, rule in numbered)
    folder = file.absolute().parent
    return Settings(
        texts["boundary"],
        calls,
        allow,
        texts["upstream"] or "",
        allowed,
        texts["handler"],
        folder / texts["trace"] if texts["trace"] else None,
        texts["identity"],
        texts["budget"],
        folder / texts["baseline"] if texts["baseline"] else None,
        folder,
    )


def _text(table: dict[str, Any], key: str, where: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise SettingsError(f"{key} must be a string{_MEANT.get(key, '')}", where)
    return value


def _rule(rule: dict[str, Any], where: str) -> Allow:
    _known(rule, _RULE_KEYS, where)
    if not any(rule.get(key) for key in ("lanes", "carrier", "sink")):
        raise SettingsError("allows everything: it names no lanes, carrier or sink", where, "narrow it")
    lanes = rule.get("lanes", [])
    texts = {key: rule.get(key, "") for key in ("carrier", "sink", "reason")}
    for key, value in texts.items():
        if not isinstance(value, str):
            raise SettingsError(f"{key} must be a string", where)
    from .allow import Allow

    return Allow(() if lanes == "*" else _strings(lanes, "lanes", where), **texts)


def _strings(value: Any, name: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in cast("list[Any]", value)):
        raise SettingsError(f"{name} must be a list of strings", where)
    return tuple(cast("list[str]", value))


def _known(table: dict[str, Any], keys: tuple[str, ...], where: str) -> None:
    unknown = [key for key in table if key not in keys]
    if unknown:
        raise SettingsError(f"unknown setting {unknown[0]!r}", where, f"known: {', '.join(keys)}")
