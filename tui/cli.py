"""The command line. Exit codes: 0 clean, 1 contaminated, 2 bad input or usage, 3 inconclusive."""

from __future__ import annotations

import os
import sys
from typing import Any, cast

from ..replay.errors import CrosslaneError
from .commands.table import COMMANDS, function_of

_COMPLETION = "_CROSSLANE_COMPLETE"
"""Set by a shell that asks what could follow; Typer answers."""


def main() -> None:
    """Entry point: errors become one line and exit code 2, and a closed pipe ends it without a word."""
    try:
        status = 0 if _done_straight(sys.argv[1:]) else _program()
    except CrosslaneError as error:
        status = _fail(str(error))
    except BrokenPipeError:
        # Python would complain again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1  # what was to be said was not: that is no pass
    except KeyboardInterrupt:
        status = 130
    except Exception as error:
        # Usage errors of click, which typer carries along under changing names; anything else is ours and must be seen.
        if not hasattr(error, "format_message"):
            raise
        message = cast("Any", error).format_message()
        status = _fail(" ".join(message.split()) + "; see crosslane --help") if message else 2
    sys.exit(status)


def _done_straight(words: list[str]) -> bool:
    """Whether the line was a command in words that need no checking; it was done then."""
    if not words or words[0] not in COMMANDS or _COMPLETION in os.environ:
        return False
    from .commands.straight import arguments_of

    function = function_of(words[0])
    arguments = arguments_of(function, words[1:])
    if arguments is not None:
        function(**arguments)
    return arguments is not None


def _program() -> int:
    from .commands.program import run

    return run()


def _fail(line: str) -> int:
    from rich.console import Console
    from rich.text import Text

    from .safe_text import safe

    Console(stderr=True).print(Text(f"crosslane: {safe(line)}"), soft_wrap=True)
    return 2
