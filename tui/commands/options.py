"""The options that several commands share, and what they come to with the settings of the project."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ...replay.settings import Settings, load_settings
from .declared import Argument, Option

if TYPE_CHECKING:
    from ...replay.worker.options import WorkerOptions

TraceArgument = Annotated[
    Path | None,
    Argument(
        help="A trace file (JSON lines), - for standard input; default: the project's setting.", show_default=False
    ),
]
HandlerArgument = Annotated[
    str | None,
    Argument(
        help="file.py:attribute, package.module:attribute, …:factory() or http://127.0.0.1:8000; default: the "
        "project's setting.",
        show_default=False,
    ),
]
PythonOption = Annotated[str | None, Option(help="Interpreter of your project; default: the current one.")]
CwdOption = Annotated[Path | None, Option(help="Directory to run the handler in; default: the current one.")]
KindOption = Annotated[str | None, Option(help="function, asgi, aiohttp or wsgi; default: detected.")]
BoundaryOption = Annotated[
    str | None, Option(help="What must be isolated: user (the default), session, or a field of the request.")
]
UpstreamOption = Annotated[
    list[str] | None,
    Option(
        names=("--upstream-call",), help="A function or method of the program that is an upstream call; repeatable."
    ),
]
StandInOption = Annotated[
    str | None,
    Option(
        help="What answers HTTP calls: recorded (the trace, LLMs and tools), echo (the whole prompt, LLMs only), pass "
        "(a server on this machine) or FILE.py:function; default: recorded where the trace has calls, else echo."
    ),
]
UpstreamAllowOption = Annotated[
    list[str] | None, Option(names=("--upstream-allow",), help="Let calls to this host through for real; repeatable.")
]
ConfigOption = Annotated[
    Path | None, Option(names=("--config",), help="Settings; default: crosslane.toml or pyproject.toml nearby.")
]
ConcurrencyOption = Annotated[int | None, Option(min=1, help="Most requests in flight; 1 is serial.")]
BlockedOption = Annotated[float, Option(min=0.1, help="Seconds after which a step counts as blocking the loop.")]


def worker_options(python: str | None, cwd: Path | None) -> WorkerOptions:
    from ...replay.worker.options import WorkerOptions

    return WorkerOptions(python, (cwd or Path.cwd()).absolute())


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command is about: what was named, and what is set for the project where it was not."""

    trace: Path
    handler: str
    worker: WorkerOptions
    settings: Settings


def asked(
    trace: Path | None,
    handler: str | None,
    python: str | None,
    cwd: Path | None,
    config: Path | None,
    boundary: str | None,
    upstream_call: list[str] | None,
    upstream: str | None,
    upstream_allow: list[str] | None,
) -> Asked:
    """Settle what a command is about. One argument alone is the trace, unless only a handler can be meant.

    Raises:
        CrosslaneError: a trace or a handler is neither named nor set, or the settings cannot be read.
    """
    from ...replay.asking import handler_or_set, trace_or_set

    worker = worker_options(python, cwd)
    settings = load_settings(worker.cwd, config).overridden(boundary, upstream_call, upstream, upstream_allow)
    if handler is None and trace is not None and ":" in str(trace) and not trace.exists():
        trace, handler = None, str(trace)
    if handler is None and cwd is None and settings.folder is not None:
        worker = replace(worker, cwd=settings.folder)
    file = trace_or_set(trace, settings)
    return Asked(Path(str(file)), handler_or_set(handler, settings), worker, settings)
