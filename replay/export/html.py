"""`export --as html`: one page for the incident ticket, with the lanes, the crossing, the source and how to repeat it.

It needs nothing from anywhere: no script, no font, no image, styles inside. It can be printed and read in the dark.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from ..service.options import is_service
from .script import script
from .story import GLYPHS, facts, headline, lanes, moments, request_text
from .trace_file import trace_file
from .visible import visible

if TYPE_CHECKING:
    from ..report import Access, Crossing
    from .findings import ExportSource
    from .story import Moment

_AROUND = 3
_MOST_ROWS = 500
_LINE = re.compile(r"(.+):(\d+)", re.DOTALL)
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --page: #fff; --dim: #59636e; --rule: #d1d9e0; --bad: #b3261e;
  --tint: #fdecea; --code: #f6f8fa }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --page: #0d1117; --dim: #9198a1; --rule: #3d444d; --bad: #ff8078; --tint: #3a1512;
    --code: #151b23 } }
body { margin: 2rem auto; padding: 0 1rem; max-width: 72rem; color: var(--ink); background: var(--page);
  font: 16px/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; color: var(--bad); overflow-wrap: anywhere } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; width: 100%; table-layout: fixed }
th, td { border: 1px solid var(--rule); padding: .25rem .5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere }
table.lanes td, pre, code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
table.lanes td.bad { background: var(--tint); color: var(--bad); font-weight: 600 }
table.facts th { width: 7rem; font-weight: 600 } col.step { width: 3.5rem }
pre { background: var(--code); border: 1px solid var(--rule); padding: .75rem; white-space: pre-wrap;
  overflow-wrap: anywhere } pre mark { background: var(--tint); color: var(--bad) }
.dim { color: var(--dim) }
@media print { body { margin: 0; max-width: none; color: #000; background: #fff } details { display: block }
  tr { break-inside: avoid } }
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html(source: ExportSource) -> str:
    """The whole page. Every text of the trace and of the program is escaped."""
    crossing = source.crossing
    title = _text(headline(crossing))
    through = f" through {crossing.carrier.name}" if crossing.carrier is not None else ""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{title}</title>",
        f"<style>{_STYLE}</style>",
        "</head>",
        "<body>",
        f"<h1>✗ {title}{_text(through)}</h1>",
        f'<p class="dim">Finding {_text(crossing.id)} of {_text(source.handler)}. {_repeatable(crossing)}</p>',
        *_facts(crossing),
        "<h2>What happened, one column for each user</h2>",
        *_lanes(source),
        *_source(source),
        *_repro(source),
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _repeatable(crossing: Crossing) -> str:
    if crossing.needs.cls == "sequential":
        return "It happens with these requests one after the other; nothing has to overlap."
    return "It happens whenever the requests overlap in this order."


def _facts(crossing: Crossing) -> list[str]:
    rows = (f"<tr><th>{_text(label)}</th><td>{_text(text)}</td></tr>" for label, text in facts(crossing))
    return ['<table class="facts">', *rows, "</table>"]


def _lanes(source: ExportSource) -> list[str]:
    columns = lanes(source.crossing)
    happened = [moment for moment in moments(source) if moment.lane in columns]
    heads = "".join(f"<th>{_text(lane)}</th>" for lane in columns)
    rows = [
        f'<tr><td class="dim">{number}</td>'
        + "".join(_cell(moment) if lane == moment.lane else "<td></td>" for lane in columns)
        + "</tr>"
        for number, moment in enumerate(happened[:_MOST_ROWS], 1)
    ]
    left = len(happened) - _MOST_ROWS
    more = [f'<p class="dim">… and {left} more moments</p>'] if left > 0 else []
    return [
        '<table class="lanes">',
        '<colgroup><col class="step">' + "<col>" * len(columns) + "</colgroup>",
        f"<thead><tr><th></th>{heads}</tr></thead>",
        "<tbody>",
        *rows,
        "</tbody>",
        "</table>",
        *more,
    ]


def _cell(moment: Moment) -> str:
    words = moment.kind if moment.kind not in ("request", "response", "crossing") else ""
    at = f' <span class="dim">{_text(moment.at)}</span>' if moment.at else ""
    style = ' class="bad"' if moment.end else ""
    text = _text(moment.text, 1_000)
    return f"<td{style}>{GLYPHS.get(moment.kind, '·')} {words} {text}{at}</td>"


def _source(source: ExportSource) -> list[str]:
    crossing = source.crossing
    parts: list[str] = []
    for verb, access in (("written", crossing.write), ("read", crossing.read)):
        if access is not None:
            parts.append(f"<h2>Where it is {verb}: {_text(access.at)}, by {_text(access.lane)}</h2>")
            parts.append(f"<pre>{_snippet(access, source.cwd)}</pre>")
    return parts


def _snippet(access: Access, cwd: str) -> str:
    """The lines around, where the file is in the handler's folder and still says the same there; else that line."""
    match = _LINE.fullmatch(access.at)
    lines: list[str] = []
    try:
        file = Path(cwd, match[1] if match else "").resolve()
        if file.is_relative_to(Path(cwd).resolve()) and file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        pass  # a file that cannot be read, or a name that is none
    number = int(match[2]) if match else 0
    if not 1 <= number <= len(lines) or lines[number - 1].strip() != access.code.strip():
        return f"<mark>{_text(access.code)}</mark>"
    first, last = max(1, number - _AROUND), min(len(lines), number + _AROUND)
    shown = ((n, f"{n:>5}  {_text(lines[n - 1].expandtabs(4), 300)}") for n in range(first, last + 1))
    return "\n".join(f"<mark>{text}</mark>" if n == number else text for n, text in shown)


def _repro(source: ExportSource) -> list[str]:
    crossing = source.crossing
    requests = (
        f"<li>{_text(str(request.get('lane', '')))}: <code>{_text(request_text(request), 1_000)}</code></li>"
        for request in crossing.requests
    )
    order = " → ".join(_text(str(step["lane"]), 40) for step in crossing.schedule[:200])
    trace = ["<details><summary>the smallest trace</summary>", f"<pre>{_block(trace_file(source))}</pre></details>"]
    if is_service(source.handler):
        how = [
            "<p>A script cannot hold a running service. Save the trace below as incident.jsonl and run <code>crosslane "
            f"check incident.jsonl {_text(source.handler)}</code>, with the options that it was found with.</p>",
            *trace,
        ]
    else:
        how = [
            "<p>Save the script below as repro.py beside the handler and run <code>python repro.py</code>: it needs "
            "Python and the handler, nothing else, and exits with 1 while the bug is there, 0 once it is fixed.</p>",
            *trace,
            "<details><summary>repro.py</summary>",
            f"<pre>{_block(script(source))}</pre></details>",
        ]
    return [
        "<h2>How to repeat it</h2>",
        "<ol>",
        *requests,
        "</ol>",
        f"<p>Who runs at each step, from one await to the next: {order}</p>",
        *how,
    ]


def _text(text: str, limit: int | None = None) -> str:
    return escape(visible(text, limit))


def _block(text: str) -> str:
    """Source text: its lines stay lines, and can be copied as they are."""
    return escape(text)
