"""The user's own settings of the interface: `interface.toml` in the platform's folder for settings.

A wrong line never keeps the interface from opening: it is said, and the rest counts.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from .safe_text import safe

if TYPE_CHECKING:
    from pathlib import Path

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_THEME = re.compile(r"^[ \t]*theme[ \t]*=.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Preferences:
    """Attributes:
    theme: the name of a theme; empty for the interface's own.
    colour: False for shades of grey alone, whatever the theme.
    mouse: False leaves the mouse to the terminal.
    keys: for an action as the page of keys calls it, the keys that it has instead of its own, with commas between.
    problems: what could not be used, a line each.
    """

    theme: str = ""
    colour: bool = True
    mouse: bool = True
    keys: dict[str, str] = field(default_factory=dict[str, str])
    problems: tuple[str, ...] = ()


def preferences(file: Path) -> Preferences:
    """What the file says; without a file, what holds by default."""
    name = safe(str(file))
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Preferences()
    except OSError as error:
        return Preferences(problems=(f"{name} cannot be read: {error.strerror}",))
    except UnicodeDecodeError as error:
        return Preferences(problems=(f"{name} is no TOML: {safe(str(error))}",))
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Preferences(problems=(f"{name} is no TOML: {safe(str(error))}",))
    problems = [
        f"{name}: there is no setting {safe(key)!r}; there are theme, colour, mouse, and [keys]"
        for key in data
        if key not in ("theme", "colour", "mouse", "keys")
    ]

    def value(key: str, default: Any, kind: type, like: str) -> Any:
        found = data.get(key, default)
        if isinstance(found, kind):
            return found
        problems.append(f"{name}: {key} is to be written like {like}")
        return default

    keys = cast("dict[object, object]", value("keys", {}, dict, '[keys] with lines like replay = "R"'))
    chosen = {str(action): keys_ for action, keys_ in keys.items() if isinstance(keys_, str)}
    problems += [
        f'{name}: keys.{safe(str(action))} is to be written like "ctrl+k,K"' for action in keys if action not in chosen
    ]
    return Preferences(
        value("theme", "", str, '"crosslane-light"'),
        value("colour", True, bool, "true or false"),
        value("mouse", True, bool, "true or false"),
        chosen,
        tuple(problems),
    )


def remember_theme(theme: str, file: Path) -> None:
    """Write the theme into the file; everything else in it stays as it is.

    Raises:
        OSError: it cannot be written.
        UnicodeDecodeError: what is there is no text.
    """
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    table = _TABLE.search(text)
    head, rest = (text, "") if table is None else (text[: table.start()], text[table.start() :])
    line = f'theme = "{theme}"'
    head = _THEME.sub(lambda _: line, head, count=1) if _THEME.search(head) else f"{line}\n{head}"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Whoever reads it meanwhile, another of these programs, sees the old file or the new one.
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.write_text(head + rest, encoding="utf-8")
    new.replace(file)
