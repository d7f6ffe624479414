"""The lines of a trace file, one at a time: for what must read more than fits into memory, and for `store.load`.

A recording may be several files: a service's worker processes write `name.part-PID-N.jsonl` beside each other, and
closed parts are compressed. They are read as one trace, on the first file's clock. `.gz` and `.zst` are told by their
first bytes. Nothing in a trace is executed, and no message quotes more than a word of it.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from typing import TYPE_CHECKING, cast

from ..errors import TraceError
from .compressed import open_any
from .model import Json, Problem
from .writing import wait_until_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

VERSION = 1
LARGEST_NS = 1 << 62
"""Times are 64 bits, and so is a time with a duration added to it."""
_TIMED = ("req", "res", "chunk", "msg", "up")
EXAMPLE = '{"session":"s1","user":"alice","message":"My name is Alice"}'
_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def parts(path: Path) -> list[Path]:
    """The files of a recording: the one named and the parts that stand beside it; either may be missing.

    Raises:
        TraceError: there is nothing at that path, or it is a folder.
    """
    if str(path) == ".":  # which is also what an empty text comes to
        raise TraceError("no trace is named: this is the current directory, or nothing", "", "name a trace file")
    if path.is_dir():
        raise TraceError("is a directory", str(path), "name the trace file in it, such as trace.jsonl")
    stem = re.sub(r"\.jsonl(\.gz|\.zst)?$", "", path.name)
    beside = sorted(
        child
        for child in (path.parent.iterdir() if path.parent.is_dir() else ())
        if child.name.startswith(f"{stem}.part-") and child.name.endswith(_SUFFIXES)
    )
    if not beside and not path.exists():
        raise TraceError("no such file", str(path), "the path is relative to the current directory")
    names = {child.name for child in beside}
    # A part whose compressing was cut short stands there twice.
    return [*([path] if path.exists() else []), *(c for c in beside if c != path and f"{c.name}.gz" not in names)]


def read_events(
    path: Path, problems: list[Problem], on_line: Callable[[int], None] | None = None
) -> Iterator[tuple[int, dict[str, Json]]]:
    """(line, event) of every usable line, in file order; what is not usable goes to `problems`.

    `on_line` is told the length of every line in bytes, for showing how far it has come.

    Times of later parts are moved onto the first part's clock. A header without a clock moves nothing.

    Raises:
        TraceError: a file cannot be opened, or is of a newer version.
    """
    files = parts(path)
    first: dict[str, Json] | None = None
    for file in files:
        moved = 0
        for number, event in _events_of(file, problems, f"{file.name}: " if len(files) > 1 else "", on_line):
            if event.get("k") == "header":
                _check_version(event, str(file))
                if first is None:
                    first = event
                elif _key(event) != _key(first):
                    problems.append(
                        Problem(number, f"{file.name} was redacted with another key: its stand-ins cannot be compared")
                    )
                moved = _offset_ns(first, event)
            else:
                if moved and isinstance(event.get("t"), int):
                    event["t"] += moved
                if wrong := _wrong_time(event):
                    problems.append(Problem(number, f"{file.name}: {wrong}" if len(files) > 1 else wrong))
                    continue
                if lost := lost_in(event):
                    said = f"{lost:,} event{' was' if lost == 1 else 's were'} lost while this was recorded"
                    problems.append(Problem(number, f"{said}: what crossed there cannot be seen", skipped=False))
            yield number, event


def lost_in(event: dict[str, Json]) -> int:
    """How many events the recorder says, in the last line of a part, it had to leave out."""
    count = event.get("lost") if event.get("k") in ("end", "lost") else None
    return count if isinstance(count, int) and not isinstance(count, bool) and count > 0 else 0


def _events_of(
    file: Path, problems: list[Problem], prefix: str, on_line: Callable[[int], None] | None
) -> Iterator[tuple[int, dict[str, Json]]]:
    number = 0
    wait_until_written(file)
    try:
        with open_any(file) as stream:
            for number, line in enumerate(stream, 1):
                if on_line is not None:
                    on_line(len(line))
                raw = (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).rstrip(b"\r\n")
                if not raw.strip():
                    continue
                event = _event(raw, line.endswith(b"\n"))
                if isinstance(event, str):
                    problems.append(Problem(number, prefix + event))
                else:
                    yield number, event
    except FileNotFoundError:
        raise TraceError("no such file", str(file), "the path is relative to the current directory") from None
    except PermissionError:
        raise TraceError("may not be read (permission denied)", str(file)) from None
    except (EOFError, gzip.BadGzipFile) as error:
        problems.append(Problem(number, f"{prefix}the compressed file is torn: {error}"))
    except OSError as error:
        raise TraceError(f"cannot be read: {error.strerror or error}", str(file)) from None
    except Exception as error:
        if type(error).__name__ != "ZstdError":
            raise
        problems.append(Problem(number, f"{prefix}the compressed file is torn: {error}"))


def _event(raw: bytes, whole: bool) -> dict[str, Json] | str:
    """The event on a line, or why it is none."""
    try:
        event = _DECODER.decode(raw.decode("utf-8", "strict"))
    except (ValueError, RecursionError) as error:
        if not whole:
            return f"torn: the last line is cut off after {len(raw)} bytes; what came before is kept"
        return _why(error, raw)
    return cast("dict[str, Json]", event) if isinstance(event, dict) else "is not a JSON object; skipped"


def _wrong_time(event: dict[str, Json]) -> str:
    """Why an event cannot be put in time, empty where it can be."""
    for key in ("t", "dt"):
        if key not in event or event.get("k", "req") not in _TIMED:
            continue
        value = event[key]
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "has a time that is not a number; skipped"
        if not -LARGEST_NS < value < LARGEST_NS:
            return "has a time that does not fit into 64 bits; skipped"
    return ""


def _check_version(event: dict[str, Json], path: str) -> None:
    version = event.get("v", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise TraceError(
            f"is of trace version {str(version)[:20]}, and this Crosslane reads up to {VERSION}",
            path,
            "upgrade Crosslane",
        )


def _offset_ns(first: dict[str, Json], later: dict[str, Json]) -> int:
    """How much later another part's clock began. The monotonic clock is preferred where both ran on one boot."""
    one, other = first.get("clock"), later.get("clock")
    if not isinstance(one, dict) or not isinstance(other, dict):
        return 0
    a, b = cast("dict[str, Json]", one), cast("dict[str, Json]", other)
    key = "mono0_ns" if a.get("boot") and a.get("boot") == b.get("boot") else "wall0_ns"
    start, begin = a.get(key), b.get(key)
    return begin - start if isinstance(start, int) and isinstance(begin, int) else 0


def _key(header: dict[str, Json]) -> Json:
    redaction = header.get("redaction")
    return cast("dict[str, Json]", redaction).get("key_id") if isinstance(redaction, dict) else None


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON")


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the same key twice in one object")
    return members


# Made once: `json.loads` with hooks makes one for every line.
_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=_once)


def _why(error: Exception, raw: bytes) -> str:
    size = f" ({len(raw) / 1e6:.0f} MB)" if len(raw) > 1_000_000 else ""
    if isinstance(error, RecursionError):
        return f"is nested too deeply{size}; skipped"
    if isinstance(error, UnicodeDecodeError):
        return f"is binary or not UTF-8 (byte {error.start}){size}; skipped"
    if isinstance(error, json.JSONDecodeError):
        return f"is not JSON: {error.msg.lower()} at column {error.colno}{size}; skipped"
    if "digits" in str(error):
        return f"holds a number of more than {sys.get_int_max_str_digits():,} digits{size}; skipped"
    return f"is not usable: {re.sub(r'[^ -~]', '?', str(error))[:80]}{size}; skipped"
