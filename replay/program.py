"""The code under test, loaded: its handler, its files, the state it keeps, and the engine that executes it.

Assembled once in the worker; everything that runs the user's code takes it as an argument.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections import deque
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import TYPE_CHECKING

from .baselines import MOST_KEPT
from .errors import HandlerError
from .explain.isolate import Isolation
from .explain.nondeterminism import watched
from .handler.function import is_async
from .pause import Pause
from .schedule.execute import Execution, Observers
from .schedule.loop import INTERRUPTED
from .state.disturbance import TRIALS, Late, disturbed, reads_real_clocks
from .state.fresh import Interrupted
from .state.graph import StateGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Sequence

    from .baselines import Baselines
    from .explain.places import Place
    from .handler.load import Handler
    from .schedule.execute import Engine, Observer
    from .schedule.looks import Looked
    from .schedule.strategies import Strategy
    from .state.files import UserFiles
    from .state.fresh import Fresh
    from .trace.lanes import Lane
    from .trace.sessions import Recorded


_SUSPECTS_KEPT = 8
# What took longer to import is not to be imported again only because an execution has shown that it takes forks.
_WORTH_TRYING_S = 0.5
# Of a long trace so many requests, the first of each lane, show well enough what is imported late.
_TRIED = 400


@dataclass(slots=True)
class Program:
    """See the module.

    Attributes:
        interrupted: whether the user asked to stop.
        imported: called when everything is imported, before the state is taken stock of.
        go_on: what remains to be done is done although the user asked to stop; asking again counts again.
        loading_s: how long it took to import.
        pause: executions wait while it lasts.
        kept_apart: places of which each lane has its own in every execution.
        repeatable: whether clocks and random values are the same in every execution.
        guessed: requests of which not all calls are surely their own.
        chances: how many executions of one schedule it may take to show again what one of them has shown.
        faults_tried: the kinds of faults that there were in executions so far.
        baselines, suspects: the latest of earlier jobs: what lanes show alone, and what carried their data.
    """

    handler: Handler
    files: UserFiles
    fresh: Fresh
    engine: Engine
    interrupted: Callable[[], bool]
    upstream_calls: tuple[str, ...] = ()
    stand_in: str = ""
    upstream_allow: tuple[str, ...] = ()
    imported: Callable[[], None] = lambda: None
    go_on: Callable[[], None] = lambda: None
    loading_s: float = 0.0
    executions: int = 0
    pause: Pause = field(default_factory=Pause)
    repeatable: bool = True
    guessed: Collection[str] = ()
    chances: int = 1
    files_written: dict[str, None] = field(default_factory=dict[str, None])
    baselines: deque[Baselines] = field(default_factory=lambda: deque["Baselines"](maxlen=MOST_KEPT))
    kept_apart: tuple[Place, ...] = ()
    faults_tried: set[str] = field(default_factory=set[str])
    suspects: deque[Place] = field(default_factory=lambda: deque["Place"](maxlen=_SUSPECTS_KEPT))
    _graphs: dict[bool, StateGraph] = field(default_factory=dict[bool, StateGraph])

    @property
    def recorded(self) -> Recorded | None:
        """What was issued to clients when the trace was recorded."""
        return self.engine.recorded

    @property
    def cancels(self) -> bool:
        """Whether a request can be cancelled: a thread cannot."""
        return self.handler.kind in ("asgi", "aiohttp") or is_async(self.handler.target)

    def graph_now(self, wide: bool) -> StateGraph:
        """The state as it is within an execution, after the application's start-up, which may have made some of it.

        Args:
            wide: whether the libraries' own modules belong to it. They are many, and seldom the cause.
        """
        if self.handler.kind == "function" and wide:
            return self.fresh.graph
        return self._graph(wide)

    def graph_of(self, places: Sequence[Place]) -> StateGraph:
        """The same, to find these places in. Where all are in what there was before any start-up, that is the same in
        every execution, and need not be looked for again."""
        wide = any(place.wide for place in places)
        graph = self._graphs.get(wide)
        if graph is None or not self._lasts(places, graph):
            graph = self.graph_now(wide)
            if self._lasts(places, graph) and not self.fresh.forking:
                self._graphs[wide] = graph
        return graph

    def _lasts(self, places: Sequence[Place], graph: StateGraph) -> bool:
        there = self.fresh.graph
        return all(place.is_in(graph) and there.knows(place.node_in(graph).target) for place in places)

    def _graph(self, libraries: bool = True) -> StateGraph:
        handler = self.handler
        name = handler.spec.rpartition(":")[2]
        named = vars(sys.modules.get(handler.module, sys)).get(name)
        if type(named) is FunctionType and named is not handler.target:
            name += "()"  # it is what a factory has made
        roots = [(f"{handler.module}.{name}", handler.target, handler.file)]
        if self.engine.serving is not None:
            roots += [(f"request.state.{key}", value, "") for key, value in self.engine.serving.state.items()]
        graph = StateGraph(self.files, roots, libraries)
        for path in self.files_written:
            graph.add_file(path)
        return graph

    def prepare(self, lanes: Sequence[Lane], strategy: Strategy) -> None:
        """Import now what libraries import only when a request first comes, then take stock of the state there is.

        The user's own modules are left alone: what they do when they are first imported may be the bug.
        """
        if self.fresh.ready:
            return
        known = set(sys.modules)
        most = max(1, _TRIED // len(lanes))
        lanes = [replace(lane, requests=lane.requests[:most]) for lane in lanes]

        def job() -> list[str]:
            self.engine.execute(lanes, strategy)
            return [
                name
                for name, module in list(sys.modules.items())
                if name not in known and (getattr(module, "__file__", None) or "<") not in self.files
            ]

        # A handler that fails does so again in the baselines, and is reported there.
        ends = False
        with contextlib.suppress(HandlerError):
            late = self.fresh.in_fork(job)
            ends = True
            for name in late:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
        self.imported()
        self.fresh.start(self._graph())
        if ends and self.loading_s > _WORTH_TRYING_S and not self.fresh.forking:
            with contextlib.suppress(HandlerError):
                if self.fresh.in_fork(lambda: self._cannot_be_put_back(lanes, strategy)):
                    self.fresh.fork()

    def _cannot_be_put_back(self, lanes: Sequence[Lane], strategy: Strategy) -> bool:
        """Whether an execution changes what only a fork keeps apart. To be asked in a fork."""
        self.engine.execute(lanes, strategy)
        self.fresh.graph.look()
        return self.fresh.graph.hopeless

    def begin_again(self, keep: Collection[str]) -> None:
        """After `StateEscaped`: what was learnt from the executions so far is forgotten. `keep` as in a `Job`."""
        self.fresh.begin_again(keep)
        self._graphs.clear()
        self.baselines.clear()
        self.suspects.clear()

    def why_unstable(self, lanes: Sequence[Lane], strategy: Strategy) -> tuple[str, ...]:
        """What in an execution cannot be repeated, such as `datetime.now() at app.py:9`. Takes one execution."""
        self.executions += 1
        return self.fresh.run(
            lambda: watched(lambda: self.engine.execute(lanes, strategy), self.files),
            Execution.to_json,
            Execution.from_json,
        ).remarks

    @contextlib.contextmanager
    def keeping_apart(self, places: Sequence[Place]) -> Generator[None]:
        """Meanwhile each lane has these places for itself, and no others."""
        before, self.kept_apart = self.kept_apart, tuple(dict.fromkeys(places))
        try:
            yield
        finally:
            self.kept_apart = before

    def execute(
        self,
        lanes: Sequence[Lane],
        strategy: Strategy,
        max_in_flight: int | None = None,
        observer: Observer | None = None,
    ) -> Execution:
        """One execution on fresh state, once there is no pause. Counts it.

        Raises:
            Interrupted: the user asked to stop, and it would have gone on for long.
        """
        self.pause.wait(self.interrupted)
        self.executions += 1
        apart = (Isolation(self, self.kept_apart),) if self.kept_apart else ()
        watching = Observers((*apart, observer) if observer is not None else apart)

        def job() -> Execution:
            execution = self.engine.execute(lanes, strategy, max_in_flight, watching if watching.each else None)
            kinds = {kind for _, kind in execution.faults}
            if not kinds <= self.faults_tried:
                # What a library does about an error, it first does now.
                self.faults_tried |= kinds
                self.fresh.graph.look_next()
            return execution

        execution = self.fresh.run(job, Execution.to_json, Execution.from_json)
        if execution.stopped == INTERRUPTED:
            raise Interrupted
        for path in execution.files:
            self.files_written.setdefault(path)
            self.fresh.graph.add_file(path)
        return execution

    def timed(
        self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None, looked: Looked | None = None
    ) -> Execution:
        """The same, noting what the program reads from clocks.

        Args:
            looked: what it reads there instead of the time.
        """
        looks = self.engine.looks
        looks.noting, looks.given = True, looked
        try:
            return self.execute(lanes, strategy, max_in_flight)
        finally:
            looks.noting, looks.given = False, None
            looks.begin()

    def late(self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None) -> Execution | None:
        """The same while more time passes on the wall; None where the program asks for none."""
        if not reads_real_clocks(self.fresh.graph.spelled):
            return None
        return self.execute(lanes, strategy, max_in_flight, Late())

    def disturbed(
        self, lanes: Sequence[Lane], strategy: Callable[[], Strategy], max_in_flight: int | None
    ) -> Iterator[Execution]:
        """The same several times, with the memory laid out otherwise in each, and once at another time of day."""
        if (late := self.late(lanes, strategy(), max_in_flight)) is not None:
            yield late
        for trial in range(1, TRIALS + 1):
            kept = disturbed(trial)
            yield self.execute(lanes, strategy(), max_in_flight)
            kept.clear()
