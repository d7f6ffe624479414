"""`crosslane check`: search, explain, minimise; for people and for CI."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from ...replay.budget import DEFAULT_BUDGET, budget_of
from ...replay.known_findings import load_baseline, renewed, with_known
from ...replay.worker.job import DEFAULT_BLOCKED_AFTER_S, DEFAULT_SWITCHES, Job
from . import options, printing, run, service_run
from .declared import Option


def check(
    trace: options.TraceArgument = None,
    handler: options.HandlerArgument = None,
    concurrency: options.ConcurrencyOption = None,
    budget: Annotated[
        str | None,
        Option(help="How long the search may take: 30s (the default), 500ms, 2m, or 5000x executions."),
    ] = None,
    switches: Annotated[int, Option(min=0, help="Most switches a schedule may have.")] = DEFAULT_SWITCHES,
    faults: Annotated[bool, Option(help="Also cancel requests, let limits pass and upstream calls fail.")] = True,
    variants: Annotated[bool, Option(help="Also try requests again, and users who ask the same.")] = True,
    format: Annotated[  # noqa: A002
        Literal["text", "json", "sarif", "junit"], Option(help="text, json, sarif or junit.")
    ] = "text",
    baseline: Annotated[
        Path | None, Option(help="Findings that are known and do not fail; default: the project's setting.")
    ] = None,
    write_baseline: Annotated[
        Path | None, Option(help="Write what was found into this file, as known from now on.")
    ] = None,
    reason: Annotated[str, Option(help="With --write-baseline: why the new entries are known.")] = "",
    jobs: Annotated[
        int, Option(min=0, help="Processes that search, each with the program in it; 0 is one a core.")
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
    identity: service_run.IdentityOption = None,
    settle: service_run.SettleOption = 0.25,
    allow_remote: service_run.RemoteOption = False,
) -> None:
    """Search the interleavings of a trace for crossings; name, minimise and explain what is found."""
    asked = options.asked(trace, handler, python, cwd, config, boundary, upstream_call, upstream, upstream_allow)
    settings, worker = asked.settings, asked.worker
    seconds, executions = budget_of(budget or settings.budget or DEFAULT_BUDGET)
    began = time.monotonic()
    loaded = run.load_trace(asked.trace)
    loading_s = time.monotonic() - began
    file = baseline or settings.baseline
    # The project's settings may name a baseline that is about to be written for the first time.
    anew = file is not None and write_baseline is not None and file.absolute() == write_baseline.absolute()
    known = load_baseline(file, must_exist=not anew) if file is not None else None
    job = Job(
        "check",
        loaded.path,
        run.replayable(loaded, settings.upstream),
        asked.handler,
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
        skipped=loaded.skipped,
        faults=faults,
        variants=variants,
        known=known.fingerprints if known is not None else (),
        baselines=False,
    ).less(loading_s)
    service = service_run.options(
        worker.cwd, llm_port, launch, fresh, identity or settings.identity, settle, allow_remote
    )
    result = run.run_job(job, worker, service, jobs)
    if write_baseline is not None:
        known = load_baseline(write_baseline, must_exist=False)
        printing.write(write_baseline, renewed(result.report, known, reason))
        known = load_baseline(write_baseline)
    if known is not None:
        result = replace(result, report=with_known(result.report, known))
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
            printing.print_text(result, kept and not service_run.is_service(asked.handler))
    raise SystemExit(result.report.exit_code)
