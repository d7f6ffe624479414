"""`check` and `replay` for programs: what the commands do, with the names of their options, as objects.

The handler runs in a worker process as it does for the commands, so that its state is fresh and nothing of this process
is touched. That makes the calls safe wherever they are made, also below a running event loop.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from .asking import handler_or_set, left_out, nothing_recorded, replayable, trace_of, trace_or_set
from .budget import DEFAULT_BUDGET, budget_of
from .errors import CrosslaneError
from .export.visible import visible
from .known_findings import load_baseline, with_known
from .naming import import_path, spec_of
from .option_types import refuse_wrong_types
from .schedule.schedule import Schedule
from .service.options import ServiceOptions, is_service
from .settings import load_settings
from .worker.job import DEFAULT_BLOCKED_AFTER_S, DEFAULT_SWITCHES, Job
from .worker.options import WorkerOptions
from .worker.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from concurrent.futures import Executor
    from typing import Any

    from .asking import TraceLike
    from .report import Result
    from .settings import Settings
    from .trace.model import Trace
    from .worker.job import Progress

_LAUNCH = Path(__file__).with_name("worker") / "launch.py"


class Options(TypedDict, total=False):
    """What `check` and `replay` have in common; each is the option of the commands that has its name.

    Attributes:
        concurrency: most requests in flight; 1 is serial.
        boundary: `user`, `session`, or a field of the request.
        upstream: what answers HTTP calls: `recorded`, `echo`, `pass` or `FILE.py:function`.
        upstream_call: functions and methods of the program that are upstream calls.
        upstream_allow: hosts that calls may go to for real.
        kind: `function`, `asgi`, `aiohttp` or `wsgi`; detected where it is not given.
        python: the interpreter of the program, where it is not this one.
        cwd: the directory to run the handler in, and to look for settings from.
        config: a file of settings.
        blocked_after: seconds after which a step counts as blocking the loop.
        launch, llm_port, fresh, identity, settle, allow_remote: for the URL of a running service.
        on_progress: told how far it has come.
    """

    concurrency: int | None
    boundary: str | None
    upstream: str | None
    upstream_call: Sequence[str]
    upstream_allow: Sequence[str]
    kind: str | None
    python: str | None
    cwd: str | Path | None
    config: str | Path | None
    blocked_after: float
    launch: str | None
    llm_port: int
    fresh: Literal["restart", "keep"]
    identity: Literal["recorded", "fresh"]
    settle: float
    allow_remote: bool
    on_progress: Callable[[Progress], None] | None


class CheckOptions(Options, total=False):
    """The options of `check`.

    Attributes:
        baseline: a file of findings that are known, see `known_findings`; the report tells them apart.
        budget: `"30s"`, `"2m"`, `"5000x"` executions, or a number of seconds.
        switches: most switches a schedule may have.
        faults: whether to also cancel requests, let limits pass and upstream calls fail.
        variants: whether to also try requests again, and users who ask the same.
        jobs: how many processes search, each with the program in it; 0 is one a core.
        executor: who runs all of these processes but the first, such as that of a cluster engine: where it runs them,
            the program has to be in the same place. Without it they run on this machine.
    """

    baseline: str | Path | None
    budget: str | float | None
    switches: int
    faults: bool
    variants: bool
    jobs: int
    executor: Executor | None


class ReplayOptions(Options, total=False):
    """The options of `replay`: at most one of `schedule`, `seed` and `serial`; without them the lanes take turns.

    Attributes:
        schedule: the lane of every step, to be followed exactly.
        best_effort: whether a schedule that no longer fits is followed as far as it goes.
        seed: chooses at random, repeatably.
        serial: one lane after another.
    """

    schedule: Schedule | Sequence[str] | None
    best_effort: bool
    seed: int | None
    serial: bool


def check(trace: TraceLike | None = None, handler: object = None, **options: Unpack[CheckOptions]) -> Result:
    """Search the interleavings of a trace for crossings, as `crosslane check` does.

    Args:
        trace: a path, a loaded trace, or requests such as `{"user": "alice", "message": "I am Alice"}`; what is set
            for the project where it is not given.
        handler: `file.py:attribute` and its like, a URL, or a function, method or application that a module holds
            under a name. It is imported anew in another process: what this process patched is not patched there.
        options: see `CheckOptions`.

    Returns:
        The result; its `report.to_json()` is what `--format json` prints.

    Raises:
        CrosslaneError: the trace, the handler or an option cannot be used.
    """
    return now(check_async(trace, handler, **options))


async def check_async(
    trace: TraceLike | None = None, handler: object = None, **options: Unpack[CheckOptions]
) -> Result:
    """`check` to be awaited; a task that is cancelled ends the search."""
    return await search(Settled(trace, handler, options, CheckOptions), options)


async def search(settled: Settled, options: CheckOptions) -> Result:
    """The check of what was settled."""
    seconds, executions = budget_of(options.get("budget") or settled.settings.budget or DEFAULT_BUDGET)
    file = options.get("baseline") or settled.settings.baseline
    baseline = None if file is None else load_baseline(Path(file))
    job = settled.job(
        "check",
        options,
        known=() if baseline is None else baseline.fingerprints,
        budget_s=seconds,
        most_executions=executions,
        switches=options.get("switches", DEFAULT_SWITCHES),
        faults=options.get("faults", True),
        variants=options.get("variants", True),
    )
    result = await _run(job, settled, options, options.get("jobs", 0), options.get("executor"))
    return result if baseline is None else replace(result, report=with_known(result.report, baseline))


def replay(trace: TraceLike | None = None, handler: object = None, **options: Unpack[ReplayOptions]) -> Result:
    """Execute a trace once, as `crosslane replay` does.

    Args:
        trace, handler: see `check`.
        options: see `ReplayOptions`.

    Returns:
        The result; its `run` is what happened, event by event.

    Raises:
        CrosslaneError: the trace, the handler, the schedule or an option cannot be used.
    """
    return now(replay_async(trace, handler, **options))


async def replay_async(
    trace: TraceLike | None = None, handler: object = None, **options: Unpack[ReplayOptions]
) -> Result:
    """`replay` to be awaited."""
    settled = Settled(trace, handler, options, ReplayOptions)
    schedule, seed = options.get("schedule"), options.get("seed")
    serial, best_effort = options.get("serial", False), options.get("best_effort", False)
    if sum((schedule is not None, seed is not None, serial)) > 1:
        raise CrosslaneError("schedule, seed and serial exclude each other", remedy="give one of them")
    if schedule is not None and not isinstance(schedule, Schedule):
        schedule = Schedule(tuple(schedule))
    if schedule is not None and best_effort:
        schedule = Schedule(schedule.names, schedule.faults)
    in_turn = serial or options.get("concurrency") == 1
    job = settled.job(
        "replay",
        options,
        schedule=schedule,
        best_effort=best_effort,
        order="random" if seed is not None else "serial" if in_turn else "lockstep",
        seed=seed or 0,
        environment=True,
    )
    return await _run(job, settled, options)


class Settled:
    """What was asked for, with the settings of the project. `path` is where modules are found beside `cwd`."""

    settings: Settings
    trace: Trace
    handler: str
    kind: str | None
    cwd: Path
    path: tuple[str, ...]

    def __init__(self, trace: TraceLike | None, handler: object, options: Options, known: type[Options]) -> None:
        __tracebackhide__ = True  # for pytest
        _refuse_inside_a_worker()
        # The types name them, but nothing looks at types when a program runs.
        for name in options.keys() - known.__optional_keys__:
            raise TypeError(f"unknown option {name!r}; known: {', '.join(sorted(known.__optional_keys__))}")
        refuse_wrong_types(options)
        config = options.get("config")
        cwd = Path(options.get("cwd") or Path.cwd()).absolute()
        settings = load_settings(cwd, None if config is None else Path(config))
        # A handler of the settings is named from where they stand.
        own_place = handler is None and not options.get("cwd") and settings.folder is not None
        self.cwd = settings.folder if own_place and settings.folder is not None else cwd
        self.settings = settings.overridden(
            options.get("boundary"),
            options.get("upstream_call"),
            options.get("upstream"),
            options.get("upstream_allow"),
        )
        self.handler = handler_or_set(None if handler is None else spec_of(handler, self.cwd), settings)
        self.kind = options.get("kind")
        self.trace = trace_of(trace_or_set(trace, settings))
        self.path = import_path() if options.get("python") is None else ()

    def job(self, action: Literal["check", "replay"], options: Options, **more: Any) -> Job:
        exchanges = replayable(self.trace)
        for problem in self.trace.problems[:10]:
            warnings.warn(visible(f"{self.trace.path}:{problem.line}: {problem.message}"), stacklevel=2)
        for remark in (left_out(self.trace, exchanges), nothing_recorded(exchanges, self.settings.upstream)):
            if remark:
                warnings.warn(f"{self.trace.path}: {remark}", stacklevel=2)
        return Job(
            action,
            self.trace.path,
            exchanges,
            self.handler,
            self.kind,
            self.settings.boundary or "user",
            options.get("concurrency"),
            blocked_after_s=options.get("blocked_after", DEFAULT_BLOCKED_AFTER_S),
            upstream_calls=self.settings.upstream_calls,
            upstream=self.settings.upstream,
            upstream_allow=self.settings.upstream_allow,
            allow=self.settings.allow,
            skipped=self.trace.skipped,
            **more,
        )


async def _run(job: Job, settled: Settled, options: Options, jobs: int = 1, executor: Executor | None = None) -> Result:
    if not _loop_is_running():
        raise CrosslaneError(
            "can be awaited under asyncio alone, and this is another event loop",
            remedy="call the function without _async, which works under each",
        )
    if is_service(job.handler):
        from .service.runner import ServiceRunner

        service = ServiceOptions(
            settled.cwd,
            options.get("llm_port", 0),
            options.get("launch"),
            options.get("fresh", "restart") == "keep",
            options.get("identity") or settled.settings.identity or "recorded",
            settle_s=options.get("settle", 0.25),
            allow_remote=options.get("allow_remote", False),
        )
        async with ServiceRunner(service) as runner:
            return await runner.run(job, options.get("on_progress"))
    worker = WorkerOptions(options.get("python"), settled.cwd, settled.path)
    async with Pool(worker, jobs, executor) as pool:
        return await pool.run(job, options.get("on_progress"))


def now(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end, in a thread of its own where an event loop is running in this one."""
    if not _loop_is_running():
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse_inside_a_worker() -> None:
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is not None and Path(main) == _LAUNCH:
        raise CrosslaneError(
            "check or replay is called while the handler is imported, which would never end",
            remedy="put the call below if __name__ == '__main__'",
        )
