"""The program as Typer has it: checked values, help, completion, and what it says of a line that is wrong.

Nothing that a plain line needs imports this (see `straight`): Typer takes as long to import as a short check takes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from .declared import for_typer
from .table import COMMANDS, function_of


class _Imported(Mapping[str, Any]):
    """The commands by name, each made when it is looked up for the first time."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            alone.command(name)(for_typer(function_of(name)))
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


app = typer.Typer(
    name="crosslane",
    cls=Commands,
    help="Find where one user's data reached another: replay recorded requests under controlled concurrency.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    if show:
        from importlib.metadata import version as installed

        sys.stdout.write(f"crosslane {installed('crosslane')}\n")
        raise typer.Exit


def run() -> int:
    """The exit code of the command line that this process was started with."""
    try:
        # Without its standalone mode, click returns the code of an Exit instead of raising it.
        return int(app(standalone_mode=False) or 0)
    except typer.Abort:
        return 130
