"""Which commands there are, and where each stands. The module of a command is imported when the command is asked for.

Help and completion ask for all of them; a plain line waits for one, and not for Typer (see `straight`, `program`).
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

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


def function_of(name: str) -> Callable[..., None]:
    """What a command calls; its module is imported."""
    module, _, function = COMMANDS[name].partition(":")
    return getattr(import_module(f"{__package__}.{module}"), function)
