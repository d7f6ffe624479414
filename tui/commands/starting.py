"""`crosslane init`: settings for a project, after a look at its source. Nothing of the project is run."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.text import Text

from ...replay.budget import DEFAULT_BUDGET
from ...replay.errors import CrosslaneError, HandlerError
from ...replay.handler.discover import Candidate, Looked, candidates_in
from ...replay.service.options import is_service
from ...replay.settings_file import settings_place, with_settings
from ..safe_text import safe
from . import printing
from .declared import Option

if TYPE_CHECKING:
    from collections.abc import Generator

_MOST_TRACES = 200
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def init(
    handler: Annotated[str | None, Option(help="The handler, where several could be meant or none is found.")] = None,
    trace: Annotated[Path | None, Option(help="The trace to check with.")] = None,
    yes: Annotated[bool, Option(names=("--yes",), help="Ask nothing.")] = False,
    force: Annotated[bool, Option(names=("--force",), help="Replace settings that are there.")] = False,
    print_: Annotated[bool, Option(names=("--print",), help="Print what would be written, and write nothing.")] = False,
) -> None:
    """Set the project up: find its application, and write pyproject.toml or crosslane.toml."""
    folder = Path.cwd()
    asking = not yes and sys.stdin.isatty() and sys.stdout.isatty()
    chosen = _named(handler, folder) if handler is not None else _chosen(candidates_in(folder), asking)
    traces = [trace] if trace is not None else _traces_in(folder)
    trace = traces[0] if len(traces) == 1 else None
    if trace is not None and not trace.is_file():
        raise CrosslaneError("no such file", str(trace), "record one with crosslane record, or import one")
    values = {"handler": chosen.spec, "boundary": "user", "budget": DEFAULT_BUDGET}
    if trace is not None:
        values["trace"] = _relative(trace, folder)
    file = settings_place(folder)
    before = _read(file)
    after = with_settings(file, before, values, force)
    if print_:
        printing.print_utf8(after)
        return
    console = Console(stderr=True, highlight=False)
    console.print(Text(f"handler {safe(chosen.spec)}: {safe(chosen.what)}, {safe(chosen.at)}"), soft_wrap=True)
    if asking and not _confirmed(f"Write {file.name}?"):
        raise SystemExit(2)
    printing.write(file, after)
    if trace is not None:
        then = "run: crosslane check"
    elif traces:
        named = ", ".join(_relative(each, folder) for each in traces[:6])
        more = f" and {len(traces) - 6} more" if len(traces) > 6 else ""
        then = f"several traces are here ({named}{more}): set one as trace, or run: crosslane check TRACE"
    else:
        then = "record a trace with crosslane record, import one, or write one; then: crosslane check TRACE"
    console.print(Text(f"wrote {safe(str(file))}; {safe(then)}"), soft_wrap=True)


def _named(handler: str, folder: Path) -> Candidate:
    from ...replay.handler.load import locate

    if is_service(handler):
        return Candidate(handler, "running service", "as given")
    locate(handler, str(folder))
    return Candidate(handler, "as given", "--handler")


def _chosen(looked: Looked, asking: bool) -> Candidate:
    found = looked.candidates
    if not found:
        unread = f"; left out, for it is no Python {_PYTHON}: {', '.join(looked.unread[:6])}" if looked.unread else ""
        raise HandlerError(
            "no FastAPI, Starlette, aiohttp, Flask or Django application is found here, and no function that takes a "
            f"user and a message{unread}",
            remedy="name the handler with --handler file.py:attribute",
        )
    if len(found) == 1:
        return found[0]
    if not asking:
        listed = ", ".join(f"{candidate.spec} ({candidate.what})" for candidate in found[:12])
        more = f" and {len(found) - 12} more" if len(found) > 12 else ""
        raise HandlerError(f"several could be the handler: {listed}{more}", remedy="choose one with --handler")
    console = Console(stderr=True, highlight=False)
    for number, candidate in enumerate(found, 1):
        console.print(Text(f"{number:>3}  {safe(candidate.spec)}  {safe(candidate.what)}"), soft_wrap=True)
    answer = _number("Which one is the handler?")
    if not 1 <= answer <= len(found):
        raise HandlerError(f"there is no number {answer}", remedy=f"choose 1 to {len(found)}")
    return found[answer - 1]


def _confirmed(question: str) -> bool:
    import typer

    with _interrupts():
        return typer.confirm(question, default=True, err=True)


def _number(question: str) -> int:
    import typer

    with _interrupts():
        return typer.prompt(question, default=1, type=int, err=True)


@contextlib.contextmanager
def _interrupts() -> Generator[None]:
    """A question that is left unanswered, with ctrl-c or the end of the input, ends the command as ctrl-c does."""
    import typer

    try:
        yield
    except typer.Abort:
        raise KeyboardInterrupt from None


def _traces_in(folder: Path) -> list[Path]:
    """The traces of the project: in its folder, or in one below."""
    files = [file for pattern in ("*.jsonl", "*/*.jsonl") for file in sorted(folder.glob(pattern))]
    return [file for file in files[:_MOST_TRACES] if _is_trace(file)]


def _is_trace(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            first = json.loads(stream.readline(65_536))
    except (OSError, ValueError, RecursionError):
        return False
    if not isinstance(first, dict):
        return False
    of_somebody = "user" in first or "session" in first
    return "k" in first or (of_somebody and ("message" in first or "request" in first))


def _relative(file: Path, folder: Path) -> str:
    full = file.absolute()
    return full.relative_to(folder).as_posix() if full.is_relative_to(folder) else str(full)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8") if file.is_file() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CrosslaneError(f"cannot be read: {error}", str(file)) from None
