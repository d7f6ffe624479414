"""`crosslane import`: recorded traffic in any known format becomes a trace, with a word on everything that was lost."""

from __future__ import annotations

import json
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from rich.console import Console
from rich.text import Text

from ..safe_text import safe
from .declared import Argument, Option
from .redacting import tell_unmet

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from ...replay.formats.importing import FileSummary, Summary

_MOST_SHOWN = 5

OutputOption = Annotated[Path, Option(names=("-o", "--output"), help="The trace to write.", show_default=False)]
MappingOption = Annotated[Path | None, Option(help="A TOML file of such pairs.")]


def import_(
    files: Annotated[list[str], Argument(help="Files or patterns; - for standard input.", show_default=False)],
    output: OutputOption,
    format: Annotated[str | None, Option(help="The format; default: told by content.")] = None,  # noqa: A002
    session: Annotated[
        list[str] | None, Option(help="A place that names the session, such as header:x-chat; repeatable.")
    ] = None,
    user: Annotated[
        list[str] | None, Option(help="A place that names the user, such as body:meta.user; repeatable.")
    ] = None,
    map: Annotated[  # noqa: A002
        list[str] | None, Option(help="field=path: where a plain log has a field; repeatable.")
    ] = None,
    mapping: MappingOption = None,
    fallback: Annotated[
        Literal["trace", "connection", "request"],
        Option(help="What is a session where nothing names one: each trace, connection, or request."),
    ] = "trace",
    prompt_as: Annotated[
        str | None,
        Option(
            help="Where bodies were not recorded but prompts were, make a body of what the user said: message, or "
            "json:message for an application."
        ),
    ] = None,
    redact: Annotated[
        list[str] | None,
        Option(help="Replace this too: header:NAME, json:$.user.email, pattern:REGEX, kind:email; repeatable."),
    ] = None,
    no_redact: Annotated[bool, Option(names=("--no-redact",), help="Keep credentials as they are.")] = False,
    json_: Annotated[bool, Option(names=("--json",), help="Print the summary as JSON.")] = False,
) -> None:
    """Read recorded traffic in any known format, told by its content, and write it as a trace."""
    from ...replay.formats.found import Reading
    from ...replay.formats.importing import import_files
    from ...replay.formats.mapping import mapping_of
    from ...replay.formats.prompts import place_of
    from ...replay.formats.source import sources
    from ...replay.trace.identity import Rules
    from ...replay.trace.redaction import Redactor
    from ...replay.trace.redaction_key import redaction_key
    from ...replay.trace.redaction_rules import rules_of

    console = Console(stderr=True, highlight=False)
    rules = Rules(tuple(session or ()), tuple(user or ()))
    reading = Reading(
        rules, mapping_of(map or (), mapping), fallback, None if prompt_as is None else place_of(prompt_as)
    )
    redactor = None if no_redact else Redactor(redaction_key(), rules_of(redact or ()))
    with _progress(console) as watch, sources(files, watch) as opened, _interruptible() as stopped:
        summary = import_files(opened, output, reading, format, stopped, redactor)
    if json_:
        sys.stdout.write(json.dumps(summary.to_json(), indent=2) + "\n")
    for line in _lines(summary):
        console.print(line, soft_wrap=True)
    if redactor is not None:
        tell_unmet(console, redactor.unmet)
    if summary.interrupted:
        raise SystemExit(130)


def _lines(summary: Summary) -> Iterator[Text]:
    """The summary, a line each."""
    for file in summary.files:
        yield from _file_lines(file)
    for role, of in summary.places.items():
        unverified = {place: " (unverified)" if place.startswith("jwt:") else "" for place in of}
        shown = ", ".join(f"{safe(place, 60)}{unverified[place]} {n}" for place, n in of.items())
        yield Text(f"{role} named by: {shown}")
    if summary.disagreements:
        one = summary.disagreements == 1
        yield Text(
            f"{summary.disagreements} request{'' if one else 's'} name{'s' if one else ''} two sessions or users "
            "in different places; crosslane audit tells which",
            "yellow",
        )
    for line in summary.shared:
        yield Text(safe(line), "yellow")
    stopped = "stopped early; what was read is kept: " if summary.interrupted else ""
    yield Text(
        f"{stopped}wrote {safe(summary.trace)}: {_count(summary.requests, 'request')}, "
        f"{_count(summary.sessions, 'session')}, {_count(summary.users, 'user')}",
        "bold",
    )


def _file_lines(file: FileSummary) -> Iterator[Text]:
    grades = ", ".join(f"{n} {grade}" for grade, n in file.grades.items()) or "nothing usable"
    duplicates = f", {file.duplicates} met before" if file.duplicates else ""
    yield Text(f"{safe(file.name)}: {file.format}: {grades}{duplicates}")
    if file.mapping:
        yield Text("  read " + ", ".join(f"{field} from {safe(place, 60)}" for field, place in file.mapping), "dim")
    for note, times in file.lossy.most_common():
        yield Text(f"  {times} × {safe(note, 120)}", "yellow")
    for dropped in file.dropped[:_MOST_SHOWN]:
        yield Text(f"  {safe(dropped.source, 120)}: {safe(dropped.reason, 200)}", "yellow")
    if file.dropped_total > _MOST_SHOWN:
        yield Text(f"  and {file.dropped_total - _MOST_SHOWN} more records that could not be used", "yellow")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def _progress(console: Console) -> Generator[Callable[[str, int, int], None] | None]:
    """A bar by bytes of the file that is being read; nothing where no one looks at a terminal."""
    if not console.is_terminal:
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def watch(name: str, position: int, size: int) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(safe(name, 40), total=size)
            progress.update(tasks[name], completed=position)

        yield watch


@contextmanager
def _interruptible() -> Generator[Callable[[], bool]]:
    """Whether ctrl-c was pressed; a second one ends at once."""
    pressed: list[int] = []

    def press(number: int, _: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
