"""The worker's side of the pipe: one JSON object a line in, one a line out.

In:  {"do": "trace", "recorded": true} before another trace than the last job's, {"do": "take", "exchanges": […]} for
     each piece of it, {"do": "run", "job": {…}}
Out: {"ready": true} · {"beat": true} · {"progress": {…}} · {"result": {…}}, with {"over": true} if it is the last ·
     {"share": {…}} for other workers to begin, {"await": true} to hear their {"reports": […]} in the next line in ·
     {"error": {"type", "what", "where", "remedy"}} · {"dying": "…"} before the process has to end itself

An interrupt signal asks the running job to stop, two others to wait and to go on (see `watchdog`); end of input ends
the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import json
import os
import platform
import sys
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .. import checking
from ..allow import Allow
from ..errors import CrosslaneError, HandlerError
from ..handler.load import load, load_function, locate
from ..handler.service import Service
from ..keeping import all_kept
from ..program import Program
from ..schedule import primitives
from ..schedule.databases import make_databases_patient
from ..schedule.execute import Engine
from ..schedule.memory_net import MemoryNetwork
from ..schedule.schedule import Schedule
from ..schedule.thread_loop import ThreadLoop
from ..schedule.threads import here
from ..schedule.waiting import note_threads
from ..sharing import Scouted
from ..state.files import UserFiles
from ..state.fresh import Fresh
from ..trace.sessions import Recorded
from ..upstream.calls import intercept
from ..upstream.clients import Clients
from ..upstream.stand_in import MODES, StandIn
from ..verdict import not_begun
from . import ahead, handing, sources, timers
from .capture import Capture
from .determinism import Determinism
from .escapes import Escapes
from .job import Job, Progress
from .one_core import OneCore
from .watchdog import DUMP_SIGNAL, Interrupt, Watchdog

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..trace.model import Exchange

_IMPORT_TIMES = 6
"""Importing an SDK takes seconds on a busy machine, and blocks nobody: it may take so many times longer than a step."""
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")

_PROGRESS_EVERY_S = 0.1
_clock = time.monotonic


class Channel:
    """The pipe to the client, on descriptors of its own: what the program prints to 0, 1 and 2 cannot disturb it."""

    def __init__(self) -> None:
        self._in = os.fdopen(os.dup(0), "r", encoding="utf-8", errors="surrogatepass")
        self._out = os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        self._heard = 0.0
        self._sending = False
        self._told = Progress("loading the handler", 0, 0.0, 0)

    def lines(self) -> Any:
        return self._in

    def send(self, message: dict[str, Any]) -> None:
        data = (json.dumps(message) + "\n").encode("ascii")
        self._sending = True
        try:
            while data:
                data = data[os.write(self._out, data) :]
        except BrokenPipeError:
            os._exit(0)
        finally:
            self._sending = False

    def beat(self) -> None:
        """A sign of life. It comes from a signal's handler, maybe amid another message, which is one too."""
        if not self._sending:
            self.send({"beat": True})

    def progress(self, progress: Progress) -> None:
        now, self._told = _clock(), progress
        if progress.run is not None or now - self._heard >= _PROGRESS_EVERY_S:
            self._heard = now
            self.send({"progress": progress.to_json()})

    def paused(self, still: bool) -> None:
        self.send({"progress": replace(self._told, paused=still, run=None).to_json()})

    def share(self, stage: dict[str, Any]) -> None:
        self.send({"share": stage})

    def reports(self) -> list[dict[str, Any]]:
        self.send({"await": True})
        line = self._in.readline()
        if not line:
            os._exit(0)
        return json.loads(line)["reports"]


def main() -> None:
    interrupt = Interrupt()
    interrupt.listen()
    channel = Channel()
    errors = os.fdopen(2, "w", closefd=False)
    faulthandler.enable(errors)  # a crash in C code leaves the line it came from
    faulthandler.register(DUMP_SIGNAL, errors)
    interrupt.pause.told = channel.paused
    channel.send({"ready": True})
    warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
    capture, determinism = Capture(), Determinism()
    capture.install()
    determinism.install()
    program: Program | None = None
    exchanges: list[Exchange] = []
    recorded = False
    for line in channel.lines():
        heard = _clock()
        with all_kept():
            message = json.loads(line)
        match message["do"]:
            case "trace":
                exchanges, recorded = [], message["recorded"]
                continue
            case "take":
                with all_kept():
                    exchanges += handing.exchanges_of(message["exchanges"], recorded)
                continue
            case _:
                job = _job(message["job"], tuple(exchanges))
        try:
            if program is None:
                channel.progress(Progress("loading the handler", 0, 0.0, 0))
                began, began_ns = _clock(), time.time_ns()
                try:
                    program = assemble(job, channel, capture, determinism, interrupt)
                except KeyboardInterrupt:
                    # Its modules are half imported: the next job is for another process.
                    channel.send({"result": _not_begun(job, _clock() - began, "imported"), "over": True})
                    continue
                channel.send({"loaded": sources.imported(program.files, began_ns)})
                program.loading_s, program.go_on = _clock() - began, interrupt.answered
            program.executions = 0
            if program.fresh.escaped:
                program.begin_again(job.keep)
            try:
                with interrupt.at_once(), all_kept():
                    program.engine.recorded = Recorded.of(job.exchanges, job.boundary)
            except KeyboardInterrupt:
                channel.send({"result": _not_begun(job, _clock() - heard, "given the trace")})
                interrupt.answered()
                continue
            program.pause.new_job()
            match job.action:
                case "check":
                    result = checking.check(program, job, channel.progress, channel).to_json()
                case "share":
                    result = checking.share(program, job, channel.progress, heard).to_json()
                case "replay":
                    result = checking.replay(program, job, channel.progress).to_json()
                    if job.environment:
                        result["environment"] = {
                            **environment(),
                            "kind": program.handler.kind,
                            "parameters": program.handler.roles,
                        }
            channel.send({"result": result})
        except CrosslaneError as error:
            kind = type(error).__name__
            channel.send({"error": {"type": kind, "what": error.what, "where": error.where, "remedy": error.remedy}})
        except BaseException as error:  # a CancelledError of the program's may get as far as this
            channel.send({"error": _internal(error)})
        interrupt.answered()
    os._exit(0)  # threads that the program left behind must not keep the process


def _not_begun(job: Job, elapsed_s: float, doing: str) -> dict[str, Any]:
    if job.action == "share":
        return replace(Scouted(), interrupted=True).to_json()
    return not_begun(job, elapsed_s, doing).to_json()


def environment() -> dict[str, Any]:
    """The interpreter, and the versions of the libraries that the program has imported."""
    from importlib import metadata

    by_package = metadata.packages_distributions()
    loaded = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
    names = sorted({name for package in loaded for name in by_package.get(package, ())})
    return {"python": sys.version.split()[0], "packages": {name: metadata.version(name) for name in names}}


def _internal(error: BaseException) -> dict[str, str]:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
    what = f"Crosslane itself failed: {type(error).__name__}: {error}"
    return {"type": "WorkerError", "what": what, "where": where, "remedy": "please report it with this line"}


def assemble(job: Job, channel: Channel, capture: Capture, determinism: Determinism, interrupt: Interrupt) -> Program:
    """Import the handler and build what executes it.

    Raises:
        HandlerError: see `load`.
    """
    cwd = os.path.realpath(os.getcwd())
    location = locate(job.handler, cwd)
    roots = dict.fromkeys((location.import_root, cwd))
    files = UserFiles(cwd, tuple(os.path.realpath(root) for root in roots))
    escapes = Escapes(files)
    escapes.install()
    primitives.install(files, escapes.thread_started, ThreadLoop)
    make_databases_patient()
    watchdog = Watchdog(
        escapes,
        interrupt,
        channel.beat,
        lambda what: channel.send({"dying": what}),
    )
    watchdog.start()
    timers.install(escapes.timer_set)
    platform.processor()  # SDKs ask for it, and the first to ask starts a process
    for name in _KEYS:  # SDKs refuse to be made without one, and no call leaves the machine
        os.environ.setdefault(name, "no-key-in-a-replay")
    watchdog.limit_s = _IMPORT_TIMES * job.blocked_after_s
    with watchdog:
        handler = load(location, job.handler, job.kind, files)
    escapes.keep_databases()
    watchdog.limit_s = job.blocked_after_s
    try:
        intercept(job.upstream_calls, handler.module, files, capture.sent)
    except LookupError as error:
        raise HandlerError(str(error)) from None

    @contextlib.contextmanager
    def outside() -> Generator[None]:
        watching, active = watchdog.watching, escapes.active
        watchdog.watching = escapes.active = False
        try:
            yield
        finally:
            watchdog.watching, escapes.active = watching, active

    recorded = any(request.answers for request in (exchange.request for exchange in job.exchanges))
    spec = job.upstream or ("recorded" if recorded else "echo")
    mode = spec if spec in MODES else load_function(spec, files)
    stand_in = StandIn(mode, capture.sent, _escape, _remark, outside, job.upstream_allow)
    clients = Clients(stand_in)
    MemoryNetwork.outside = staticmethod(clients.server_for)

    one_core = OneCore()
    one_core.install()

    def begin(loop: Any) -> None:
        one_core.begin(loop.baton)
        clients.take_over()
        capture.begin()
        determinism.begin(loop)
        escapes.begin()
        watchdog.loop = loop
        watchdog.watching = True

    def ended() -> list[str]:
        watchdog.watching = False
        determinism.end()
        return escapes.end()

    def where(error: BaseException) -> str | None:
        at, step = None, error.__traceback__
        while step is not None:
            if step.tb_frame.f_code.co_filename in files:
                at = files.at(step.tb_frame.f_code.co_filename, step.tb_lineno)
            step = step.tb_next
        return at

    def imported() -> None:
        clients.take_over()
        ahead.work_out(handler.kind)
        note_threads()
        # What is there now stays: a collection during the search needs not look through it.
        gc.collect()
        gc.freeze()

    engine = Engine(
        lambda: Service(handler.kind, handler.target, handler.roles),
        capture.heard,
        ended,
        begin,
        where,
        lambda: tuple(escapes.files),
        stand_in.begin,
        lambda: (determinism.drawn, capture.everything(), stand_in.counts),
        looks=determinism.looks,
    )
    fresh = Fresh(job.fork, watchdog, lambda: interrupt.asked, job.keep)
    interrupted = lambda: interrupt.asked  # noqa: E731
    return Program(
        handler,
        files,
        fresh,
        engine,
        interrupted,
        job.upstream_calls,
        spec,
        job.upstream_allow,
        imported,
        pause=interrupt.pause,
    )


def _escape(what: str) -> None:
    """Note on the loop that runs the program that something left control."""
    if (loop := _loop()) is not None:
        loop.escape(what)


def _remark(what: str) -> None:
    if (loop := _loop()) is not None:
        loop.remark(what)


def _loop() -> Any:
    me = here()
    return asyncio._get_running_loop() or (me.loop if me is not None else None)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _job(data: dict[str, Any], exchanges: tuple[Exchange, ...]) -> Job:
    fields: dict[str, Any] = {
        **data,
        "exchanges": exchanges,
        "schedule": _schedule(data["schedule"]),
        "then": _schedule(data["then"]),
        "upstream_calls": tuple(data["upstream_calls"]),
        "keep": tuple(data["keep"]),
        "known": tuple(data["known"]),
        "upstream_allow": tuple(data["upstream_allow"]),
        "allow": tuple(Allow.from_json(rule) for rule in data["allow"]),
    }
    return Job(**fields)


def _schedule(data: dict[str, Any] | None) -> Schedule | None:
    if data is None:
        return None
    faults = tuple((step, action) for step, action in data["faults"])
    enabled = tuple(tuple(lanes) for lanes in data["enabled"])
    return Schedule(tuple(data["names"]), faults, enabled, tuple(data["places"]))
