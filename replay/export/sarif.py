"""`--format sarif` and `export --as sarif`: findings as SARIF 2.1.0, for annotations at the lines that write and read.

Code scanning shows a result at its first location and wants paths from the root of the repository. Fingerprints are
the ids of findings, which lines that move do not change. A known finding is a suppressed result.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..known_findings import fingerprint
from .story import facts, headline
from .visible import visible

if TYPE_CHECKING:
    from ..report import Access, Crossing, Report
    from .findings import ExportSource

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LINE = re.compile(r"(.+):(\d+)", re.DOTALL)
_RULES = {
    "crosslane/contaminated": (
        "SessionContamination",
        "One user's data reached another user",
        "A value that belongs to one user was in another user's answer, prompt, log records or exception, and "
        "changing the first user's data changes it. Keep what belongs to a request in arguments and locals, and what "
        "belongs to a session under the session's key.",
    ),
    "crosslane/derived": (
        "DerivedSessionContamination",
        "Something made of one user's data reached another user",
        "What one user is shown depends on what another user says: a hash, a length, a count or another value made "
        "of it.",
    ),
}


def sarif(source: ExportSource) -> str:
    """One finding as a SARIF log."""
    return _log([_result(source.crossing, source.cwd, None)], None)


def sarif_report(report: Report, cwd: str) -> str:
    """A whole report as a SARIF log. `cwd` is the directory that the paths of the report are relative to."""
    known = {entry.id: entry.reason for entry in report.known}
    return _log([_result(crossing, cwd, known.get(crossing.id)) for crossing in report.crossings], report)


def _log(results: list[dict[str, Any]], report: Report | None) -> str:
    driver = {"name": "Crosslane", "rules": [_rule(identity, *texts) for identity, texts in _RULES.items()]}
    run: dict[str, Any] = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The root of the repository."}}},
        "results": results,
    }
    if report is not None:
        run["invocations"] = [_invocation(report)]
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2) + "\n"


def _rule(identity: str, name: str, short: str, full: str) -> dict[str, Any]:
    return {
        "id": identity,
        "name": name,
        "shortDescription": {"text": short},
        "fullDescription": {"text": full},
        "help": {"text": full},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "isolation"], "security-severity": "8.0", "precision": "very-high"},
    }


def _invocation(report: Report) -> dict[str, Any]:
    level = "error" if report.doubt else "note"
    notes = [(level, report.doubt or report.reason), ("note", report.coverage.statement)]
    notes += [("warning", f"escaped control: {escape}") for escape in report.coverage.uncontrolled]
    notes += [("warning", warning) for warning in report.warnings]
    return {
        "executionSuccessful": not report.doubt,
        "toolExecutionNotifications": [{"level": at, "message": {"text": _text(text)}} for at, text in notes if text],
    }


def _result(crossing: Crossing, cwd: str, known: str | None) -> dict[str, Any]:
    identity = "crosslane/derived" if crossing.kind == "derived" else "crosslane/contaminated"
    places = [(verb, access) for verb, access in (("reads", crossing.read), ("writes", crossing.write)) if access]
    located = [(verb, access, place) for verb, access in places if (place := _place(access.at, cwd)) is not None]
    carrier = f" through {crossing.carrier.name}" if crossing.carrier is not None else ""
    details = "\n".join(f"{label}: {visible(text, 500)}" for label, text in facts(crossing))
    result: dict[str, Any] = {
        "ruleId": identity,
        "ruleIndex": list(_RULES).index(identity),
        "level": "error",
        "message": {"text": f"{_text(f'{headline(crossing)}{carrier}')}\n{details}"},
        "partialFingerprints": {
            "crosslaneFinding/v1": visible(crossing.id),
            "crosslaneCause/v1": fingerprint(crossing),
        },
    }
    if located:
        result["locations"] = [_location(*located[0], crossing)]
        result["relatedLocations"] = [
            {"id": number, **_location(*place, crossing)} for number, place in enumerate(located, 1)
        ]
        # In the order in which it happens: the write, then the read.
        steps = [{"location": _location(*place, crossing)} for place in reversed(located)]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if known is not None:
        result["baselineState"] = "unchanged"
        result["suppressions"] = [{"kind": "external", "justification": _text(known) or "known"}]
    return result


def _location(verb: str, access: Access, place: dict[str, Any], crossing: Crossing) -> dict[str, Any]:
    carrier = crossing.carrier.name if crossing.carrier is not None else "the shared state"
    return {"physicalLocation": place, "message": {"text": _text(f"{access.lane} {verb} {carrier}")}}


def _place(at: str, cwd: str) -> dict[str, Any] | None:
    """`file:line` as a physical location: relative to the root of the repository where it is inside it."""
    match = _LINE.fullmatch(at)
    if match is None or int(match[2]) < 1:
        return None
    path = Path(cwd, match[1])
    root = _root(Path(cwd))
    try:
        artifact = {"uri": _uri(path.relative_to(root).as_posix()), "uriBaseId": "SRCROOT"}
    except ValueError:
        artifact = {"uri": f"file://{_uri(path.as_posix())}"}
    return {"artifactLocation": artifact, "region": {"startLine": int(match[2])}}


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogatepass"))


def _root(folder: Path) -> Path:
    """The repository that a folder is in, else the folder."""
    return next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)


def _text(text: str) -> str:
    return visible(text, 1_000)
