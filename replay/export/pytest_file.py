"""`export --as pytest`: a finding as a test file that fails now and passes once the bug is fixed.

The test runs the file itself as a script, in an interpreter of its own: the loop that forces the interleaving replaces
locks and the event loop, which must not happen in the process of somebody's test suite. So the file is the script of
`export --as script` with a test and an explanation above it, and needs pytest and the handler, nothing else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .script import constants, engine, entry
from .story import facts, headline, request_text
from .visible import visible

if TYPE_CHECKING:
    from ..report import Crossing
    from .findings import ExportSource


def pytest_file(source: ExportSource) -> str:
    """The source text of the test. Content of the trace is in it as literals and comments, never as code."""
    imports, bodies = engine(source.crossing)
    own = ("import os", "import subprocess", "import sys")
    lines = sorted({*imports.splitlines(), *own})
    parts = [
        "# ruff: noqa\n# mypy: ignore-errors\n# pyright: basic",
        _explanation(source.crossing),
        "from __future__ import annotations\n",
        "\n".join(lines) + "\n",
        constants(source),
        "",
        "",
        f"def test_{_name(source.crossing)}():",
        _TEST,
        "\n\n# What follows forces that order of steps on the handler: an event loop that runs one chosen user",
        "# at a time, and the code that calls the handler. There is nothing of this bug in it.\n",
        *bodies,
        *entry(source.crossing),
    ]
    return "\n".join(parts) + "\n"


_TEST = """    done = subprocess.run(
        [sys.executable, os.path.abspath(__file__)],
        cwd=folder_of_the_handler(HANDLER, FOLDER),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, "\\n" + done.stdout + done.stderr"""


def _explanation(crossing: Crossing) -> str:
    """What happened and what to do, in words that need no glossary."""
    sink, source = crossing.sink.lane, crossing.source.lane
    lines = [
        f"{headline(crossing)}.",
        "",
        "Each of these requests is right when it is the only one. Together, in the order of SCHEDULE, they are not:",
        "",
        *(f"  {request.get('lane', '')}: {visible(request_text(request), 160)}" for request in crossing.requests),
        "",
        *(f"  {label:<8} {visible(text, 400)}" for label, text in facts(crossing)),
        "",
        f"The test fails while anything of {source}'s reaches {sink}, and passes once the bug is fixed.",
        "It needs pytest and the handler. It also fails, and says so, when the handler cannot be loaded",
        "or does not answer. To see the answers, run this file with python; to try another handler,",
        "name it: python THIS_FILE other.py:handler",
    ]
    return "\n".join(f"# {visible(line)}".rstrip() for line in lines) + "\n"


def _name(crossing: Crossing) -> str:
    words = f"{crossing.sink.lane} is not shown what belongs to {crossing.source.lane}"
    return re.sub(r"[^a-z0-9]+", "_", words.casefold())[:80].strip("_") + f"_{re.sub(r'[^a-z0-9]', '', crossing.id)}"
