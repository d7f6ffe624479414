"""Which commands there are, and where each stands. The module of a command is imported when the command is asked for.

Help and completion ask for all of them; who opens the interface waits for one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

COMMANDS = {
    "demo": "opening:demo",
    "open": "opening:open_",
    "check": "checking:check",
    "replay": "replaying:replay",
    "init": "starting:init",
    "doctor": "doctor:doctor",
    "export": "exporting:export",
    "record": "recording:record",
    "audit": "auditing:audit",
    "redact": "redacting:redact",
    "import": "importing:import_",
    "slice": "slicing:slice_",
}


INTERFACE = ("open", "demo")
"""What people wait for with a screen before their eyes."""


def function_of(name: str) -> Callable[..., None]:
    """What a command calls; its module is imported."""
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(f"{__package__}.{module}"), function)


class _Imported(Mapping[str, Any]):
    """The commands by name, each made when it is looked up for the first time."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(name)(function_of(name))
            self._made[name] = get_command(alone)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Commands(TyperGroup):
    """The program: a group whose commands are those of the table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands: Any = _Imported()
