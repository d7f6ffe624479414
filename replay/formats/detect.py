"""The table of formats, and which of them a source is by its content: never by the name of its file.

The first that knows the source takes it, so the table runs from the most particular to `plain`, which takes anything
that is a list of records. A format is added by its one line here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import TraceError
from . import (
    access_log,
    gor,
    har,
    jaeger,
    langfuse,
    langsmith,
    mitm,
    openinference,
    otel_console,
    otlp,
    plain,
    vcr,
)
from .found import MOST_DIGITS, TOO_LONG

if TYPE_CHECKING:
    from .found import Format, Source

FORMATS: tuple[Format, ...] = (
    har.FORMAT,
    mitm.FORMAT,
    gor.FORMAT,
    vcr.FORMAT,
    otlp.FORMAT,
    openinference.FORMAT,
    langfuse.FORMAT,
    langsmith.FORMAT,
    jaeger.FORMAT,
    otel_console.FORMAT,
    access_log.FORMAT,
    plain.FORMAT,
)  # fmt: skip

_LONG_NUMBER = re.compile(rb"(?<![^\s:,\[-])\d{%d}" % (MOST_DIGITS + 1))
_NATIVE = re.compile(rb'\s*\{[^\n]{0,200}"k"\s*:\s*"header"')


def names() -> str:
    """The names for `--format`, for messages."""
    return ", ".join(format_.name for format_ in FORMATS)


def detect(source: Source) -> Format:
    """The format of a source.

    Raises:
        TraceError: none fits, or it is a trace already.
    """
    if _NATIVE.match(source.head):
        raise TraceError("is a Crosslane trace already", source.name, "open it as it is")
    for format_ in FORMATS:
        if format_.detects(source):
            return format_
    if _LONG_NUMBER.search(source.head):
        raise TraceError(TOO_LONG, source.name, "take that record out")
    raise TraceError("is in no format that is known", source.name, f"name one with --format: {names()}")


def format_named(name: str) -> Format:
    """A format of the table by its name.

    Raises:
        TraceError: there is none of that name.
    """
    for format_ in FORMATS:
        if format_.name == name:
            return format_
    raise TraceError(f"there is no format {name[:40]!r}", "--format", f"known: {names()}")
