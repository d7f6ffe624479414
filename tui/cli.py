"""The command line. Exit codes: 0 clean, 1 contaminated, 2 bad input or usage, 3 inconclusive."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from rich.console import Console
from rich.text import Text

from ..replay.errors import CrosslaneError, ScheduleError
from ..replay.report import EXIT_CODES
from ..replay.schedule.schedule import FAULTS, Schedule
from ..replay.schedule.schedule import to_json as schedule_to_json
from ..replay.settings import Settings, load_settings
from ..replay.worker.job import DEFAULT_BLOCKED_AFTER_S, DEFAULT_SWITCHES, NO_LIMIT, NO_LIMIT_S, Job
from .commands import auditing, importing, recording, redacting, service_run, slicing
from .folders import findings_folder
from .safe_text import safe

if TYPE_CHECKING:
    from ..replay.report import Result
    from ..replay.service.options import ServiceOptions
    from ..replay.trace.model import Exchange, Trace
    from ..replay.worker.client import WorkerOptions
    from ..replay.worker.job import Progress

app = typer.Typer(
    name="crosslane",
    help="Find where one user's data reached another: replay recorded requests under controlled concurrency.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

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


@app.command()
def demo() -> None:
    """Open the interface on a bundled trace and the buggy agent that it came from."""
    from . import samples

    folder = samples.folder()
    _open_app(folder / samples.DEMO_TRACE, samples.DEMO_HANDLER, _options(None, folder), None, Settings(), None)


@app.command("open")
def open_(
    trace: Annotated[Path | None, typer.Argument(help="A trace file.", show_default=False)] = None,
    handler: Annotated[str | None, typer.Argument(help="The handler to replay it on.", show_default=False)] = None,
    python: PythonOption = None,
    cwd: CwdOption = None,
    kind: KindOption = None,
    boundary: BoundaryOption = None,
    concurrency: ConcurrencyOption = None,
    upstream_call: UpstreamOption = None,
    upstream: StandInOption = None,
    upstream_allow: UpstreamAllowOption = None,
    config: ConfigOption = None,
    llm_port: service_run.LlmPortOption = 0,
    launch: service_run.LaunchOption = None,
) -> None:
    """Open the interface on a trace and a handler; without them, a start screen."""
    options = _options(python, cwd)
    settings = _settings(options, config, boundary, upstream_call, upstream, upstream_allow)
    _open_app(trace, handler, options, kind, settings, concurrency, llm_port, launch)


@app.command()
def check(
    trace: TraceArgument,
    handler: HandlerArgument,
    concurrency: ConcurrencyOption = None,
    budget: Annotated[
        str, typer.Option(help="How long the search may take: 30s, 500ms, 2m, or 5000x executions.")
    ] = "30s",
    switches: Annotated[int, typer.Option(min=0, help="Most switches a schedule may have.")] = DEFAULT_SWITCHES,
    faults: Annotated[bool, typer.Option(help="Also cancel requests, let limits pass and upstream calls fail.")] = True,
    variants: Annotated[bool, typer.Option(help="Also try requests again, and users who ask the same.")] = True,
    format: Annotated[  # noqa: A002
        Literal["text", "json", "sarif", "junit"], typer.Option(help="text, json, sarif or junit.")
    ] = "text",
    python: PythonOption = None,
    cwd: CwdOption = None,
    kind: KindOption = None,
    boundary: BoundaryOption = None,
    upstream_call: UpstreamOption = None,
    upstream: StandInOption = None,
    upstream_allow: UpstreamAllowOption = None,
    config: ConfigOption = None,
    blocked_after: BlockedOption = DEFAULT_BLOCKED_AFTER_S,
    llm_port: service_run.LlmPortOption = 0,
    launch: service_run.LaunchOption = None,
    fresh: service_run.FreshOption = "restart",
    identity: service_run.IdentityOption = "recorded",
    settle: service_run.SettleOption = 0.25,
    allow_remote: service_run.RemoteOption = False,
) -> None:
    """Search the interleavings of a trace for crossings; name, minimise and explain what is found."""
    loaded = _load(trace)
    options = _options(python, cwd)
    settings = _settings(options, config, boundary, upstream_call, upstream, upstream_allow)
    seconds, executions = _budget(budget)
    job = Job(
        "check",
        str(trace),
        _replayable(loaded),
        handler,
        kind,
        settings.boundary or "user",
        concurrency,
        seconds,
        switches,
        executions,
        blocked_after_s=blocked_after,
        upstream_calls=settings.upstream_calls,
        upstream=settings.upstream,
        upstream_allow=settings.upstream_allow,
        allow=settings.allow,
        faults=faults,
        variants=variants,
    )
    service = service_run.options(options.cwd, llm_port, launch, fresh, identity, settle, allow_remote)
    result = _run(job, options, service)
    kept = _keep(result, job, options.cwd)
    match format:
        case "json":
            _print_json(result.report.to_json())
        case "sarif":
            from ..replay.export.sarif import sarif_report

            sys.stdout.write(sarif_report(result.report, str(options.cwd)))
        case "junit":
            from ..replay.export.junit import junit_report

            _print_utf8(junit_report(result.report))
        case "text":
            _print_text(result, kept and not service_run.is_service(handler))
    raise typer.Exit(result.report.exit_code)


@app.command()
def replay(
    trace: TraceArgument,
    handler: HandlerArgument,
    concurrency: ConcurrencyOption = None,
    schedule: Annotated[Path | None, typer.Option(help="Follow the schedule in this file exactly.")] = None,
    seed: Annotated[int | None, typer.Option(help="Choose at random, repeatably.")] = None,
    serial: Annotated[bool, typer.Option("--serial", help="One lane after another.")] = False,
    best_effort: Annotated[
        bool, typer.Option("--best-effort", help="Follow a schedule that no longer fits as far as it goes.")
    ] = False,
    save_schedule: Annotated[Path | None, typer.Option(help="Write the schedule that was followed.")] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="text or json.")] = "text",  # noqa: A002
    python: PythonOption = None,
    cwd: CwdOption = None,
    kind: KindOption = None,
    boundary: BoundaryOption = None,
    upstream_call: UpstreamOption = None,
    upstream: StandInOption = None,
    upstream_allow: UpstreamAllowOption = None,
    config: ConfigOption = None,
    blocked_after: BlockedOption = DEFAULT_BLOCKED_AFTER_S,
    llm_port: service_run.LlmPortOption = 0,
    launch: service_run.LaunchOption = None,
    fresh: service_run.FreshOption = "restart",
    identity: service_run.IdentityOption = "recorded",
    settle: service_run.SettleOption = 0.25,
    allow_remote: service_run.RemoteOption = False,
    together: service_run.TogetherOption = False,
) -> None:
    """Execute a trace once and print the lanes side by side. Lockstep, unless told otherwise."""
    if sum((schedule is not None, seed is not None, serial)) > 1:
        raise CrosslaneError("--schedule, --seed and --serial exclude each other", remedy="give one of them")
    loaded = _load(trace)
    options = _options(python, cwd)
    settings = _settings(options, config, boundary, upstream_call, upstream, upstream_allow)
    followed = None if schedule is None else read_schedule(schedule)
    if followed is not None and best_effort:
        followed = Schedule(followed.names, followed.faults)
    job = Job(
        "replay",
        str(trace),
        _replayable(loaded),
        handler,
        kind,
        settings.boundary or "user",
        concurrency,
        schedule=followed,
        best_effort=best_effort,
        order="random" if seed is not None else "serial" if serial or concurrency == 1 else "lockstep",
        seed=seed or 0,
        blocked_after_s=blocked_after,
        upstream_calls=settings.upstream_calls,
        upstream=settings.upstream,
        upstream_allow=settings.upstream_allow,
        allow=settings.allow,
    )
    service = service_run.options(options.cwd, llm_port, launch, fresh, identity, settle, allow_remote, together)
    result = _run(job, options, service)
    if save_schedule is not None:
        decisions = schedule_to_json(result.run.decisions)
        kept = {"version": 1, **result.environment, "handler": handler, "trace": str(trace), "decisions": decisions}
        _write(save_schedule, json.dumps(kept, indent=1) + "\n")
    kept = _keep(result, job, options.cwd)
    if format == "json":
        _print_json({**result.report.to_json(), "run": result.run.to_json()})
    else:
        _print_text(result, kept and not service_run.is_service(handler))
    raise typer.Exit(EXIT_CODES[result.report.verdict])


@app.command()
def export(
    finding: Annotated[str, typer.Argument(help="report.json, report.json#ID, or the id of a finding.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write; - for standard output.")],
    as_: Annotated[
        str | None,
        typer.Option(
            "--as",
            help="script, pytest, html, svg, mermaid, sarif, junit or trace; default: what the file's name ends in.",
        ),
    ] = None,
) -> None:
    """Write a finding as a file: a repro to run, a page or picture to show, results for CI, or its smallest trace."""
    from ..replay.export.findings import load_finding
    from ..replay.export.formats import format_named

    chosen = format_named(as_, str(output))
    text = chosen.write(load_finding(finding, findings_folder(), Path.cwd()))
    if str(output) == "-":
        _print_utf8(text)
        return
    _write(output, text)
    name = safe(str(output))
    Console(stderr=True).print(Text(f"wrote {name}; {chosen.use.replace('{file}', name)}"), soft_wrap=True)


app.command("record")(recording.record)
app.command("audit")(auditing.audit)
app.command("redact")(redacting.redact)
app.command("import")(importing.import_)
app.command("slice")(slicing.slice_)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    if show:
        from importlib.metadata import version as installed

        sys.stdout.write(f"crosslane {installed('crosslane')}\n")
        raise typer.Exit


def main() -> None:
    """Entry point: errors become one line and exit code 2, and a closed pipe is no error."""
    try:
        # Without its standalone mode, click returns the code of an Exit instead of raising it.
        status = int(app(standalone_mode=False) or 0)
    except CrosslaneError as error:
        status = _fail(str(error))
    except typer.Abort:
        status = 130
    except BrokenPipeError:
        # Python would complain again while it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except Exception as error:
        # Usage errors of click, which typer carries along under changing names; anything else is ours and must be seen.
        if not hasattr(error, "format_message"):
            raise
        message = cast("Any", error).format_message()
        status = _fail(" ".join(message.split()) + "; see crosslane --help") if message else 2
    sys.exit(status)


def read_schedule(path: Path) -> Schedule:
    """A schedule from a JSON file: a list of lane names, a list of decisions, or an object that has either.

    Raises:
        ScheduleError: there is none in it.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScheduleError(f"cannot be read: {error.strerror}", str(path)) from None
    except ValueError as error:
        raise ScheduleError(f"is not JSON: {error}", str(path)) from None
    if isinstance(data, dict):
        members = cast("dict[str, Any]", data)
        crossings = members.get("crossings")
        if isinstance(crossings, list) and crossings:
            members = cast("dict[str, Any]", crossings[0])
        data = members.get("decisions", members.get("schedule"))
    names: list[str] = []
    faults: list[tuple[int, str]] = []
    for item in cast("list[Any]", data) if isinstance(data, list) else ():
        name = cast("dict[str, Any]", item).get("lane") if isinstance(item, dict) else item
        action = cast("dict[str, Any]", item).get("action") if isinstance(item, dict) else None
        if action is not None and action not in FAULTS:
            raise ScheduleError(f"has an unknown action {action!r}", str(path), f"known: {', '.join(FAULTS)}")
        if action:
            faults.append((len(names), str(action)))
        if not isinstance(name, str):
            raise ScheduleError("has a step without a lane", str(path), 'a schedule is ["alice", "alice", "bob"]')
        names.append(name)
    if not names:
        raise ScheduleError("has no schedule in it", str(path), 'a schedule is ["alice", "alice", "bob"]')
    steps = cast("list[Any]", data)
    if not all(isinstance(step, dict) and {"enabled", "at"} <= set(cast("dict[str, Any]", step)) for step in steps):
        return Schedule(tuple(names), tuple(faults))
    enabled = tuple(tuple(map(str, step["enabled"])) for step in steps)
    return Schedule(tuple(names), tuple(faults), enabled, tuple(step["at"] for step in steps))


def _settings(
    options: WorkerOptions,
    file: Path | None,
    boundary: str | None,
    upstream_calls: list[str] | None,
    upstream: str | None,
    upstream_allow: list[str] | None,
) -> Settings:
    """The project's settings, with what the command line says in their place."""
    settings = load_settings(options.cwd, file)
    return Settings(
        boundary or settings.boundary,
        tuple(upstream_calls) if upstream_calls else settings.upstream_calls,
        settings.allow,
        upstream or settings.upstream,
        tuple(upstream_allow) if upstream_allow else settings.upstream_allow,
    )


def _replayable(trace: Trace) -> tuple[Exchange, ...]:
    """The exchanges whose requests were recorded in full. The rest is named: it is not there to be replayed."""
    kept = tuple(exchange for exchange in trace.exchanges if exchange.request.grade == "replayable")
    left = len(trace.exchanges) - len(kept)
    if not kept:
        raise CrosslaneError(
            "holds no request that can be replayed: the content of all of them was not recorded",
            trace.path,
            "record it with bodies, or look at it with crosslane audit",
        )
    if left:
        text = f"{left} of {len(trace.exchanges)} requests are left out: their content was not recorded"
        Console(stderr=True).print(Text(text, "yellow"), soft_wrap=True)
    return kept


def _options(python: str | None, cwd: Path | None) -> WorkerOptions:
    from ..replay.worker.client import WorkerOptions

    return WorkerOptions(python, (cwd or Path.cwd()).absolute())


def _load(path: Path) -> Trace:
    from ..replay.trace.store import load

    trace = load(path)
    console = Console(stderr=True)
    for problem in trace.problems[:10]:
        console.print(Text(f"{safe(trace.path)}:{problem.line}: {safe(problem.message)}", "yellow"), soft_wrap=True)
    if len(trace.problems) > 10:
        console.print(Text(f"{safe(trace.path)}: and {len(trace.problems) - 10} more lines like that", "yellow"))
    return trace


def _budget(text: str) -> tuple[float, int]:
    """Seconds and executions; what is not given has no limit."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|x|)", text.strip())
    if match is None:
        raise CrosslaneError(f"cannot read the budget {text!r}", remedy="write it like 30s, 500ms, 2m or 5000x")
    if match[2] == "x":
        return NO_LIMIT_S, int(float(match[1]))
    return float(match[1]) * {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}[match[2]], NO_LIMIT


def _run(job: Job, options: WorkerOptions, service: ServiceOptions) -> Result:
    """Run a job with a line of progress on a terminal; ctrl-c asks it to stop and keeps what it found."""
    console = Console(stderr=True)

    async def work() -> Result:
        async with service_run.runner(job.handler, options, service) as worker:
            stopping: set[asyncio.Task[None]] = set()

            def interrupt() -> None:
                stopping.add(asyncio.ensure_future(worker.cancel()))

            for each in (signal.SIGINT, signal.SIGTERM):  # a launched service must not outlive us
                with contextlib.suppress(NotImplementedError):
                    asyncio.get_running_loop().add_signal_handler(each, interrupt)
            if not console.is_terminal:
                return await worker.run(job)
            with console.status("starting") as status:

                def show(progress: Progress) -> None:
                    found = f", {progress.findings} found" if progress.findings else ""
                    status.update(
                        Text(f"{progress.phase}: {progress.executions} executions, {progress.per_second:,.0f}/s{found}")
                    )

                return await worker.run(job, show)

    return asyncio.run(work())


def _keep(result: Result, job: Job, cwd: Path) -> bool:
    """Keep the findings for `export ID`; a place that cannot be written is no reason to fail."""
    from ..replay.export.findings import save

    try:
        save(result.report.crossings, job.handler, job.kind, cwd, findings_folder(), result.findings)
    except OSError:
        return False
    return True


def _print_text(result: Result, kept: bool) -> None:
    from .report_text import print_result

    console = Console(highlight=False)
    print_result(console, result, kept)


def _print_json(data: dict[str, Any]) -> None:
    # ASCII, so that neither a lone surrogate nor a terminal escape of a trace gets out raw.
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def _print_utf8(text: str) -> None:
    # Whatever the locale says: the formats name their encoding.
    sys.stdout.buffer.write(text.encode("utf-8"))
    sys.stdout.flush()


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CrosslaneError(f"cannot be written: {error.strerror}", str(path)) from None


def _fail(line: str) -> int:
    Console(stderr=True).print(Text(f"crosslane: {safe(line)}"), soft_wrap=True)
    return 2


def _open_app(
    path: Path | None,
    handler: str | None,
    options: WorkerOptions,
    kind: str | None,
    settings: Settings,
    concurrency: int | None,
    llm_port: int = 0,
    launch: str | None = None,
) -> None:
    from .app import CrosslaneApp
    from .session import OpenSession

    trace = None if path is None else _load(path)
    runner = service_run.runner_of(handler, llm_port, launch)
    CrosslaneApp(OpenSession(trace, handler, options, kind, settings, concurrency, runner)).run()
