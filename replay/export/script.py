"""`export --as script`: a finding as one Python file that needs the standard library and the handler, nothing else."""

from __future__ import annotations

import ast
import pprint
import textwrap
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ExportError
from ..service.options import is_service
from .visible import visible

if TYPE_CHECKING:
    from ..report import Crossing
    from .findings import ExportSource

_ENGINE = Path(__file__).parent.parent
CARRIED = (
    "schedule/actors.py",
    "schedule/threads.py",
    "schedule/ownership.py",
    "schedule/primitives.py",
    "schedule/waiting.py",
    "schedule/spinning.py",
    "schedule/memory_net.py",
    "schedule/detached.py",
    "schedule/thread_loop.py",
    "schedule/databases.py",
    "schedule/deadlines.py",
    "schedule/jobs.py",
    "schedule/attribution.py",
    "schedule/loop.py",
    "handler/reply.py",
    "handler/told.py",
    "upstream/calls.py",
    "handler/bind.py",
    "handler/http.py",
    "handler/kinds.py",
    "handler/function.py",
    "handler/asgi.py",
    "handler/wsgi.py",
    "handler/aiohttp_app.py",
    "handler/service.py",
    "detect/spelled.py",
    "trace/header_text.py",
    "trace/sent_texts.py",
    "trace/fresh_identity.py",
    "export/visible.py",
    "export/standalone.py",
)
CARRIED_UPSTREAM = (
    "upstream/wire.py",
    "upstream/made.py",
    "upstream/openai_format.py",
    "upstream/anthropic_format.py",
    "upstream/composing.py",
    "upstream/stand_in.py",
    "upstream/memory_http.py",
    "upstream/clients.py",
    "export/standalone_upstream.py",
)
"""Carried as well where the handler made HTTP calls."""


def script(source: ExportSource) -> str:
    """The source text of the repro. Content of the trace is in it as literals, never as code."""
    imports, bodies = engine(source.crossing)
    parts = [
        "#!/usr/bin/env python3",
        _headline(source.crossing),
        "from __future__ import annotations\n",
        imports,
        _VERSION,
        constants(source),
        "\n\n# What follows is the loop and the calling code of Crosslane, as they stand there.\n",
        *bodies,
        *entry(source.crossing),
    ]
    return "\n".join(parts) + "\n"


# An exit code of its own: a syntax that an older Python does not know would look like the bug.
_VERSION = """if sys.version_info < (3, 11):
    print("this needs Python 3.11 or later")
    sys.exit(2)
"""


def constants(source: ExportSource) -> str:
    """What the script is about, as assignments of literals."""
    crossing = source.crossing
    if is_service(source.handler):
        raise ExportError(
            f"{crossing.id} is of a running service, which a script cannot hold",
            remedy=f"repeat it with: crosslane replay TRACE {source.handler} --schedule REPORT.json",
        )
    requests = [dict(request) for request in crossing.requests]
    schedule = [step["lane"] for step in crossing.schedule]
    sink = {"request": crossing.sink.request, "source": crossing.source.lane}
    if crossing.kind == "derived":
        sink |= {"path": crossing.sink.path, "alone": crossing.alone}
    lines = [
        f"HANDLER = {source.handler!r}",
        f"FOLDER = {source.cwd!r}  # where that path was valid when this was exported",
        f"REQUESTS = {_literal(requests)}",
        "# The lane that runs at each step, from one await to the next.",
        f"SCHEDULE = {_literal(schedule)}",
        f"FAULTS = {_literal({n: step['action'] for n, step in enumerate(crossing.schedule) if 'action' in step})}",
        f"FOREIGN = {_literal(list(crossing.evidence_all))}  # values of {_comment(crossing.source.lane)}",
        f"SINK = {_literal(sink)}",
        f"UPSTREAM = {_literal(list(crossing.upstream_calls))}  # functions of the program that are upstream calls",
        *_stand_in(crossing),
    ]
    return "\n".join(lines)


def engine(crossing: Crossing) -> tuple[str, tuple[str, ...]]:
    """The carried modules that a crossing needs: their standard-library imports, and their bodies."""
    return _carried((*CARRIED, *CARRIED_UPSTREAM) if crossing.upstream else CARRIED)


def entry(crossing: Crossing) -> list[str]:
    """The last lines, which run it."""
    return [
        '\n\nif __name__ == "__main__":',
        _BEFORE if crossing.upstream else "    before = None",
        "    sys.exit(main(HANDLER, FOLDER, REQUESTS, SCHEDULE, FAULTS, FOREIGN, SINK, UPSTREAM, before))",
    ]


_BEFORE = """    def before(folders: list[str], heard: Heard) -> Callable[[], None]:
        return answer_for_upstream(STAND_IN, REQUESTS, folders, heard)
"""


def _stand_in(crossing: Crossing) -> list[str]:
    """What answered the handler's HTTP calls when this was found."""
    if not crossing.upstream:
        return []
    return [f"STAND_IN = {_literal({'mode': crossing.upstream, 'allow': list(crossing.upstream_allow)})}"]


def _headline(crossing: Crossing) -> str:
    lines = [f"{crossing.sink.lane} was answered with {crossing.source.lane}'s data: {crossing.sink.evidence}"]
    if crossing.carrier is not None:
        lines.append(
            f"through {crossing.carrier.name}, {crossing.carrier.kind_in_words} ({crossing.carrier.defined_at})"
        )
    for verb, access in (("written", crossing.write), ("read", crossing.read)):
        if access is not None:
            lines.append(f"{verb} by {access.lane} at {access.at}: {access.code}")
    lines.append(f"needs {crossing.needs.in_words()}")
    usage = (
        "python THIS_FILE                      exit 1 while the bug is there, 0 once it is fixed\n"
        "python THIS_FILE other.py:handler     the same for another handler"
    )
    return f"{_comments(lines)}\n#\n{textwrap.indent(usage, '# ')}\n"


def _comments(lines: list[str]) -> str:
    return "\n".join(f"# {_comment(line)}" for line in lines)


def _comment(text: str) -> str:
    """One line of a comment."""
    return visible(text, 300)


def _literal(value: object) -> str:
    return pprint.pformat(value, width=110, sort_dicts=False)


@cache
def _carried(names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The standard-library imports and the bodies of the carried modules, with their imports of each other left out."""
    imports: dict[str, None] = {}
    bodies: list[str] = []
    for name in names:
        text = (_ENGINE / name).read_text(encoding="utf-8")
        lines = text.splitlines()
        dropped: set[int] = set()
        for position, statement in enumerate(ast.parse(text).body):
            is_docstring = position == 0 and isinstance(statement, ast.Expr)
            is_typing = isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING"
            if not (is_docstring or is_typing or isinstance(statement, (ast.Import, ast.ImportFrom))):
                continue
            dropped.update(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
            if isinstance(statement, ast.ImportFrom) and (statement.level or statement.module == "__future__"):
                continue
            if isinstance(statement, (ast.Import, ast.ImportFrom)):
                imports.setdefault(ast.unparse(statement))
        kept = "\n".join(line for number, line in enumerate(lines, 1) if number not in dropped)
        bodies.append(kept.strip("\n") + "\n\n")
    ordered = sorted(line.replace("TYPE_CHECKING, ", "") for line in imports)
    return "\n".join(dict.fromkeys(ordered)) + "\n", tuple(bodies)
