"""`crosslane check`: search, explain, minimise; for people and for CI."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from ...replay.worker.job import DEFAULT_BLOCKED_AFTER_S, DEFAULT_SWITCHES, Job
from . import options, printing, run, service_run


def check(
    trace: options.TraceArgument,
    handler: options.HandlerArgument,
    concurrency: options.ConcurrencyOption = None,
    budget: Annotated[
        str, typer.Option(help="How long the search may take: 30s, 500ms, 2m, or 5000x executions.")
    ] = "30s",
    switches: Annotated[int, typer.Option(min=0, help="Most switches a schedule may have.")] = DEFAULT_SWITCHES,
    faults: Annotated[bool, typer.Option(help="Also cancel requests, let limits pass and upstream calls fail.")] = True,
    variants: Annotated[bool, typer.Option(help="Also try requests again, and users who ask the same.")] = True,
    format: Annotated[  # noqa: A002
        Literal["text", "json", "sarif", "junit"], typer.Option(help="text, json, sarif or junit.")
    ] = "text",
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes that search, each with the program in it; 0 is one a core.")
    ] = 0,
    python: options.PythonOption = None,
    cwd: options.CwdOption = None,
    kind: options.KindOption = None,
    boundary: options.BoundaryOption = None,
    upstream_call: options.UpstreamOption = None,
    upstream: options.StandInOption = None,
    upstream_allow: options.UpstreamAllowOption = None,
    config: options.ConfigOption = None,
    blocked_after: options.BlockedOption = DEFAULT_BLOCKED_AFTER_S,
    llm_port: service_run.LlmPortOption = 0,
    launch: service_run.LaunchOption = None,
    fresh: service_run.FreshOption = "restart",
    identity: service_run.IdentityOption = "recorded",
    settle: service_run.SettleOption = 0.25,
    allow_remote: service_run.RemoteOption = False,
) -> None:
    """Search the interleavings of a trace for crossings; name, minimise and explain what is found."""
    loaded = run.load_trace(trace)
    worker = options.worker_options(python, cwd)
    settings = options.settings(worker, config, boundary, upstream_call, upstream, upstream_allow)
    seconds, executions = options.budget_of(budget)
    job = Job(
        "check",
        str(trace),
        run.replayable(loaded),
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
    service = service_run.options(worker.cwd, llm_port, launch, fresh, identity, settle, allow_remote)
    result = run.run_job(job, worker, service, jobs)
    kept = run.keep(result, job, worker.cwd)
    match format:
        case "json":
            printing.print_json(result.report.to_json())
        case "sarif":
            from ...replay.export.sarif import sarif_report

            sys.stdout.write(sarif_report(result.report, str(worker.cwd)))
        case "junit":
            from ...replay.export.junit import junit_report

            printing.print_utf8(junit_report(result.report))
        case "text":
            printing.print_text(result, kept and not service_run.is_service(handler))
    raise typer.Exit(result.report.exit_code)
