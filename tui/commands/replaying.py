"""`crosslane replay`: one execution, and the schedules that are read and written for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from ...replay.errors import CrosslaneError, ScheduleError
from ...replay.report import EXIT_CODES
from ...replay.schedule.schedule import FAULTS, Schedule
from ...replay.schedule.schedule import to_json as schedule_to_json
from ...replay.worker.job import DEFAULT_BLOCKED_AFTER_S, Job
from . import options, printing, run, service_run
from .declared import Option


def replay(
    trace: options.TraceArgument = None,
    handler: options.HandlerArgument = None,
    concurrency: options.ConcurrencyOption = None,
    schedule: Annotated[Path | None, Option(help="Follow the schedule in this file exactly.")] = None,
    seed: Annotated[int | None, Option(help="Choose at random, repeatably.")] = None,
    serial: Annotated[bool, Option(names=("--serial",), help="One lane after another.")] = False,
    best_effort: Annotated[
        bool, Option(names=("--best-effort",), help="Follow a schedule that no longer fits as far as it goes.")
    ] = False,
    save_schedule: Annotated[Path | None, Option(help="Write the schedule that was followed.")] = None,
    format: Annotated[Literal["text", "json"], Option(help="text or json.")] = "text",  # noqa: A002
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
    together: service_run.TogetherOption = False,
) -> None:
    """Execute a trace once and print the lanes side by side. Lockstep, unless told otherwise."""
    if sum((schedule is not None, seed is not None, serial)) > 1:
        raise CrosslaneError("--schedule, --seed and --serial exclude each other", remedy="give one of them")
    asked = options.asked(trace, handler, python, cwd, config, boundary, upstream_call, upstream, upstream_allow)
    settings, worker = asked.settings, asked.worker
    loaded = run.load_trace(asked.trace)
    followed = None if schedule is None else read_schedule(schedule)
    if followed is not None and best_effort:
        followed = Schedule(followed.names, followed.faults)
    job = Job(
        "replay",
        loaded.path,
        run.replayable(loaded, settings.upstream),
        asked.handler,
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
        skipped=loaded.skipped,
        environment=save_schedule is not None,
    )
    service = service_run.options(
        worker.cwd, llm_port, launch, fresh, identity or settings.identity, settle, allow_remote, together
    )
    result = run.run_job(job, worker, service)
    if save_schedule is not None:
        decisions = schedule_to_json(result.run.decisions)
        kept = {
            "version": 1,
            **result.environment,
            "handler": asked.handler,
            "trace": loaded.path,
            "decisions": decisions,
        }
        printing.write(save_schedule, json.dumps(kept, indent=1) + "\n")
    kept = run.keep(result, job, worker.cwd)
    if format == "json":
        printing.print_json({**result.report.to_json(), "run": result.run.to_json()})
    else:
        printing.print_text(result, kept and not service_run.is_service(asked.handler))
    raise SystemExit(EXIT_CODES[result.report.verdict])


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
