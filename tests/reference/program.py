"""A loaded program inside the test's own process: the worker's pieces, without the pipe and its watchers."""

from __future__ import annotations

import itertools
from pathlib import Path

from crosslane.replay.handler.load import load, locate
from crosslane.replay.handler.service import Service
from crosslane.replay.program import Program
from crosslane.replay.schedule.execute import NOTHING_HEARD, Engine
from crosslane.replay.state.files import UserFiles
from crosslane.replay.state.fresh import Fresh
from crosslane.replay.state.graph import StateGraph

_serial = itertools.count()


class NoPulse:
    """Nothing here can hang."""

    limit_s = 5.0

    def restart_in_child(self, beat: object) -> None: ...
    def stop(self) -> None: ...


def program_of(source: str, folder: Path) -> Program:
    """Write the source to a module of its own name and load it."""
    name = f"small_{next(_serial)}"
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    files = UserFiles(str(folder.resolve()), (str(folder.resolve()),))
    spec = f"{path}:handle"
    handler = load(locate(spec, str(folder)), spec, None, files)
    engine = Engine(
        lambda: Service(handler.kind, handler.target, handler.roles),
        lambda request: NOTHING_HEARD,
        list,
        lambda loop: None,
        lambda error: None,
    )
    fresh = Fresh(False, NoPulse(), lambda: False)
    # The libraries of the test's own process are none of the program's.
    fresh.start(StateGraph(files, libraries=False))
    return Program(handler, files, fresh, engine, lambda: False)
