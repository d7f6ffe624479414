"""What was chosen on the start screen becomes a session; what was opened is remembered for it. Run in threads."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ..replay.repro import repro_boundary, repro_trace
from ..replay.settings import Settings, load_settings
from ..replay.trace.store import load
from . import samples
from .folders import state_folder
from .recent import KeptFinding, Work, remember

if TYPE_CHECKING:
    from .session import OpenSession

What: TypeAlias = Work | KeptFinding | None
"""None is the demo."""


def session_on(session: OpenSession, what: What) -> OpenSession:
    """The session on what was chosen, with whatever else holds for `session`.

    Raises:
        CrosslaneError: the trace cannot be read, or the project's settings.
    """
    if what is None:
        options = replace(session.options, cwd=samples.folder())
        trace = load(samples.folder() / samples.DEMO_TRACE)
        return replace(session, trace=trace, handler=samples.DEMO_HANDLER, options=options, settings=Settings())
    if isinstance(what, KeptFinding):
        source = what.source
        crossing = source.crossing
        options = replace(session.options, cwd=Path(source.cwd))
        settings = Settings(
            repro_boundary(crossing), crossing.upstream_calls, (), crossing.upstream, crossing.upstream_allow
        )
        trace = repro_trace(crossing)
        return replace(
            session, trace=trace, handler=source.handler, kind=source.kind, options=options, settings=settings
        )
    options = replace(session.options, cwd=Path(what.cwd))
    settings = session.settings if options == session.options else load_settings(Path(what.cwd), None)
    trace = load(Path(what.trace))
    return replace(
        session,
        trace=trace,
        handler=what.handler,
        kind=what.kind or session.kind,
        options=options,
        settings=settings,
    )


def remembered(session: OpenSession) -> None:
    """Put the session in front of the recent work; the demo is always there."""
    assert session.trace is not None
    if session.options.cwd == samples.folder() and session.handler == samples.DEMO_HANDLER:
        return
    trace = str(Path(session.trace.path).absolute())
    remember(Work(trace, session.handler or "", str(session.options.cwd), session.kind, time.time()), state_folder())


def imported(file: str, output: Path) -> int:
    """How many requests of `file` are in the trace now.

    Raises:
        CrosslaneError: see `import_files`.
    """
    from ..replay.formats.importing import import_files
    from ..replay.formats.source import sources
    from ..replay.trace.redaction import Redactor
    from ..replay.trace.redaction_key import redaction_key

    with sources([file]) as opened:
        return import_files(opened, output, redactor=Redactor(redaction_key())).requests
