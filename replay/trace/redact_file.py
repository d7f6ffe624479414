"""A trace file redacted into another: read once to learn every private value, once to replace each everywhere.

The second file appears whole or not at all. A body that stood beside the trace because of its size is taken into it.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from ..errors import RedactionError, TraceError
from . import blobs
from .events import parts, read_events
from .redaction import SCHEME, Redactor
from .stream_redaction import StreamRedactor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .model import Json, Problem
    from .redaction_rules import RedactionRules

MOST_VALUES = 1_000_000


@dataclass(frozen=True, slots=True)
class Redacted:
    """What was done: events written, replacements by kind, and each value with its stand-in (to be kept private).

    `unmet` are the user's rules that nothing in the trace matched.
    """

    events: int
    counts: dict[str, int]
    values: dict[str, str]
    problems: tuple[Problem, ...]
    unmet: tuple[str, ...] = ()


def redact_file(
    path: Path,
    out: Path,
    key: bytes,
    rules: RedactionRules,
    on_line: Callable[[int], None] | None = None,
) -> Redacted:
    """Write the redacted trace to `out`. `on_line` is told the length of every line read; all are read twice.

    Raises:
        TraceError: there is no trace at `path`.
        RedactionError: `out` is a file of the trace, cannot be written, or `path` was redacted with another key.
    """
    for part in parts(path):
        if out.exists() and part.exists() and os.path.samefile(out, part):
            raise RedactionError("is the trace itself", str(out), "write to another file")
    redactor = Redactor(key, rules, MOST_VALUES)
    problems: list[Problem] = []
    if sum(1 for _ in _rewritten(path, redactor, [], on_line)) == 0:
        raise TraceError("holds no usable line", str(path))
    redactor.counts.clear()
    written = 0
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
    except OSError as error:
        raise RedactionError(f"cannot be written: {error.strerror}", str(out)) from None
    try:
        with os.fdopen(descriptor, "wb") as raw, _writer(raw, out) as stream:
            for event in _rewritten(path, redactor, problems, on_line):
                stream.write(json.dumps(event).encode("ascii") + b"\n")
                written += 1
        Path(name).replace(out)
    except OSError as error:
        raise RedactionError(f"cannot be written: {error.strerror}", str(out)) from None
    finally:
        Path(name).unlink(missing_ok=True)
    values = {value: redactor.pseudonyms.stand_in(value, kind) for value, kind in redactor.pseudonyms.kinds.items()}
    return Redacted(written, dict(redactor.counts), values, tuple(problems), tuple(redactor.unmet))


def _writer(raw: IO[bytes], out: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(raw, "wb")) if out.suffix == ".gz" else raw


def _rewritten(
    path: Path, redactor: Redactor, problems: list[Problem], on_line: Callable[[int], None] | None
) -> Iterator[dict[str, Json]]:
    stream = StreamRedactor(redactor, None)
    first = True
    for _, event in read_events(path, problems, on_line):
        if event.get("k") == "header":
            if not first:
                continue  # of a later part, whose times are on the first one's clock by now
            _same_key(event, redactor, path)
        elif first:
            yield redactor.event({"k": "header", "v": 1})
        first = False
        yield from stream.events(_inlined(path, event))
    yield from stream.rest()


def _same_key(header: dict[str, Json], redactor: Redactor, path: Path) -> None:
    told: Json = header.get("redaction")
    if not isinstance(told, dict):
        return
    redaction = cast("dict[str, Json]", told)
    if redaction.get("scheme") == SCHEME and redaction.get("key_id") != redactor.key_id:
        raise RedactionError(
            "was redacted with another key, so its stand-ins cannot be matched", str(path), "redact the original"
        )


def _inlined(path: Path, event: dict[str, Json]) -> dict[str, Json]:
    inner: Json = event.get("body")
    place = cast("dict[str, Json]", inner) if isinstance(inner, dict) else event
    if not isinstance(place.get("ref"), str):
        return event
    try:
        found = blobs.read(path, str(place["ref"]))
    except ValueError:
        found = {}
    kept = {key: value for key, value in place.items() if key != "ref"} | found
    return {**event, "body": kept} if place is not event else kept
