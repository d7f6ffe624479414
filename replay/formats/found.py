"""What every importer is given and gives back: a source to read from, and one item for each record it met.

An importer is a generator of items. It never raises for one bad record: that is `Dropped`, with its place, and the
next record follows. It never holds the whole file.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, TypeAlias

from ..trace.identity import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from ..trace.model import Exchange, Json


MOST_DIGITS = sys.get_int_max_str_digits() or 4_300
"""A longer number Python does not read, since that would take quadratic time."""
TOO_LONG = f"holds a number of more than {MOST_DIGITS:,} digits"


@dataclass(frozen=True, slots=True)
class Found:
    """One exchange. Its times are Unix nanoseconds; its request has `claims`, `grade` and `source` set.

    Attributes:
        lossy: what the format did not keep or what had to be guessed, in a few words each (`no chunk times`).
        mapping: for plain records, which field of the trace was read from which of theirs.
    """

    exchange: Exchange
    lossy: tuple[str, ...] = ()
    mapping: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that could not be used: where it stood (`file:line` or `file#id`) and why."""

    source: str
    reason: str


Item: TypeAlias = Found | Dropped


@dataclass(frozen=True, slots=True)
class Source:
    """A file to import, already unpacked if it was compressed.

    Attributes:
        name: for messages and `Request.source`.
        path: a real file that may be opened more than once (standard input is spooled to one).
        head: its first bytes (at most 64 kB), without a byte order mark, for detection.
        opened: opens it again from its start; the caller closes it.
    """

    name: str
    path: Path
    head: bytes
    opened: Callable[[], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: whose request it is, and for plain logs which field means what.

    Attributes:
        rules: places to look at for session and user before the usual ones.
        mapping: field of a trace (`session`, `user`, `start`, `duration_ms`, `path`, `request`, `response`, …) to the
            dotted path or column of a plain record that holds it.
        fallback: what names the session where nothing else does: each `trace`, each `connection`, or each `request`.
        prompt_as: where in a body that was not recorded the user's prompt goes, see `prompts.place_of`; None leaves it.
    """

    rules: Rules = field(default_factory=Rules)
    mapping: Mapping[str, str] = field(default_factory=dict[str, str])
    fallback: str = "trace"
    prompt_as: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """A format in the table of `formats/detect.py`.

    Attributes:
        name: for `--format` and the summary, such as `har`.
        detects: whether a source is of this format, by its head alone.
        read: every record of it, in the order of the file.
    """

    name: str
    detects: Callable[[Source], bool]
    read: Callable[[Source, Reading], Iterator[Item]]


def keep_json(value: Json) -> Json:
    """A value that another format wrote as a JSON text (`"{\\"a\\": 1}"`), decoded; any other value as it is."""
    import json

    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
