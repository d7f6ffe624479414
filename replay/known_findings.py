"""A baseline: findings that are known, so that only new ones fail a build. JSON, to be kept with the code.

An entry is found again by its cause: the carrier, where the data came out, and the lines that wrote and read it, as
text. Lines that move, other users and other requests change nothing; another way through the same carrier is new. A
finding whose cause could not be named cannot be told from another, and so is never known; only in a running service,
where no cause can be seen, its place in the trace stands for it.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from .errors import BaselineError
from .report import Known
from .service.options import is_service

if TYPE_CHECKING:
    from pathlib import Path

    from .report import Crossing, Report

VERSION = 1
NO_REASON = "no reason given yet"
_SUBSCRIPT = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class Entry:
    """A known finding. Only `fingerprint` decides; the rest is there for people, without any content of a trace."""

    fingerprint: str
    handler: str
    reason: str
    carrier: str = ""
    shown_in: str = ""
    written: str = ""
    read: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of a file, which may not be there yet."""

    file: Path
    entries: tuple[Entry, ...] = ()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(entry.fingerprint for entry in self.entries)


def fingerprint(crossing: Crossing) -> str:
    """What names the cause of a finding, the same on every machine and after every edit that leaves its lines alone."""
    where = (crossing.kind, crossing.sink.where)
    if crossing.carrier is None:
        parts = ("unnamed", *where, crossing.source.lane, crossing.sink.lane, crossing.sink.request, crossing.sink.path)
    else:
        lines = tuple(" ".join(access.code.split()) if access else "" for access in (crossing.write, crossing.read))
        carrier = (_plain(crossing.carrier.name), crossing.carrier.kind)
        parts = (*carrier, *where, _plain(crossing.sink.path), *lines)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def load_baseline(file: Path, must_exist: bool = True) -> Baseline:
    """The baseline in a file.

    Raises:
        BaselineError: there is none, or it cannot be read.
    """
    try:
        data: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if must_exist:
            remedy = f"write it with: crosslane check --write-baseline {file}"
            raise BaselineError("no such file", str(file), remedy) from None
        return Baseline(file)
    except OSError as error:
        raise BaselineError(f"cannot be read: {error.strerror}", str(file)) from None
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"is not JSON: {error}", str(file)) from None
    fields = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
    known: Any = fields.get("known")
    if not isinstance(known, list):
        raise BaselineError("is no baseline: it has no list `known`", str(file))
    if fields.get("version") != VERSION:
        raise BaselineError(f"is of version {fields.get('version')!r}, not {VERSION}", str(file))
    items = enumerate(cast("list[Any]", known), 1)
    return Baseline(file, tuple(_entry(item, f"{file}: entry {number}") for number, item in items))


def with_known(report: Report, baseline: Baseline) -> Report:
    """The report with what the baseline lists; entries of its handler that were not seen become warnings."""
    reasons = {entry.fingerprint: entry.reason for entry in baseline.entries}
    prints = {crossing.id: fingerprint(crossing) for crossing in report.crossings if _has_a_cause(crossing, report)}
    known = tuple(Known(identity, reasons[print_]) for identity, print_ in prints.items() if print_ in reasons)
    seen = set(prints.values())
    stale = [entry for entry in baseline.entries if entry.handler == report.handler and entry.fingerprint not in seen]
    # A search that was cut short, or found nothing to say, is no proof that something is gone.
    told = "" if report.verdict == "clean" or report.crossings else " in this search, which is inconclusive"
    nameless = sum(not _has_a_cause(crossing, report) for crossing in report.crossings)
    unknown = f"{nameless} without a named cause cannot be known: nothing tells one from another; see [[allow]]"
    warnings = tuple(
        f"{baseline.file.name} lists {entry.fingerprint} ({entry.carrier or 'no carrier'}), which was not seen{told}; "
        "if it is fixed, write the baseline again"
        for entry in stale
    )
    return replace(report, known=known, warnings=(*report.warnings, *([unknown] if nameless else []), *warnings))


def renewed(report: Report, baseline: Baseline, reason: str = "") -> str:
    """The text of the baseline with exactly the findings of a report in it, as far as its handler is concerned.

    Reasons that were given stay; `reason` is that of new entries. A search that is inconclusive is no proof that what
    it has not seen is gone, and takes nothing out.
    """
    gone = report.verdict != "inconclusive"
    others = [entry for entry in baseline.entries if not gone or entry.handler != report.handler]
    given = {entry.fingerprint: entry.reason for entry in baseline.entries if entry.handler == report.handler}
    own = {
        entry.fingerprint: entry
        for entry in (
            _of(crossing, report.handler, given, reason or NO_REASON)
            for crossing in report.crossings
            if _has_a_cause(crossing, report)
        )
    }
    entries = sorted((*others, *own.values()), key=lambda entry: (entry.handler, entry.carrier, entry.fingerprint))
    return json.dumps({"version": VERSION, "known": [asdict(entry) for entry in entries]}, indent=2) + "\n"


def _has_a_cause(crossing: Crossing, report: Report) -> bool:
    return crossing.carrier is not None or is_service(report.handler)


def _of(crossing: Crossing, handler: str, given: dict[str, str], reason: str) -> Entry:
    identity = fingerprint(crossing)
    return Entry(
        identity,
        handler,
        given.get(identity, reason),
        _plain(crossing.carrier.name) if crossing.carrier else "",
        f"{crossing.sink.where} {_plain(crossing.sink.path)}",
        crossing.write.code.strip() if crossing.write else "",
        crossing.read.code.strip() if crossing.read else "",
    )


def _entry(item: Any, where: str) -> Entry:
    fields = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    texts = {name: fields.get(name, "") for name in Entry.__slots__}
    if not texts["fingerprint"]:
        raise BaselineError("has no fingerprint", where)
    for name, value in texts.items():
        if not isinstance(value, str):
            raise BaselineError(f"{name} must be a string", where)
    return Entry(**texts)


def _plain(name: str) -> str:
    """A name or path without keys and positions: they are content of the trace, and others in another trace."""
    return _SUBSCRIPT.sub("[…]", name)
