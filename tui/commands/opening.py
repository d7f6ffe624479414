"""`crosslane open` and `crosslane demo`: the interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ...replay.errors import CrosslaneError
from ...replay.settings import Settings, load_settings
from . import options, run, service_run
from .declared import Argument

if TYPE_CHECKING:
    from ...replay.worker.options import WorkerOptions


def demo() -> None:
    """Open the interface on a bundled trace and the buggy agent that it came from."""
    from .. import samples

    folder = samples.folder()
    _open_app(
        folder / samples.DEMO_TRACE, samples.DEMO_HANDLER, options.worker_options(None, folder), None, Settings(), None
    )


def open_(
    trace: Annotated[Path | None, Argument(help="A trace file.", show_default=False)] = None,
    handler: Annotated[str | None, Argument(help="The handler to replay it on.", show_default=False)] = None,
    python: options.PythonOption = None,
    cwd: options.CwdOption = None,
    kind: options.KindOption = None,
    boundary: options.BoundaryOption = None,
    concurrency: options.ConcurrencyOption = None,
    upstream_call: options.UpstreamOption = None,
    upstream: options.StandInOption = None,
    upstream_allow: options.UpstreamAllowOption = None,
    config: options.ConfigOption = None,
    llm_port: service_run.LlmPortOption = 0,
    launch: service_run.LaunchOption = None,
) -> None:
    """Open the interface on a trace and a handler; without them, a start screen."""
    worker = options.worker_options(python, cwd)
    settings = load_settings(worker.cwd, config).overridden(boundary, upstream_call, upstream, upstream_allow)
    _open_app(trace, handler, worker, kind, settings, concurrency, llm_port, launch)


def _open_app(
    path: Path | None,
    handler: str | None,
    worker: WorkerOptions,
    kind: str | None,
    settings: Settings,
    concurrency: int | None,
    llm_port: int = 0,
    launch: str | None = None,
) -> None:
    from .. import garbage

    garbage.hold()
    from ...replay.trace.piped import STDIN
    from ..app import CrosslaneApp
    from ..session import OpenSession

    if str(path) == STDIN:
        raise CrosslaneError("the interface needs standard input for its keys", STDIN, "put the trace into a file")
    trace = None if path is None else run.load_trace(path)
    runner = service_run.runner_of(handler, llm_port, launch)
    status = CrosslaneApp(OpenSession(trace, handler, worker, kind, settings, concurrency, runner)).show()
    raise SystemExit(status)
