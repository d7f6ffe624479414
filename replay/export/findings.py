"""Findings as files: what `check` found is kept under its id, so that `export ID` needs no second search.

An id names what crosses and is the same on every machine, so that the one that CI prints is the one at hand. Two
projects whose handlers stand in modules of one name can therefore have findings of one id; the files tell them apart.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ..errors import ExportError
from ..report import Crossing, Finding

KEPT = 200


@dataclass(frozen=True, slots=True)
class ExportSource:
    """A crossing with what is needed to show it again. `cwd` is the directory that `handler` is relative to."""

    crossing: Crossing
    handler: str
    kind: str | None
    cwd: str
    finding: Finding | None = None
    """With the observed run, where it was kept."""


def save(
    crossings: tuple[Crossing, ...],
    handler: str,
    kind: str | None,
    cwd: Path,
    folder: Path,
    findings: tuple[Finding, ...] = (),
) -> None:
    """Write one file a crossing, readable by its owner alone, and drop the oldest beyond `KEPT`.

    `findings` are those whose observed run is kept as well.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    observed = {finding.crossing.id: replace(finding, fixed_run=None) for finding in findings}
    for crossing in crossings:
        data: dict[str, Any] = {"handler": handler, "kind": kind, "cwd": str(cwd), "crossings": [crossing.to_json()]}
        if crossing.id in observed:
            data["findings"] = [observed[crossing.id].to_json()]
        target = folder / f"{kept_name(crossing.id, handler, cwd)}.json"
        draft = folder / f".{target.stem}.{os.getpid()}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(data, stream)
        draft.replace(target)
    drop_oldest(folder, ".json")


def drop_oldest(folder: Path, ending: str) -> None:
    """Keep the `KEPT` files with that ending which were written last."""
    kept = sorted(folder.glob(f"*{ending}"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in kept[KEPT:]:
        with contextlib.suppress(OSError):
            old.unlink()


def kept_name(identity: str, handler: str, cwd: Path) -> str:
    """The name, without an ending, of what is kept of a finding: its id, and which program it is of."""
    program = f"{cwd}\0{handler}".encode("utf-8", "surrogatepass")
    return f"{identity}-{hashlib.sha256(program).hexdigest()[:6]}"


def load_finding(reference: str, folder: Path, cwd: Path) -> ExportSource:
    """The finding that `report.json`, `report.json#ID`, or an id (or its beginning) names.

    Where programs in several folders have findings of that id, it is that of `cwd`.

    Raises:
        ExportError: there is none, or more than one.
    """
    file, _, wanted = reference.partition("#")
    path = Path(file)
    if path.is_file():
        data = _read(path)
    else:
        if path.suffix == ".json" or os.sep in file:
            raise ExportError(
                "no such report", file, "make one with: crosslane check TRACE HANDLER --format json > FILE"
            )
        data, wanted = _kept(file, folder, cwd), file.partition("-")[0]
    try:
        crossings = [Crossing.from_json(crossing) for crossing in data["crossings"]]
        findings = [Finding.from_json(finding) for finding in data.get("findings", ())]
        handler = str(data["handler"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ExportError(f"is not a report of `check --format json` ({type(error).__name__} {error})", file) from None
    matching = [crossing for crossing in crossings if crossing.id.startswith(wanted)]
    if not crossings:
        raise ExportError("the report has no crossing in it: there is nothing to reproduce", file)
    if not matching:
        raise ExportError(f"the report has no finding {wanted!r}", file, f"it has {', '.join(c.id for c in crossings)}")
    if wanted and len(matching) > 1:
        raise ExportError(f"{len(matching)} findings begin with {wanted!r}", file, "give more of the id")
    observed = next((finding for finding in findings if finding.crossing == matching[0]), None)
    return ExportSource(matching[0], handler, data.get("kind"), str(data.get("cwd") or cwd), observed)


def _kept(name: str, folder: Path, cwd: Path) -> dict[str, Any]:
    """The kept finding whose name begins like that."""
    plain = name.replace("-", "").isalnum()
    files = sorted(folder.glob(f"{name}*.json"), key=lambda file: file.stat().st_mtime) if plain else []
    found = {file.stem: _read(file) for file in files}
    if not found:
        raise ExportError(
            f"no finding {name!r} is kept", remedy="name a report made with check --format json, or run check again"
        )
    if len({stem.partition("-")[0] for stem in found}) > 1:
        raise ExportError(f"{len(found)} findings begin with {name!r}", remedy="give more of the id")
    programs = {(data.get("cwd"), data.get("handler")): (stem, data) for stem, data in found.items()}
    here = [kept for (place, _), kept in programs.items() if place == str(cwd)] or list(programs.values())
    if len(here) > 1:
        listed = ", ".join(f"{stem} of {data.get('handler')} in {data.get('cwd')}" for stem, data in here)
        raise ExportError(f"{name!r} was found in {len(here)} programs: {listed}", remedy="name one of them")
    return here[0][1]


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"cannot be read: {error}", str(path)) from None
    if not isinstance(data, dict):
        raise ExportError("is not a report of `check --format json`", str(path))
    return cast("dict[str, Any]", data)
