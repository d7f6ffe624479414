"""The options that several commands share, and what they come to with the settings of the project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...replay.errors import CrosslaneError
from ...replay.settings import Settings, load_settings
from ...replay.worker.job import NO_LIMIT, NO_LIMIT_S

if TYPE_CHECKING:
    from ...replay.worker.client import WorkerOptions

TraceArgument = Annotated[Path, typer.Argument(help="A trace file (JSON lines).", show_default=False)]
HandlerArgument = Annotated[
    str,
    typer.Argument(
        help="file.py:attribute, package.module:attribute, …:factory() or http://127.0.0.1:8000", show_default=False
    ),
]
PythonOption = Annotated[str | None, typer.Option(help="Interpreter of your project; default: the current one.")]
CwdOption = Annotated[Path | None, typer.Option(help="Directory to run the handler in; default: the current one.")]
KindOption = Annotated[str | None, typer.Option(help="function, asgi, aiohttp or wsgi; default: detected.")]
BoundaryOption = Annotated[
    str | None, typer.Option(help="What must be isolated: user (the default), session, or a field of the request.")
]
UpstreamOption = Annotated[
    list[str] | None,
    typer.Option("--upstream-call", help="A function or method of the program that is an upstream call; repeatable."),
]
StandInOption = Annotated[
    str | None,
    typer.Option(
        help="What answers HTTP calls: recorded (the trace, LLMs and tools), echo (the whole prompt, LLMs only), pass "
        "(a server on this machine) or FILE.py:function; default: recorded where the trace has calls, else echo."
    ),
]
UpstreamAllowOption = Annotated[
    list[str] | None, typer.Option("--upstream-allow", help="Let calls to this host through for real; repeatable.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="Settings; default: crosslane.toml or pyproject.toml nearby.")
]
ConcurrencyOption = Annotated[int | None, typer.Option(min=1, help="Most requests in flight; 1 is serial.")]
BlockedOption = Annotated[float, typer.Option(min=0.1, help="Seconds after which a step counts as blocking the loop.")]


def worker_options(python: str | None, cwd: Path | None) -> WorkerOptions:
    from ...replay.worker.client import WorkerOptions

    return WorkerOptions(python, (cwd or Path.cwd()).absolute())


def settings(
    options: WorkerOptions,
    file: Path | None,
    boundary: str | None,
    upstream_calls: list[str] | None,
    upstream: str | None,
    upstream_allow: list[str] | None,
) -> Settings:
    """The project's settings, with what the command line says in their place."""
    found = load_settings(options.cwd, file)
    return Settings(
        boundary or found.boundary,
        tuple(upstream_calls) if upstream_calls else found.upstream_calls,
        found.allow,
        upstream or found.upstream,
        tuple(upstream_allow) if upstream_allow else found.upstream_allow,
    )


def budget_of(text: str) -> tuple[float, int]:
    """Seconds and executions; what is not given has no limit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|x|)", text.strip())
    if match is None:
        raise CrosslaneError(f"cannot read the budget {text!r}", remedy="write it like 30s, 500ms, 2m or 5000x")
    if match[2] == "x":
        return NO_LIMIT_S, int(float(match[1]))
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}[match[2]], NO_LIMIT
