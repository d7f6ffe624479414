"""The formats that a finding can be exported in, and those that a whole report can be printed in.

Each is a file of its own with one function from a finding to text. Adding one touches that file, this table and a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from ..errors import ExportError
from .html import html
from .junit import junit
from .mermaid import mermaid
from .pytest_file import pytest_file
from .sarif import sarif
from .script import script
from .svg import svg
from .text import text
from .trace_file import trace_file

if TYPE_CHECKING:
    from collections.abc import Callable

    from .findings import ExportSource


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        use: what to do with the file; `{file}` in it is its name.
        mark: what stands in the first megabyte of each export of this format, and hardly in anything else.
    """

    write: Callable[[ExportSource], str]
    suffixes: tuple[str, ...]
    use: str
    mark: str


FORMATS: dict[str, Format] = {
    "script": Format(script, (".py",), "run it with: python {file}", "# python THIS_FILE "),
    "pytest": Format(
        pytest_file,
        (),
        "put it among your tests; it fails until the bug is fixed",
        "# It needs pytest and the handler.",
    ),
    "html": Format(
        html,
        (".html", ".htm"),
        "open it in a browser, or attach it to the ticket",
        "default-src 'none'; style-src 'unsafe-inline'",
    ),
    "svg": Format(svg, (".svg",), "open it in a browser, or put it into a page", '<text class="bad" '),
    "mermaid": Format(
        mermaid, (".mmd", ".mermaid"), "paste it into an issue between ```mermaid and ```", "    participant L1 as "
    ),
    "text": Format(text, (".txt",), "paste it into a ticket", "\n  needs    "),
    "sarif": Format(sarif, (".sarif",), "upload it as a code-scanning result", "crosslane/contaminated"),
    "junit": Format(junit, (".xml",), "give it to your CI as a test report", '<testsuites name="crosslane"'),
    "trace": Format(
        trace_file, (".jsonl",), "check it with: crosslane check {file} HANDLER", '{"k": "header", "v": 1, "finding": "'
    ),
}


def format_named(name: str | None, file: str) -> Format:
    """The format of that name; without a name, the one that the file's ends in, else `script`.

    Raises:
        ExportError: there is no such format.
    """
    if name is None:
        return FORMATS[_by_file(file)]
    if name not in FORMATS:
        raise ExportError(f"no format {name[:20]!r}", remedy=f"known: {', '.join(FORMATS)}")
    return FORMATS[name]


def _by_file(file: str) -> str:
    path = PurePath(file)
    if path.suffix == ".py" and path.name.startswith("test_"):
        return "pytest"
    return next((name for name, known in FORMATS.items() if path.suffix in known.suffixes), "script")
