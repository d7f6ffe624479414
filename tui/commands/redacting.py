"""`crosslane redact`: an existing trace with its secrets replaced, so that it can be given away."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from ...replay.errors import CrosslaneError
from ..safe_text import safe
from .progress import reading


def redact(
    trace: Annotated[Path, typer.Argument(help="A trace file.", show_default=False)],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write; never the trace itself.")],
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--redact", help="Replace this too: header:NAME, query:NAME, json:$.user.email, pattern:REGEX, kind:email"
        ),
    ] = None,
    no_defaults: Annotated[
        bool, typer.Option("--no-defaults", help="Only what --redact names, not credentials and tokens.")
    ] = False,
    keep_map: Annotated[
        Path | None, typer.Option(help="Keep what each stand-in stands for, in a file for you alone.")
    ] = None,
) -> None:
    """Replace secrets by keyed stand-ins: the same value becomes the same one everywhere, so crossings stay visible."""
    from ...replay.trace.redact_file import redact_file
    from ...replay.trace.redaction import Redactor, Rules
    from ...replay.trace.redaction_key import redaction_key

    redactor = Redactor(redaction_key(), Rules.of(rule or (), not no_defaults))
    console = Console(stderr=True)
    with reading(console) as progress:
        done = redact_file(trace, output, redactor, progress)
    if keep_map is not None:
        _keep(keep_map, redactor.stand_ins)
    for problem in done.problems[:10]:
        console.print(Text(f"left out, line {problem.line}: {safe(problem.message)}", "yellow"), soft_wrap=True)
    kinds = ", ".join(f"{count} {safe(kind)}" for kind, count in redactor.counts.most_common()) or "nothing"
    console.print(
        Text(f"wrote {safe(str(output))}: {done.events} events; replaced {kinds}; {len(redactor.stand_ins)} values"),
        soft_wrap=True,
    )


def _keep(path: Path, stand_ins: dict[str, str]) -> None:
    text = json.dumps({stand_in: value for value, stand_in in stand_ins.items()}, indent=1)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
            out.write(text + "\n")
    except OSError as error:
        raise CrosslaneError(f"cannot be written: {error.strerror}", str(path)) from None
