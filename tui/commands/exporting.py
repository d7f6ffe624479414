"""`crosslane export`: a finding as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from rich.console import Console
from rich.text import Text

from ..folders import findings_folder
from ..safe_text import safe
from . import printing
from .declared import Argument, Option


def formats_for_shells(incomplete: str) -> list[str]:
    """What completes `--as`."""
    from ...replay.export.formats import FORMATS

    return [name for name in FORMATS if name.startswith(incomplete)]


def export(
    finding: Annotated[str, Argument(help="report.json, report.json#ID, or the id of a finding.")],
    output: Annotated[Path, Option(names=("-o", "--output"), help="Where to write; - for standard output.")],
    as_: Annotated[
        str | None,
        Option(
            names=("--as",),
            help="script, pytest, html, svg, mermaid, text, sarif, junit or trace; default: by the ending.",
            autocompletion=formats_for_shells,
        ),
    ] = None,
) -> None:
    """Write a finding as a file: a repro to run, a page or picture to show, results for CI, or its smallest trace."""
    from ...replay.export.findings import load_finding
    from ...replay.export.formats import format_named
    from ...replay.export.saving import save_export

    chosen = format_named(as_, str(output))
    text = chosen.write(load_finding(finding, findings_folder(), Path.cwd()))
    if str(output) == "-":
        printing.print_utf8(text)
        return
    save_export(output, text, chosen)
    name = safe(str(output))
    Console(stderr=True).print(Text(f"wrote {name}; {chosen.use.replace('{file}', name)}"), soft_wrap=True)
