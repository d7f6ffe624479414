"""What stands in for `threading`'s locks, threads, sleeps and pools while a program is under control.

Of the primitives only the lock is replaced: conditions, events, semaphores, queues and futures are built of it in the
standard library's own Python, and so become cooperative by themselves.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The standard library's own classes are reached into here, and many of those places have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false, reportUnknownLambdaType=false

from __future__ import annotations

import _thread
import asyncio
import concurrent.futures
import logging
import queue
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from .ownership import follow_queues
from .threads import (
    Abandoned,
    Controlled,
    controlled_threads,
    get_ident,
    here,
    known_modules,
    new_lock,
    really_blocking,
    running_loops,
    shown_line,
    start_thread,
    user_files,
    users_line,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container

_join = threading.Thread.join
_submit = concurrent.futures.ThreadPoolExecutor.submit
_shutdown = concurrent.futures.ThreadPoolExecutor.shutdown


class CooperativeLock:
    """`threading.Lock`. Where a controlled thread would block, it gives the baton back and waits for the release."""

    __slots__ = ("__weakref__", "_real", "_waiters", "holder", "made_at")

    def __init__(self) -> None:
        self._real = new_lock()
        self._waiters: deque[Controlled] = deque()
        self.holder = ""
        # Of those in a thread that is started by us, nobody asks where they were made.
        self.made_at = None if get_ident() in really_blocking else users_line(sys._getframe(1))

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        ident = get_ident()
        if self._real.acquire(False):
            me = controlled_threads.get(ident)
            self.holder = me.loop.actor_here(me.home).name if me is not None else ""
            return True
        if not blocking or timeout == 0:
            return False
        me = controlled_threads.get(ident)
        if ident in really_blocking or (me is None and not _is_loops_own_thread(ident)):
            return self._real.acquire(True, timeout)
        if me is None:
            loop = running_loops[-1]
            if loop.baton.run_others_until(lambda: self._real.acquire(False)):
                return True
            if timeout > 0:
                loop.pass_time(timeout)
                return False
            loop.stopped = loop.stopped or f"deadlock: the event loop waits for {self.in_words()}"
            raise RuntimeError(f"deadlock: the event loop's own thread waits for {self.in_words()}")
        me.timed_out = False
        timer = me.loop.deadline(timeout, self._expire, me) if timeout > 0 else None
        while not self._real.acquire(False):
            if me.timed_out:
                return False
            self._waiters.append(me)
            me.park(self)
        if timer is not None:
            timer.cancel()
        self.holder = me.loop.actor_here(me.home).name
        return True

    def _expire(self, waiter: Controlled) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)
            waiter.timed_out = True
            waiter.ready(waiter.actor)

    def release(self) -> None:
        self._real.release()
        self.holder = ""
        if self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done:
                waiter.ready(waiter.actor)

    def locked(self) -> bool:
        return self._real.locked()

    def unlock(self) -> None:
        """Back to the state of a new lock, between executions."""
        self._waiters.clear()
        self.holder = ""
        if self._real.locked():
            self._real.release()

    def in_words(self) -> str:
        made = f"the lock made at {shown_line(self.made_at)}" if self.made_at is not None else "a lock"
        return f"{made}, held by {self.holder}" if self.holder else made

    def _at_fork_reinit(self) -> None:
        self.unlock()

    __enter__ = acquire
    acquire_lock = acquire
    release_lock = release
    locked_lock = locked

    def __exit__(self, *_: object) -> None:
        self.release()


def _is_loops_own_thread(ident: int) -> bool:
    return bool(running_loops) and running_loops[-1].thread_ident == ident


def install(
    files: Container[str], uncontrolled: Callable[[], None], loop_for: Callable[[Controlled], asyncio.AbstractEventLoop]
) -> None:
    """Put the cooperative primitives in the place of the standard library's. Before the program is imported.

    Args:
        files: which source files are the user's.
        uncontrolled: called when a thread starts that cannot be controlled.
        loop_for: makes the event loop for a controlled thread that asks for one.
    """
    user_files.append(files)
    known_modules.clear()
    _install_threads(uncontrolled)
    _install_pools()
    _install_waiting(loop_for)
    threading.Lock = CooperativeLock
    threading._allocate_lock = CooperativeLock
    threading.RLock = threading._PyRLock
    queue.SimpleQueue = queue._PySimpleQueue
    follow_queues()
    # Made before now, and held while handlers and formatters of the program run.
    logging._lock = threading.RLock()
    if logging.lastResort is not None:
        logging.lastResort.createLock()


def _install_threads(uncontrolled: Callable[[], None]) -> None:
    def start(self: threading.Thread) -> None:
        actor = running_loops[-1].actor_here(None) if running_loops else None
        if actor is not None and not hasattr(self, "_crosslane"):
            actor.loop.baton.adopt(self, actor, actor.loop)
            return
        if running_loops:
            uncontrolled()
        start_thread(self)

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        controlled = getattr(self, "_crosslane", None)
        if controlled is None or controlled.done:
            _join(self, timeout)
            return
        ended = CooperativeLock()
        ended.acquire()
        controlled.finished = lambda _: ended.release()
        if ended.acquire(True, -1 if timeout is None else timeout):
            _join(self, timeout)

    def start_new_thread(function: Callable[..., object], args: tuple[Any, ...], kwargs: Any = None, /) -> int:
        if not running_loops:
            return really_start_new(function, args, kwargs or {})
        thread = threading.Thread(target=function, args=args, kwargs=kwargs, daemon=True)
        thread.start()
        return thread.ident or 0

    really_start_new = _thread.start_new_thread
    _thread.start_new_thread = _thread.start_new = start_new_thread
    threading.Thread.start = start  # type: ignore[method-assign]
    threading.Thread.join = join  # type: ignore[method-assign]


def _install_pools() -> None:
    def submit(self: Any, fn: Any, /, *args: Any, **keywords: Any) -> Any:
        actor = running_loops[-1].actor_here(None) if running_loops else None
        if actor is None:
            return _submit(self, fn, *args, **keywords)
        if self._shutdown:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self.__dict__.setdefault("_crosslane_futures", []).append(future)
        actor.loop.run_in_pool(self, actor, _work(future, lambda: fn(*args, **keywords)), lambda _: None)
        return future

    def shutdown(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
        futures = self.__dict__.pop("_crosslane_futures", [])
        for future in futures:
            if cancel_futures:
                future.cancel()
            if wait:
                concurrent.futures.wait([future])
        _shutdown(self, wait, cancel_futures=cancel_futures)

    concurrent.futures.ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
    concurrent.futures.ThreadPoolExecutor.shutdown = shutdown  # type: ignore[method-assign]


def _install_waiting(loop_for: Callable[[Controlled], asyncio.AbstractEventLoop]) -> None:
    def sleep(seconds: float, /) -> None:
        me = here()
        if me is None:
            slept(seconds)
        else:
            me.sleep(seconds)

    def new_event_loop() -> asyncio.AbstractEventLoop:
        me = here()
        return real_new_event_loop() if me is None else loop_for(me)

    def all_tasks(loop: Any = None) -> Any:
        if running_loops:
            running_loops[-1].looked_around = True
        return real_all_tasks(loop)

    real_all_tasks = asyncio.all_tasks
    asyncio.all_tasks = asyncio.tasks.all_tasks = all_tasks
    real_new_event_loop = asyncio.new_event_loop
    asyncio.new_event_loop = asyncio.events.new_event_loop = new_event_loop
    slept, time.sleep = time.sleep, sleep


def _work(future: concurrent.futures.Future[Any], job: Callable[[], Any]) -> Callable[[], None]:
    def work() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(job())
        except Abandoned:
            raise
        except BaseException as error:
            future.set_exception(error)

    return work
