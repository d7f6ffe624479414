"""From sources in any format to one trace file, in one pass and without holding more than a record.

Events go to an unnamed file first, relative to the first start that is met; the header, which needs the smallest, is
written before them at the end. The target's name appears only when everything is in place.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from typing import IO, TYPE_CHECKING, Any

from ..errors import CrosslaneError, TraceError
from ..trace.events import LARGEST_NS, VERSION
from ..trace.store import events_of
from ..trace.stream_redaction import StreamRedactor
from ..trace.whole_file import whole_file
from .census import Census
from .detect import detect, format_named
from .found import Dropped, Reading
from .prompts import NOTE, with_prompt
from .source import torn
from .times import RELATIVE_BELOW_NS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..trace.model import Exchange, Json
    from ..trace.redaction import Redactor
    from .found import Format, Found, Item, Source

MOST_DROPPED = 20
_LARGEST_NS = LARGEST_NS // 2  # times are moved once more, by as much again at most
_STRICT = json.JSONEncoder(allow_nan=False)


@dataclass(slots=True)
class FileSummary:
    """What came of one source.

    Attributes:
        grades: how many exchanges of each grade. lossy: how many have which note.
        mapping: how many were read with which field from which place (`("start", "ts")`).
        dropped: the first records that were not usable. dropped_total: of all.
        duplicates: records that an earlier source, or the same, had already.
    """

    name: str
    format: str
    grades: Counter[str] = field(default_factory=Counter[str])
    lossy: Counter[str] = field(default_factory=Counter[str])
    mapping: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    dropped: list[Dropped] = field(default_factory=list[Dropped])
    dropped_total: int = 0
    duplicates: int = 0

    def drop(self, dropped: Dropped) -> None:
        self.dropped_total += 1
        if len(self.dropped) < MOST_DROPPED:
            self.dropped.append(dropped)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "format": self.format,
            "grades": dict(self.grades),
            "lossy": dict(self.lossy),
            "mapping": [{"field": name, "from": place, "requests": n} for (name, place), n in self.mapping.items()],
            "dropped": [{"source": each.source, "reason": each.reason} for each in self.dropped],
            "dropped_total": self.dropped_total,
            "duplicates": self.duplicates,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import did.

    Attributes:
        places: for each role how many requests were named by which place.
        disagreements: requests whose own places contradict each other.
        shared: tokens and session names that several users have in common.
        interrupted: whether it was stopped; what had been read is in the trace.
    """

    trace: str
    files: tuple[FileSummary, ...]
    requests: int
    sessions: int
    users: int
    places: dict[str, dict[str, int]]
    disagreements: int
    shared: tuple[str, ...]
    interrupted: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "trace": self.trace,
            "requests": self.requests,
            "sessions": self.sessions,
            "users": self.users,
            "files": [file.to_json() for file in self.files],
            "places": self.places,
            "unverified": [place for of in self.places.values() for place in of if place.startswith("jwt:")],
            "disagreements": self.disagreements,
            "shared": list(self.shared),
            "interrupted": self.interrupted,
        }


def import_files(
    sources: Sequence[Source],
    target: Path,
    reading: Reading | None = None,
    format_name: str | None = None,
    stopped: Callable[[], bool] = lambda: False,
    redactor: Redactor | None = None,
) -> Summary:
    """Write the trace of all sources to `target`, readable by its owner alone. `stopped` is asked before each record.
    What `redactor` knows as secret is replaced before anything is written.

    Raises:
        TraceError: a source is in no known format, nothing in any is usable, or the target cannot be written.
    """
    reading = reading or Reading()
    chosen = [(source, format_named(format_name) if format_name else detect(source)) for source in sources]
    summaries = [FileSummary(source.name, format_.name) for source, format_ in chosen]
    census = Census()
    interrupted = False
    try:
        with tempfile.TemporaryFile("w+", encoding="ascii", dir=target.parent) as body:
            events = _Events(body, redactor)
            for number, ((source, format_), summary) in enumerate(zip(chosen, summaries, strict=True)):
                for item in _items(source, format_, reading):
                    if interrupted := stopped():
                        break
                    if isinstance(item, Dropped):
                        summary.drop(item)
                    else:
                        _take(_with_prompt(item, reading), number, events, summary, census)
                if interrupted:
                    break
            if interrupted and not census.requests:
                raise TraceError("stopped before anything was read", str(target), "nothing was written")
            if not census.requests:
                raise _nothing(summaries)
            body.seek(0)
            shift_ns = -events.smallest_ns
            base_ns = None if events.base_ns is None else events.base_ns - shift_ns
            with whole_file(target) as stream:
                header = _header(base_ns, reading, [f.name for _, f in chosen])
                stream.write(json.dumps(header if redactor is None else redactor.event(header)) + "\n")
                _finish(body, stream, shift_ns)
                stream.write(json.dumps({"k": "end", "n": census.requests}) + "\n")
    except OSError as error:
        raise TraceError(f"cannot be written: {error.strerror or error}", str(target)) from None
    places = {str(role): of for role, of in census.places().items()}
    return Summary(
        str(target),
        tuple(summaries),
        census.requests,
        len(census.sessions),
        len(census.users),
        places,
        census.disagreements(),
        census.shared(),
        interrupted,
    )


class _Events:
    """The events so far: times relative to the first start, ids that occur once, and what was there already."""

    def __init__(self, stream: IO[str], redactor: Redactor | None = None) -> None:
        self._redacted = None if redactor is None else StreamRedactor(redactor, None)
        self.base_ns: int | None = None
        self.smallest_ns = 0
        self._stream = stream
        self._ids: dict[str, int] = {}
        self._given = 0
        self._met: dict[bytes, int] = {}
        self._named: set[bytes] = set()

    def duplicate(self, exchange: Exchange, number: int) -> bool:
        """Whether another source had the same record, or this one under an id of its own."""
        request = exchange.request
        if request.grade == "timing-only" and not request.id:
            # Two equal lines of an access log are two requests.
            return False
        response = exchange.response
        told = None if response is None else (response.at_ns, response.status, response.body, response.chunks)
        same = (request.id, request.at_ns, request.session, request.message, request.request, told, exchange.upstream)
        digest = hashlib.blake2b(repr(same).encode("utf-8", "replace"), digest_size=12).digest()
        before = self._met.setdefault(digest, number)
        if before != number:
            return True
        known = digest in self._named
        if request.id:
            self._named.add(digest)
        return known

    def write(self, exchange: Exchange) -> None:
        """Raises ValueError, TypeError, RecursionError or OverflowError (a time of more than 64 bits) for what no trace
        can hold; nothing of it is written then."""
        request = exchange.request
        base_ns = self.base_ns
        if base_ns is None and request.at_ns >= RELATIVE_BELOW_NS:
            base_ns = request.at_ns
        moved = base_ns or 0 if request.at_ns >= RELATIVE_BELOW_NS else 0
        identity = self._unique(request.id)
        out: list[str] = []
        for event in events_of(replace(exchange, request=replace(request, id=identity))):
            # What has no time of its own came with its request.
            event["t"] = (event["t"] if event["t"] >= RELATIVE_BELOW_NS or not moved else request.at_ns) - moved
            if not -_LARGEST_NS < event["t"] < _LARGEST_NS:
                raise OverflowError
            told = [event] if self._redacted is None else self._redacted.events(event)
            out += map(_STRICT.encode, told)
        if self._redacted is not None:
            out += map(_STRICT.encode, self._redacted.rest())
        self.base_ns = base_ns
        self.smallest_ns = min(self.smallest_ns, request.at_ns - moved)
        self._stream.write("\n".join(out) + "\n")

    def _unique(self, identity: str) -> str:
        """The id, or the next one that nothing has; given ones are counted, not kept."""
        if not identity:
            self._given += 1
            while f"r{self._given}" in self._ids:
                self._given += 1
            return f"r{self._given}"
        times, name = self._ids.get(identity, 0), identity
        taken = re.fullmatch(r"r[1-9]\d{0,11}", identity) is not None and int(identity[1:]) <= self._given
        while times or taken:
            times, taken = times + 1, False
            name = f"{identity}-{times}"
            if name not in self._ids:
                break
        self._ids[identity] = max(times, 1)
        self._ids[name] = max(self._ids.get(name, 0), 1)
        return name


def _take(found: Found, number: int, events: _Events, summary: FileSummary, census: Census) -> None:
    exchange = found.exchange
    if events.duplicate(exchange, number):
        summary.duplicates += 1
        return
    try:
        events.write(exchange)
    except OverflowError:
        summary.drop(Dropped(exchange.request.source or summary.name, "has a time that does not fit into 64 bits"))
        return
    except (ValueError, TypeError, RecursionError) as error:
        reason = "is nested too deeply" if isinstance(error, RecursionError) else "holds a value that is not JSON"
        summary.drop(Dropped(exchange.request.source or summary.name, reason))
        return
    census.add(exchange.request)
    summary.grades[exchange.request.grade] += 1
    for note in found.lossy:
        summary.lossy[note] += 1
    for pair in found.mapping:
        summary.mapping[pair] += 1


def _with_prompt(found: Found, reading: Reading) -> Found:
    if reading.prompt_as is None:
        return found
    exchange = with_prompt(found.exchange, reading.prompt_as)
    return found if exchange is found.exchange else replace(found, exchange=exchange, lossy=(*found.lossy, NOTE))


def _items(source: Source, format_: Format, reading: Reading) -> Iterator[Item]:
    """The items of a source; where it cannot be read on, what came before is kept and the rest is one `Dropped`."""
    try:
        yield from format_.read(source, reading)
    except CrosslaneError:
        raise
    except Exception as error:
        if torn(error):
            yield Dropped(source.name, "the compressed file is torn; what came before is kept")
        elif isinstance(error, OSError):
            yield Dropped(source.name, f"cannot be read on ({error.strerror or 'error'}); what came before is kept")
        else:
            yield Dropped(source.name, f"cannot be read on ({type(error).__name__}); what came before is kept")


def _nothing(summaries: Sequence[FileSummary]) -> TraceError:
    first = next((file.dropped[0] for file in summaries if file.dropped), None)
    why = f" ({first.source} {first.reason})" if first else ""
    known = ", ".join(dict.fromkeys(file.format for file in summaries))
    return TraceError(f"nothing to import: no usable record{why}", summaries[0].name, f"read as {known}; see --format")


def _header(base_ns: int | None, reading: Reading, formats: Sequence[str]) -> dict[str, Json]:
    try:
        tool = version("crosslane")
    except PackageNotFoundError:
        tool = "unknown"
    rules = reading.rules
    return {
        "k": "header",
        "v": VERSION,
        "tool": f"crosslane {tool}",
        "clock": {"wall0_ns": base_ns, "mono0_ns": None},
        "source": {"kind": "+".join(dict.fromkeys(formats))},
        "identity": {"session": list(rules.session), "user": list(rules.user), "fallback": reading.fallback},
    }


def _finish(body: IO[str], stream: IO[str], shift_ns: int) -> None:
    """Copy the events; where one began before the first that was met, move all of them so that it begins at zero."""
    if not shift_ns:
        shutil.copyfileobj(body, stream, 1 << 20)
        return
    for line in body:
        event = json.loads(line)
        event["t"] += shift_ns
        stream.write(json.dumps(event) + "\n")
