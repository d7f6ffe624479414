"""Whose work is what: each handle, timer, task and job of asyncio goes to the actor in whose context it is made.

A handle's actor is found in the context that it runs in: a lane (one user's requests) or a background task that no
request started. What belongs to none is bookkeeping, which runs at once. Who goes on, and when, is decided in `loop`.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, cast

from .actors import ACTOR, Actor, Handle
from .deadlines import is_deadline
from .detached import DetachedLoop
from .jobs import Job, pool_of
from .threads import Baton, foreign_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .loop import ControlledLoop
    from .threads import Controlled

_foreign_arrived = threading.Event()  # one for all loops, of which one runs at a time
_STEPS_OF_TASKS: set[type] = set()  # what asyncio written in C calls a task's step; there is no name to import it by


class AttributingLoop(DetachedLoop):
    """See the module; the part of `ControlledLoop` that asyncio and the program call.

    Attributes:
        lanes: by name, in the order of the trace.
        now: the latest time of any actor, in seconds; it never goes back.
        baton: the threads of the program, see `threads`.
        read_clock: what is read at a time on the loop instead, where anything is.
        task_contexts: the context of each task so far, in the order in which they were made.
        time_matters: whether the program has read a clock, or had timers whose order a clock decides.
    """

    __slots__ = (
        *("_closed", "_exception_handler", "_foreign", "_lane_numbers", "_names_made", "_nobody", "_plumbing"),
        *("_serial", "_starting", "_stepping", "_sure_steps", "_task_factory", "_tasks", "background", "baton"),
        *("context", "lanes", "now", "read_clock", "task_contexts", "time_matters"),
    )

    def __init__(self, lane_names: Sequence[str]) -> None:
        super().__init__()
        self.now = 1_000.0
        self.lanes: dict[str, Actor] = {name: Actor(name, self._whole) for name in lane_names}
        self.background: list[Actor] = []
        self.time_matters = False
        self.read_clock: Callable[[float], float] | None = None
        self.baton = Baton()
        self.context = contextvars.copy_context()
        self.task_contexts: list[contextvars.Context] = []
        self._nobody = Actor("", self._whole, background=True)
        self._serial = 0
        self._lane_numbers = {name: number for number, name in enumerate(self.lanes, 1)}
        self._names_made: dict[str, int] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._plumbing: set[asyncio.Task[Any]] = set()
        self._sure_steps: set[type] = _STEPS_OF_TASKS  # callbacks of these types need no closer look
        self._foreign: deque[Handle] = deque()
        self._starting: Controlled | None = None  # the thread of a request, until it first gives the baton back
        self._stepping: Actor | None = None
        self._closed = False
        self._task_factory: Any = None
        self._exception_handler: Any = None

    @property
    def _whole(self) -> ControlledLoop:
        return cast("ControlledLoop", self)

    # ---- what is to run, and for whom

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if context is None:
            context = contextvars.copy_context()
        actor = context.get(ACTOR, self._nobody)
        if actor.loop is not self:
            actor = self._nobody
        if actor is self._nobody and self._stepping is not None and self._is_step(callback):
            # The program's own, in a context that it has made itself: no bookkeeping, but work of who asks for it.
            actor = self._stepping
        handle = Handle(callback, args, context, actor)
        actor.ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        return self.call_at(self._actor_in(context).clock + delay, callback, *args, context=context)

    def _actor_in(self, context: contextvars.Context | None) -> Actor:
        actor = ACTOR.get(self._nobody) if context is None else context.get(ACTOR, self._nobody)
        return actor if actor.loop is self else self._nobody

    def call_at(self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if context is None:
            context = contextvars.copy_context()
        actor = context.get(ACTOR, self._nobody)
        if actor.loop is not self:
            actor = self._nobody
        deadline = is_deadline(callback)
        handle = Handle(callback, args, context, actor, when, deadline)
        if not deadline:
            actor.delays += 1
        self._serial += 1
        heapq.heappush(actor.timers, (when, self._serial, handle))
        if len(actor.timers) > 1 and sum(not other.dead for _, _, other in actor.timers) > 1:
            self.time_matters = True
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        if context is None:
            context = contextvars.copy_context()
        actor = context.get(ACTOR, self._nobody)
        handle = Handle(callback, args, context, actor if actor.loop is self else self._nobody)
        self._foreign.append(handle)
        _foreign_arrived.set()
        return handle

    def _take_foreign(self) -> None:
        while self._foreign:
            handle = self._foreign.popleft()
            handle.actor.ready.append(handle)
        self._drain_nobody()

    def _await_foreign_thread(self) -> bool:
        """Wait for a thread that we do not control to call back; False when there is none to wait for."""
        if not foreign_threads():
            return False
        _foreign_arrived.clear()
        if not self._foreign and not _foreign_arrived.wait(timeout=5.0):
            return False
        self._take_foreign()
        return True

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        """Run `func` in a thread of a pool, under the baton, for the lane that asks."""
        if executor is not None and not isinstance(executor, ThreadPoolExecutor):
            self.escape("a process pool's job ran in a thread")
        future = self.create_future()
        job = self.job(func, args, future)
        self.run_in_pool(executor, self.actor_here(self._nobody), job.run, job.finished)
        return future

    def job(self, func: Callable[..., Any], args: tuple[Any, ...], future: asyncio.Future[Any]) -> Job:
        return Job(func, args, future)

    def in_thread(self, func: Callable[[], Any]) -> asyncio.Future[Any]:
        """Run `func` as a threaded server runs its handler: nothing of the user's stands between start and first line,
        or between return and answer, so neither is a step of its own."""
        future: asyncio.Future[Any] = self.create_future()
        job = Job(func, (), future)
        actor = self.actor_here(self._nobody)

        def finished(stopped: BaseException | None) -> None:
            waiting = len(actor.ready)
            job.finished(stopped)
            if len(actor.ready) > waiting:
                self._run(actor.ready.pop())

        controlled = pool_of(self._whole, "server").run(actor, job.run, finished)
        if controlled is not None:
            controlled.serves_request = True
            self._starting = controlled
            controlled.resume()
            self._starting = None
        return future

    def run_in_pool(
        self,
        executor: Any,
        actor: Actor,
        job: Callable[[], object],
        finished: Callable[[BaseException | None], None],
    ) -> None:
        """Start a job on a thread of the executor (None: the default one); see `Pool.run`."""
        controlled = pool_of(self._whole, executor).run(actor, job, finished)
        if controlled is not None:
            controlled.ready(actor)

    def queue_thread(self, resume: Callable[[], None], actor: Actor) -> Handle:
        handle = Handle(resume, (), self.context, actor)
        actor.ready.append(handle)
        return handle

    def deadline(self, seconds: float, callback: Callable[..., object], *args: Any) -> Handle:
        """A time limit of the actor that asks; see the module."""
        actor = self.actor_here(self._nobody)
        handle = Handle(callback, args, self.context, actor, actor.clock + seconds, True)
        self._serial += 1
        heapq.heappush(actor.timers, (handle.due, self._serial, handle))
        return handle

    def actor_here(self, default: Any) -> Any:
        """The actor on whose behalf the calling code runs, on whatever thread; `default` when there is none."""
        actor = ACTOR.get(None)
        return actor if actor is not None and actor.loop is self else default

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **options: Any,
    ) -> Any:
        if context is None:
            context = contextvars.copy_context()
        actor = context.get(ACTOR, None)
        if actor is None or actor.background or actor.loop is not self:
            actor = Actor(self._unused(name or getattr(coro, "__qualname__", "task")), self._whole, background=True)
            self.background.append(actor)
            context = context.copy()
            context.run(ACTOR.set, actor)
        # asyncio counts task names over the whole process, which would make the second run differ from the first. And
        # counted over all lanes, a name would say who came first.
        counted = self._nobody if actor.background else actor
        counted.made += 1
        lane = self._lane_numbers.get(actor.name, 0) if counted is actor else 0
        name = name or f"Task-{counted.made * (len(self.lanes) + 1) + lane}"
        if self._task_factory is not None:
            task = self._task_factory(self, coro, context=context, **options)
        else:
            task = asyncio.Task(coro, loop=self, name=name, context=context, **options)
        self._tasks.append(task)
        self.task_contexts.append(context)
        return task

    def _unused(self, name: str) -> str:
        """A schedule is a list of names: of two background tasks with one, the second could never be chosen first."""
        made = self._names_made[name] = self._names_made.get(name, 0) + 1
        if made == 1 and name not in self.lanes:
            return name
        return self._unused(f"{name} {made + (name in self.lanes)}")

    # ---- what runs

    def is_plumbing(self) -> None:
        """Called by a task that only passes on what others do: its steps are none to be chosen."""
        task = asyncio.current_task(self)
        if task is not None:
            self._plumbing.add(task)
            self._sure_steps = set()

    def _is_step(self, callback: object) -> bool:
        """Whether running `callback` is a step: a task's step, or a callback of the program itself."""
        kind = type(callback)
        if kind in self._sure_steps:
            return True
        owner = getattr(callback, "__self__", None)
        if isinstance(owner, asyncio.Task):
            if self._plumbing:
                return owner not in self._plumbing
            if kind.__name__ == "TaskStepMethWrapper":
                _STEPS_OF_TASKS.add(kind)
            return True
        if getattr(owner, "plumbing", False):
            return False
        function = getattr(callback, "func", callback)
        module = getattr(function, "__module__", None)
        return module is not None and not module.startswith(("asyncio", "_asyncio", "anyio"))

    def _fire(self, actor: Actor) -> None:
        while actor.timers:
            due, _, handle = heapq.heappop(actor.timers)
            if handle.dead:
                continue
            handle.dead = True
            if not handle.deadline:
                actor.delays -= 1
                if not actor.in_flight:
                    actor.idle_timers -= 1
            actor.clock = max(actor.clock, due)
            self.now = max(self.now, actor.clock)
            self._run(handle)
            return

    def _run(self, handle: Handle) -> None:
        try:
            handle.context.run(handle.callback, *handle.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # a CancelledError too, as in asyncio
            self.call_exception_handler({"message": "exception in callback", "exception": error})

    def _drain_nobody(self) -> None:
        """Bookkeeping that belongs to no actor runs at once."""
        nobody = self._nobody
        while nobody.ready or nobody.timers:
            if not nobody.ready:
                self._fire(nobody)
                continue
            handle = nobody.ready.popleft()
            if not handle.dead:
                self._run(handle)

    def tasks_made(self) -> list[tuple[asyncio.Task[Any], contextvars.Context]]:
        """Each task so far with the context that it runs in."""
        return list(zip(self._tasks, self.task_contexts, strict=True))

    # ---- the rest of the interface

    def time(self) -> float:
        """The time of the lane that asks."""
        self.time_matters = True
        now = self._actor_in(None).clock
        return now if self.read_clock is None else self.read_clock(now)

    def pass_time(self, seconds: float) -> None:
        """What a blocking sleep of the lane that runs does."""
        actor = self._actor_in(None)
        actor.clock += max(0.0, seconds)
        self.now = max(self.now, actor.clock)

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def get_task_factory(self) -> Any:
        return self._task_factory

    def set_task_factory(self, factory: Any) -> None:
        self._task_factory = factory

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def call_exception_handler(self, context: Any) -> None:
        # A failing background callback concerns the program, not the loop.
        if self._exception_handler is not None:
            self._exception_handler(self, context)
