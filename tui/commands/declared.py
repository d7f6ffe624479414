"""What a command says about its options and arguments, as data beside its annotations.

Typer's own declarations bring all of Typer with them, which the interface would wait for before its first frame. So
the commands declare with these, and Typer is given its own where it is asked: for every line that is not plain.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, cast, get_args, get_origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A word that is told by its place."""

    help: str
    show_default: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A word after its name. Without names it has that of the parameter; `min` and `max` are for numbers."""

    names: tuple[str, ...] = ()
    help: str
    min: float | None = None
    max: float | None = None
    show_default: bool = True
    autocompletion: Callable[[str], list[str]] | None = None


def for_typer(command: Callable[..., None]) -> Callable[..., None]:
    """The command with declarations that are Typer's in its signature; it does what the command does."""

    @wraps(command)
    def called(**arguments: Any) -> None:
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    parameters = [each.replace(annotation=_of_typer(each.annotation)) for each in signature.parameters.values()]
    cast("Any", called).__signature__ = signature.replace(parameters=parameters)
    return called


def _of_typer(annotation: Any) -> Any:
    import typer

    if get_origin(annotation) is not Annotated:
        return annotation
    kind, said, *_ = get_args(annotation)
    if isinstance(said, Argument):
        return Annotated[kind, typer.Argument(help=said.help, show_default=said.show_default)]
    if isinstance(said, Option):
        option = typer.Option(
            *said.names,
            help=said.help,
            min=said.min,
            max=said.max,
            show_default=said.show_default,
            autocompletion=said.autocompletion,
        )
        return Annotated[kind, option]
    return annotation
