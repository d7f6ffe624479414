"""The command line. Exit codes: 0 clean, 1 contaminated, 2 bad input or usage, 3 inconclusive."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any, cast

import typer

from ..replay.errors import CrosslaneError
from .commands.table import INTERFACE, Commands, function_of

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


def main() -> None:
    """Entry point: errors become one line and exit code 2, and a closed pipe is no error."""
    try:
        # Without its standalone mode, click returns the code of an Exit instead of raising it.
        status = 0 if _opened(sys.argv[1:]) else int(app(standalone_mode=False) or 0)
    except CrosslaneError as error:
        status = _fail(str(error))
    except typer.Abort:
        status = 130
    except BrokenPipeError:
        # Python would complain again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        # Usage errors of click, which typer carries along under changing names; anything else is ours and must be seen.
        if not hasattr(error, "format_message"):
            raise
        message = cast("Any", error).format_message()
        status = _fail(" ".join(message.split()) + "; see crosslane --help") if message else 2
    sys.exit(status)


def _opened(words: list[str]) -> bool:
    """Whether the line asked for the interface, in words that need no checking; it was open then."""
    if not words or words[0] not in INTERFACE or f"_{app.info.name}_complete".upper() in os.environ:
        return False
    from .commands.straight import arguments_of

    function = function_of(words[0])
    arguments = arguments_of(function, words[1:])
    if arguments is not None:
        function(**arguments)
    return arguments is not None


def _fail(line: str) -> int:
    from rich.console import Console
    from rich.text import Text

    from .safe_text import safe

    Console(stderr=True).print(Text(f"crosslane: {safe(line)}"), soft_wrap=True)
    return 2
