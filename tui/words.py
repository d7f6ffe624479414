"""How things are said, the same in the text report and in the interface: glyphs, headlines, lines of the finding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .safe_text import safe

if TYPE_CHECKING:
    from ..replay.report import Crossing
    from ..replay.run import Event

GLYPHS = {
    "request": "▶",
    "await": "◇",
    "blocked": "⧖",
    "write": "◆",
    "read": "▷",
    "chunk": "▪",
    "output": "≡",
    "fault": "✂",
    "response": "●",
    "error": "✖",
}
CROSSING = "✗"
VERDICTS = {"contaminated": "✗", "clean": "●", "inconclusive": "◐"}


def headline(crossing: Crossing) -> str:
    source, sink = safe(crossing.source.lane, 40), safe(crossing.sink.lane, 40)
    if crossing.kind == "derived":
        return f"{sink} was shown something made of {source}'s data"
    match crossing.sink.where:
        case "upstream":
            return f"{source}'s data went into {sink}'s prompt"
        case "log":
            return f"{source}'s data was logged for {sink}"
        case "exception":
            return f"{sink} was shown {source}'s data"
        case _:
            return f"{sink} was answered with {source}'s data"


def short_name(name: str) -> str:
    """The last part of a carrier's name, for a narrow cell."""
    return safe(name.rpartition(".")[2] if not name.endswith(")") else name, 200)


def cell(event: Event, crossed: bool = False) -> str:
    """What a row of a lane says, on one line."""
    glyph = CROSSING if crossed else GLYPHS.get(event.kind, "·")
    match event.kind:
        case "request":
            body = safe(event.text, 400)
        case "await" | "blocked":
            body = f"{'waits at' if event.kind == 'blocked' else 'await'} {call_of(event.code or '')}".rstrip()
        case "write" | "read":
            body = f"{event.kind} {short_name(event.carrier or '')}"
        case "response":
            status = f"{event.status} " if event.status is not None else ""
            body = f"{status}{safe(event.text, 400)}"
        case _:
            body = safe(event.text, 400)
    return f"{glyph} {body}".rstrip()


def call_of(code: str) -> str:
    """The awaited expression of a source line, else the line itself, below which something awaits."""
    _, found, call = code.partition("await ")
    return safe(call, 200) if found else f"in: {safe(code, 200)}" if code else ""


def facts(crossing: Crossing) -> list[tuple[str, str]]:
    """The lines of a finding: label and text, all of it safe to show."""
    sink = crossing.sink
    rows = [("sink", f"{safe(sink.path, 200)} of {safe(sink.request, 80)}: “{safe(sink.evidence, 300)}”")]
    if crossing.carrier is not None:
        rows.append(("carrier", safe(crossing.carrier.name)))
        where = f", {safe(crossing.carrier.defined_at)}" if crossing.carrier.defined_at else ""
        rows.append(("", f"{safe(crossing.carrier.kind)}{where}"))
    for label, access in (("write", crossing.write), ("read", crossing.read)):
        if access is not None:
            rows.append((label, f"{safe(access.lane, 40)}  {safe(access.at)}"))
    rows.append(("needs", crossing.needs.in_words()))
    if crossing.critical is not None:
        pair = crossing.critical
        at = f" at {safe(pair.at)}" if pair.at else ""
        rows.append(
            (
                "switch",
                f"{safe(pair.held, 40)} waits{at} while {safe(pair.ran, 40)} runs; where "
                f"{safe(pair.held, 40)} goes on instead, nothing crosses",
            )
        )
    if crossing.fix:
        rows.append(("fix", safe(crossing.fix)))
    if crossing.explained:
        rows.append(("note", safe(crossing.explained)))
    return rows
