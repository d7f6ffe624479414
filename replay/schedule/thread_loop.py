"""The event loop that a controlled thread gets when it asks for one of its own (`asyncio.run` in a Flask view).

It runs its callbacks on the thread that runs it, first in, first out, so that the lines in them are points to be
switched at like all others there. Its timers are those of the lanes that set them, as on the loop of the execution:
a loop that lives in a thread of its own may serve several, and none of them waits for another's.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

from .actors import Handle
from .deadlines import is_deadline
from .detached import DetachedLoop
from .primitives import CooperativeLock
from .threads import Abandoned, here

if TYPE_CHECKING:
    from collections.abc import Callable

    from .threads import Controlled


class ThreadLoop(DetachedLoop):
    """See the module. `owner` is the thread that runs it, and before that the one that has made it."""

    def __init__(self, owner: Controlled) -> None:
        super().__init__()
        self.owner = owner
        self.escapes = owner.loop.escapes
        self._ready: deque[Handle] = deque()
        self._timers: dict[int, Handle] = {}
        self._serial = 0
        self._tasks: list[asyncio.Task[Any]] = []
        self._woken: CooperativeLock | None = None
        self._stopping = False
        self._running = False
        self._closed = False
        self._exception_handler: Any = None

    def run_until_complete(self, future: Any) -> Any:
        task: asyncio.Future[Any] = asyncio.ensure_future(future, loop=self)
        self._run_while(lambda: not task.done())
        return task.result()

    def run_forever(self) -> None:
        self._stopping = False
        self._run_while(lambda: not self._stopping)

    def stop(self) -> None:
        self._stopping = True

    def _run_while(self, wanted: Any) -> None:
        if self._running:
            raise RuntimeError("This event loop is already running")
        self.owner = here() or self.owner
        asyncio.events._set_running_loop(self)
        self._running = True
        try:
            while wanted():
                if not self._ready:
                    self._wait()
                    continue
                handle = self._ready.popleft()
                if not handle.dead:
                    self._call(handle)
        finally:
            self._running = False
            asyncio.events._set_running_loop(None)

    def _call(self, handle: Handle) -> None:
        try:
            handle.context.run(handle.callback, *handle.args)
        except (SystemExit, KeyboardInterrupt, Abandoned):
            raise
        except BaseException as error:  # a CancelledError too, as in asyncio
            self.call_exception_handler({"message": "exception in callback", "exception": error})

    def _wait(self) -> None:
        self._woken = CooperativeLock()
        self._woken.acquire()
        self._woken.acquire()  # until a timer is due, or another thread calls back
        self._woken = None

    def _wake(self, context: contextvars.Context) -> None:
        """Go on, for the lane that the next callback belongs to."""
        if self._woken is not None and self._woken.locked():
            self.owner.actor = context.run(self.owner.loop.actor_here, self.owner.home)
            self._woken.release()

    def _due(self, serial: int, handle: Handle) -> None:
        del self._timers[serial]
        self._ready.append(handle)
        self._wake(handle.context.copy())

    # ---- as asyncio calls it

    def _handle(self, callback: Any, args: tuple[Any, ...], context: contextvars.Context | None, due: float) -> Handle:
        return Handle(callback, args, context or contextvars.copy_context(), self.owner.home, due)

    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        handle = self._handle(callback, args, context, 0.0)
        self._ready.append(handle)
        return handle

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        handle = self.call_soon(callback, *args, context=context)
        self._wake(handle.context.copy())
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        handle = self._handle(callback, args, context, when)
        lane, outer = handle.context.copy(), self.owner.loop
        self._serial += 1
        set_timer: Callable[..., Handle] = outer.deadline if is_deadline(callback) else outer.call_later
        timer = lane.run(set_timer, max(0.0, when - self.time()), self._due, self._serial, handle)
        self._timers[self._serial] = timer
        return timer

    def time(self) -> float:
        return self.owner.loop.actor_here(self.owner.home).clock

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: str | None = None, **options: Any) -> Any:
        task = asyncio.Task(coro, loop=self, name=name or f"Task-{len(self._tasks) + 1}", **options)
        self._tasks.append(task)
        return task

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = self.create_future()
        outer = self.owner.loop
        job = outer.job(func, args, future)
        outer.run_in_pool(
            executor,
            outer.actor_here(self.owner.home),
            job.run,
            lambda error: self.call_soon_threadsafe(job.finished, error),
        )
        return future

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def get_task_factory(self) -> Any:
        return None

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def call_exception_handler(self, context: Any) -> None:
        if self._exception_handler is not None:
            self._exception_handler(self, context)
