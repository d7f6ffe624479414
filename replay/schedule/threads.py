"""Real threads of the program, one of which runs at a time: whoever holds the baton.

A thread gives the baton back before each line of the user's code and wherever it would block: on a lock (and so on
everything that `threading`, `queue` and `concurrent.futures` build of locks), in a sleep, in a join. Going on is then a
handle of its lane like any other, so that threads and coroutines are chosen by the same schedule. The threads are real
because thread-locals must stay real; pools hand out the thread that became idle last, as servers do, so that what one
request leaves in a thread-local meets the next.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The standard library's own classes are reached into here, and many of those places have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false

from __future__ import annotations

import _thread
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from .actors import ACTOR, Actor, Handle

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from types import FrameType

    from .loop import ControlledLoop
    from .primitives import CooperativeLock

new_lock = _thread.allocate_lock
get_ident = _thread.get_ident
controlled_threads: dict[int, Controlled] = {}
really_blocking: set[int] = set()
user_files: list[Container[str]] = [()]  # of the source that is the user's; set by `install`
known_modules: dict[str | None, bool] = {}  # what `user_files` said, by the module's name
start_thread = threading.Thread.start
running_loops: list[ControlledLoop] = []  # the one that is running


class Abandoned(BaseException):
    """Raised in a thread whose execution is over. No Exception, so that few programs catch it by accident."""


class Controlled:
    """One thread under the baton, or one job of a pool's thread.

    Attributes:
        home: the actor that it works for, unless the context it runs in says otherwise.
        serves_request: whether it is the thread of a request itself, rather than a worker of the program's.
        waiting: the lock that it waits for, or None. `wait_at` is the user's line where it does.
        finished: called on the loop's thread when it has ended, with what stopped it if that was not its own end.
        handle: what will let it go on, while it is ready or asleep.
    """

    __slots__ = (
        *("_back", "_go", "_importing", "_skip_line", "abandoned", "actor", "done", "finished", "handle", "home"),
        *("ident", "loop", "serves_request", "timed_out", "wait_at", "waiting"),
    )

    def __init__(self, loop: ControlledLoop, home: Actor) -> None:
        self.loop = loop
        self.home = home
        self.actor = home
        self.waiting: CooperativeLock | None = None
        self.wait_at: tuple[str, int] | None = None
        self.finished: Callable[[BaseException | None], None] | None = None
        self.done = False
        self.abandoned = False
        self.timed_out = False
        self.serves_request = False
        self.ident = 0
        self.handle: Handle | None = None
        self._go, self._back = _taken_lock(), _taken_lock()
        self._importing = 0
        # Nothing of the user's has run before the first line, so it is no point to be suspended at.
        self._skip_line = True
        loop.baton.threads.append(self)

    # ---- on the loop's thread

    def resume(self) -> None:
        """Let the thread run until the baton is given back: by itself, or by another that it was passed on to."""
        if self.done:
            return
        handle, self.handle = self.handle, None
        if handle is not None:
            handle.cancel()
        baton = self.loop.baton
        before, baton.current = baton.current, self
        stopped: BaseException | None = None
        last = self
        back = self._back
        self._go.release()
        try:
            back.acquire()
            last = baton.current
        except BaseException as error:  # the watchdog: it stands in C code, and nothing gets it out
            stopped = error
            last = baton.current
            last._end()
            last._back = _taken_lock()  # whoever shares the one it has must not meet what it does with it yet
        finally:
            baton.current = before
        if last.done and last.finished is not None:
            finished, last.finished = last.finished, None
            finished(stopped)

    def ready(self, actor: Actor) -> None:
        self.waiting = None
        self.actor = actor
        self.handle = self.loop.queue_thread(self.resume, actor)

    def _end(self) -> None:
        self.done = True
        controlled_threads.pop(self.ident, None)
        if self in self.loop.baton.threads:
            self.loop.baton.threads.remove(self)

    # ---- on the thread itself

    def body(self, run: Callable[[], object]) -> None:
        """What the thread does from its start to its end."""
        self.ident = get_ident()
        controlled_threads[self.ident] = self
        self._go.acquire()
        try:
            if not self.abandoned:
                ACTOR.set(self.home)
                sys.settrace(self._trace)
                run()
        except Abandoned:
            pass
        finally:
            sys.settrace(None)
            self._end()
            self._back.release()

    def pause(self) -> None:
        """Give the baton back, ready to go on."""
        self.ready(self.loop.actor_here(self.home))
        next_one = self.loop.goes_on(self)
        if next_one is None:
            self._wait()
        elif next_one is not self:
            self._pass_to(next_one)

    def park(self, lock: CooperativeLock) -> None:
        """Give the baton back until somebody calls `ready`."""
        self.actor = self.loop.actor_here(self.home)
        self.waiting = lock
        self.wait_at = users_line(sys._getframe(1))
        self._wait()
        self.waiting = None

    def sleep(self, seconds: float) -> None:
        self.actor = self.loop.actor_here(self.home)
        self.handle = self.loop.call_later(max(0.0, seconds), self.resume)
        self._wait()

    def _wait(self) -> None:
        self._back.release()
        self._stand()

    def _pass_to(self, other: Controlled) -> None:
        """Let another go on, who is to give the baton back where this thread would have."""
        other.handle = None
        other._back = self._back
        self.loop.baton.current = other
        other._go.release()
        self._stand()

    def _stand(self) -> None:
        self._go.acquire()
        if self.abandoned:
            raise Abandoned

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        # Called for every function of every library: first of all what is known of its module.
        if not known_modules.get(frame.f_globals.get("__name__"), True) or not is_users(frame):
            return None
        if frame.f_code.co_name == "<module>":
            self._importing += 1  # others would wait for the import, in C, where no baton can be passed
        hook = self.loop.line_hook
        if hook is not None:
            hook(frame, event, argument)
        return self._line

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            if self._skip_line:
                self._skip_line = False
            elif not self._importing:
                self.pause()
        elif event == "return" and frame.f_code.co_name == "<module>":
            self._importing -= 1
        hook = self.loop.line_hook
        if hook is not None:
            hook(frame, event, argument)
        return self._line


class Pool:
    """Threads that take one job after another; the one that became idle last is taken first."""

    def __init__(
        self, loop: ControlledLoop, limit: int, name: str, initializer: Callable[[], object] | None = None
    ) -> None:
        self._loop = loop
        self._limit = limit
        self._name = name
        self._initializer = initializer
        self._idle: list[_Worker] = []
        self._waiting: deque[tuple[Actor, Callable[[], object], Callable[[BaseException | None], None]]] = deque()
        self._made = 0

    def run(
        self, actor: Actor, job: Callable[[], object], finished: Callable[[BaseException | None], None]
    ) -> Controlled | None:
        """Start `job` for the actor; None when all threads are taken and it has to wait.

        Args:
            job: runs on the thread and must not raise.
            finished: called on the loop's thread afterwards.
        """
        if self._idle:
            worker = self._idle.pop()
        elif self._made < self._limit:
            self._made += 1
            worker = _Worker(f"{self._name}_{self._made - 1}", self._initializer)
            self._loop.baton.workers.append(worker)
        else:
            self._waiting.append((actor, job, finished))
            return None

        def ended(stopped: BaseException | None) -> None:
            if stopped is None:
                self._idle.append(worker)
            finished(stopped)
            if self._waiting:
                started = self.run(*self._waiting.popleft())
                if started is not None:
                    started.ready(started.home)

        return worker.take(Controlled(self._loop, actor), job, ended)

    def let_go(self) -> None:
        """The execution is over: nobody runs here any more."""
        self._idle.clear()
        self._waiting.clear()
        del self._loop


class _Worker:
    """A real thread of a pool, which is idle between jobs; each job is a `Controlled` of its own."""

    def __init__(self, name: str, initializer: Callable[[], object] | None) -> None:
        self._job: Callable[[], None] | None = None
        self._next = new_lock()
        self._next.acquire()
        self._initializer = initializer
        really_start_new(self._work, name)

    def take(
        self, controlled: Controlled, job: Callable[[], object], ended: Callable[[BaseException | None], None]
    ) -> Controlled:
        controlled.finished = ended
        initializer, self._initializer = self._initializer, None

        def run() -> None:
            if initializer is not None:
                initializer()
            job()

        self._job = lambda: controlled.body(run)
        self._next.release()
        return controlled

    def _work(self) -> None:
        while True:
            self._next.acquire()
            if self._job is None:
                return
            job, self._job = self._job, None
            job()

    def end(self) -> None:
        if self._next.locked():
            self._next.release()


def _taken_lock() -> Any:
    lock = new_lock()
    lock.acquire()
    return lock


class Baton:
    """The threads of one execution. `current` is the one that runs while the loop's own thread waits."""

    __slots__ = ("current", "pools", "threads", "workers")

    def __init__(self) -> None:
        self.threads: list[Controlled] = []
        self.workers: list[_Worker] = []
        self.pools: dict[Any, Pool] = {}
        self.current: Controlled | None = None

    def adopt(self, thread: threading.Thread, actor: Actor, loop: ControlledLoop) -> None:
        """Start a thread that the program made: it runs when its turn comes."""
        controlled = Controlled(loop, actor)
        run = thread.run
        thread.run = lambda: controlled.body(run)  # type: ignore[method-assign]
        thread._crosslane = controlled  # type: ignore[attr-defined]
        really_start(thread)
        controlled.ready(actor)

    def run_others_until(self, done: Callable[[], bool]) -> bool:
        """For a lock that the loop's own thread waits for: nothing but other threads can run. False: none can."""
        while not done():
            able = [c for c in self.threads if c.waiting is None and c is not self.current]
            if not able:
                return False
            able[0].resume()
        return True

    def waits(self) -> list[str]:
        """Who waits where for what, in words."""
        # Threads that are not under the baton let go of what these wait for at any moment.
        waiting = [(thread, thread.waiting) for thread in self.threads]
        return [
            f"{thread.actor.name or 'a thread'} waits at {shown_line(thread.wait_at)} for {thing.in_words()}"
            for thread, thing in waiting
            if thing is not None
        ]

    def abandon(self) -> None:
        """End every thread that is still there: what it waits for will not come any more."""
        for thread in list(self.threads):
            thread.abandoned = True
            thread.finished = None
            for _ in range(100):  # its `finally` clauses may wait again
                if thread.done or thread is self.current:
                    break
                thread.resume()
        for worker in self.workers:
            worker.end()

    def let_go(self) -> None:
        """Of an execution that is over no more is kept than that there were threads."""
        for pool in self.pools.values():
            pool.let_go()


def is_users(frame: FrameType) -> bool:
    """Whether it runs code of the user's. Each look at `f_code` would call the worker's audit hook: one a module."""
    module = frame.f_globals.get("__name__")
    users = known_modules.get(module)
    if users is None:
        users = frame.f_code.co_filename in user_files[-1]
        if module is not None:
            known_modules[module] = users
    return users


def users_line(frame: FrameType | None) -> tuple[str, int] | None:
    """File and number of the innermost line of the user's code on the stack."""
    while frame is not None:
        if is_users(frame):
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def shown_line(at: tuple[str, int] | None) -> str:
    if at is None:
        return "?"
    shown = getattr(user_files[-1], "shown", None)
    return f"{shown(at[0]) if shown is not None else at[0]}:{at[1]}"


def really_start(thread: threading.Thread) -> None:
    """Start it as Python does. Its handshake with the new thread must not pass the baton."""
    ident = get_ident()
    really_blocking.add(ident)
    try:
        start_thread(thread)
    finally:
        really_blocking.discard(ident)


def really_start_new(run: Callable[[], object], name: str) -> None:
    """Start a thread of ours without waiting until it runs: it is met at the first lock that it waits for."""
    ident = get_ident()
    really_blocking.add(ident)
    try:
        thread = threading.Thread(target=run, name=name, daemon=True)
        thread._crosslane = None  # type: ignore[attr-defined]
        thread._started.wait = lambda timeout=None: True  # type: ignore[attr-defined,method-assign]  # noqa: ARG005
        start_thread(thread)
        del thread._started.wait  # type: ignore[attr-defined]
    finally:
        really_blocking.discard(ident)


def entered(loop: ControlledLoop) -> None:
    running_loops.append(loop)


def left(loop: ControlledLoop) -> None:
    running_loops.remove(loop)


def foreign_threads() -> int:
    """How many threads there are that neither the loop nor the baton controls."""
    others = [thread for thread in threading.enumerate() if not hasattr(thread, "_crosslane")]
    return len(others) - 1


def here() -> Controlled | None:
    """The controlled thread that asks, or None on any other."""
    return controlled_threads.get(get_ident())
