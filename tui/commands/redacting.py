"""`crosslane redact`: a trace that can be handed on, in which every private value is a stand-in."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.console import Console
from rich.text import Text

from ..safe_text import safe
from .declared import Argument, Option

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...replay.trace.redact_file import Redacted


def redact(
    trace: Annotated[Path, Argument(help="A trace file (JSON lines).", show_default=False)],
    output: Annotated[Path, Option(names=("-o", "--output"), help="Where to write the redacted trace.")],
    redact: Annotated[
        list[str] | None,
        Option(help="header:NAME, json:$.user.email, pattern:REGEX or kind:email|phone|card|iban; repeatable."),
    ] = None,
    no_defaults: Annotated[
        bool, Option(names=("--no-defaults",), help="Only what --redact names, no credentials by default.")
    ] = False,
    keep_map: Annotated[
        Path | None, Option(help="Write which stand-in is which value; keep this file to yourself.")
    ] = None,
) -> None:
    """Replace private values by stand-ins: one value has one stand-in everywhere, so that crossings stay visible."""
    from ...replay.errors import RedactionError
    from ...replay.trace.redact_file import redact_file
    from ...replay.trace.redaction_key import redaction_key
    from ...replay.trace.redaction_rules import rules_of

    rules = rules_of(redact or (), not no_defaults)
    if keep_map is not None and keep_map.absolute() in (output.absolute(), trace.absolute()):
        raise RedactionError("is the trace", str(keep_map), "keep the map in a file of its own")
    result = redact_file(trace, output, redaction_key(), rules)
    if keep_map is not None:
        _keep(keep_map, result)
    _tell(result, output)


def _keep(path: Path, result: Redacted) -> None:
    from ...replay.errors import RedactionError

    try:
        # A file that is there already may be readable by others; it must not stay so.
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump({stand_in: value for value, stand_in in result.values.items()}, file, indent=1)
    except OSError as error:
        raise RedactionError(f"cannot be written: {error.strerror}", str(path)) from None


def _tell(result: Redacted, output: Path) -> None:
    console = Console(stderr=True, highlight=False)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(result.counts.items(), key=lambda item: -item[1]))
    console.print(
        Text(f"wrote {safe(str(output))}: {result.events:,} events; replaced {counts or 'nothing'}"), soft_wrap=True
    )
    tell_unmet(console, result.unmet)
    left_out = [problem for problem in result.problems if problem.skipped]
    if left_out:
        first = left_out[0]
        console.print(
            Text(f"left out {len(left_out)} unusable lines (line {first.line}: {safe(first.message)})", "yellow"),
            soft_wrap=True,
        )


def tell_unmet(console: Console, rules: Iterable[str]) -> None:
    """A rule that matched nothing may be mistyped, and what it was to replace is still there."""
    for rule in rules:
        console.print(Text(f"warning: nothing matched --redact {safe(rule)}", "yellow"), soft_wrap=True)
