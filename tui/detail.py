"""One finding in full: the way of the data from line to line, the switch that decides, the least that repeats it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..replay.export.story import request_text
from ..replay.report import Allowed, Finding, Influence
from ..replay.schedule.schedule import in_words
from .palette import ACCENT
from .safe_text import safe
from .words import CROSSING, GLYPHS, facts, headline

if TYPE_CHECKING:
    from ..replay.report import Crossing
    from .ranking import Entry

_BELOW = ("needs", "switch", "fix", "note")
_MOST_REQUESTS = 20


def detail(entry: Entry) -> RenderableType:
    """What there is to say of a line of the findings' table. All of it is safe to show."""
    match entry.about:
        case Finding(crossing=crossing):
            return _finding(crossing, entry.reason if entry.what == "known" else None)
        case Allowed() as allowed:
            rows = [
                ("allowed", f"{safe(allowed.source)}'s data in {safe(allowed.path)} of {safe(allowed.sink)}'s answer"),
                ("carrier", safe(allowed.carrier) or "not named"),
                ("because", safe(allowed.reason) or "no reason is given in the settings"),
            ]
            return _rows(rows)
        case Influence() as influence:
            rows = [
                ("lane", f"{safe(influence.lane)}, {safe(influence.path)} of {safe(influence.request)}"),
                ("alone", f"“{safe(influence.alone, 2_000)}”"),
                ("together", f"“{safe(influence.together, 2_000)}”"),
            ]
            return _rows(rows)
        case str(about):
            return Text(about, "dim")


def chain(crossing: Crossing) -> list[tuple[str, str, str]]:
    """From the write to where it surfaced: (glyph and what, where, the source line or value)."""
    links: list[tuple[str, str, str]] = []
    if crossing.write is not None:
        write = crossing.write
        links.append((f"{GLYPHS['write']} write", f"{safe(write.lane, 40)}  {safe(write.at)}", safe(write.code, 200)))
    if crossing.carrier is not None:
        carrier = crossing.carrier
        place = f", {safe(carrier.defined_at)}" if carrier.defined_at else ""
        links.append(("┃ carrier", safe(carrier.name), f"{safe(carrier.kind)}{place}"))
    if crossing.read is not None:
        read = crossing.read
        links.append((f"{GLYPHS['read']} read", f"{safe(read.lane, 40)}  {safe(read.at)}", safe(read.code, 200)))
    sink = crossing.sink
    where = f"{safe(sink.lane, 40)}  {safe(sink.path)} of {safe(sink.request)}"
    links.append((f"{CROSSING} {sink.where}", where, f"“{safe(sink.evidence, 300)}”"))
    return links


def _finding(crossing: Crossing, known: str | None) -> RenderableType:
    way = _grid()
    for what, where, said in chain(crossing):
        accent = ACCENT if what.startswith(CROSSING) else ""
        way.add_row(Text(what, f"bold {accent}"), Text(where))
        way.add_row("", Text(said, accent or "dim"))
    rows = [(label, text) for label, text in facts(crossing) if label in _BELOW]
    if crossing.kind == "derived" and crossing.alone:
        rows.insert(0, ("alone", f"“{safe(crossing.alone, 300)}”"))
    if known is not None:
        rows.append(("known", safe(known) or "the baseline gives no reason"))
    for number, request in enumerate(crossing.requests[:_MOST_REQUESTS]):
        lane = safe(str(request.get("lane", "")), 40)
        rows.append(("repro" if not number else "", f"{lane}: {safe(request_text(request), 200)}"))
    if (more := len(crossing.requests) - _MOST_REQUESTS) > 0:
        rows.append(("", f"and {more} more requests"))
    lanes = [str(step.get("lane", "")) for step in crossing.schedule]
    rows.append(("schedule", safe(in_words(lanes), 400)))
    rows.append(("id", safe(crossing.id)))
    title = Text(f"{CROSSING} {headline(crossing)}", f"bold {ACCENT}")
    return Group(title, Text(), way, Text(), _rows(rows))


def _rows(rows: list[tuple[str, str]]) -> Table:
    table = _grid()
    for label, text in rows:
        table.add_row(Text(label, "dim"), Text(text))
    return table


def _grid() -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    return table
