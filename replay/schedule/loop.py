"""An asyncio event loop on which the only choice is which lane runs next.

Every handle belongs to an actor, see `attribution`. One step runs the chosen actor to its next suspension. Callbacks
with which asyncio itself passes results on are no step of their own, and order inside an actor stays first in, first
out.

Time is virtual. An actor that waits for a timer counts as runnable, because latency is arbitrary in production;
choosing it lets its earliest timer fire. A deadline (`asyncio.timeout`, `wait_for`, anyio's cancel scopes) keeps its
order against the timers of its own actor, and otherwise fires only when nothing else can run.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .actors import ACTOR, Actor
from .attribution import AttributingLoop
from .deadlines import has_live_timer
from .spinning import Spinners
from .threads import Controlled, entered, left
from .waiting import beyond_control, waiting_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from types import FrameType

    from .actors import Handle

MAX_STEPS = 100_000
INTERRUPTED = "interrupted"
_STEPS_UNWATCHED = 500  # where there are no threads; few executions are longer, and those can be slower
_OVER: Any = SimpleNamespace(time_matters=True)  # what stands for the loop of who belongs to none any more


class ControlledLoop(AttributingLoop):
    """See the module. One loop serves one execution.

    Attributes, beside those of `AttributingLoop`:
        decisions: the schedule that was followed: `(lane, enabled lanes, whether the lane before could have gone on)` a
            step. A choice of another lane where it could is a preemption; elsewhere it is free.
        faults: `(step, action)` of each fault that the strategy wanted. `faulted` is the same by request id.
        starts, limits, upstream: the steps at which a request starts, its lane has a time limit running, and it waits
            for an upstream call: where which faults make sense.
        escapes: what left control, in words.
        stopped: why the run ended early, or "".
        overlapped: whether a request started while another was in flight.
        looked_around: whether the program has asked for the tasks of all lanes.
        before_step, after_step: called with the actor, for observers; None when nobody watches.
        line_hook: a trace function for what the program's threads do, or None.
    """

    __slots__ = (
        *("_all_lanes", "_choose", "_chosen", "_enabled_before", "_in_flight", "_max_in_flight", "_most_steps"),
        *("_names_before", "_running", "_spinners", "after_step", "before_step", "decisions", "faulted", "faults"),
        *("is_closing", "limits", "line_hook", "looked_around", "overlapped", "starts", "steps", "stopped"),
        *("thread_ident", "upstream"),
    )

    def __init__(self, lane_names: Sequence[str], max_in_flight: int | None = None) -> None:
        super().__init__(lane_names)
        self._all_lanes: tuple[Actor, ...] = tuple(self.lanes.values())
        self.decisions: list[tuple[str, tuple[str, ...], bool]] = []
        self.faults: list[tuple[int, str]] = []
        self.faulted: dict[str, str] = {}
        self.starts: list[int] = []
        self.limits: list[int] = []
        self.upstream: list[int] = []
        self.stopped = ""
        self._most_steps = MAX_STEPS
        self.overlapped = False
        self.looked_around = False
        self.steps = 0
        self.before_step: Callable[[Actor], None] | None = None
        self.after_step: Callable[[Actor], None] | None = None
        self.line_hook: Callable[[FrameType, str, Any], object] | None = None
        self.thread_ident = threading.get_ident()
        self._max_in_flight = max_in_flight if max_in_flight is not None else len(self.lanes)
        self._in_flight = 0
        self.is_closing = False
        self._choose: Callable[[list[Actor], Actor | None], Actor] | None = None
        self._chosen: Actor | None = None  # by a thread before it passed the baton, see `goes_on`
        # Who could run at the step before, and their names: at most steps the same can.
        self._enabled_before: list[Actor] = []
        self._names_before: tuple[str, ...] = ()
        self._running: Handle | None = None
        self._spinners = Spinners()

    # ---- running

    def run_requests(self, choose: Callable[[list[Actor], Actor | None], Actor]) -> None:
        """Run until every pending request is answered, asking `choose(enabled, previous)` before each step."""
        previous: Actor | None = None
        self._choose = choose
        asyncio.events._set_running_loop(self)
        entered(self)
        try:
            while self._in_flight or self._waiting():
                actor, self._chosen = self._chosen, None
                if actor is None:
                    enabled = self._enabled()
                    if not enabled:
                        if self._spinners.now:  # and nobody else can go on
                            self.stopped = self._spinners.in_words(self.lanes)
                            return
                        if self._await_foreign_thread():
                            continue
                        self.stopped = self._deadlock()
                        return
                    if self.steps >= self._most_steps:
                        self.stopped = self.stopped or f"no end after {MAX_STEPS} steps"
                        return
                    actor = choose(enabled, previous)
                    self._note_decision(actor, enabled, previous)
                previous = self.step(actor)
        finally:
            self._choose = None
            left(self)
            asyncio.events._set_running_loop(None)

    @property
    def turned_aside(self) -> bool:
        """Whether a lane that went on and on was made to let others run: by a count, and not by the strategy."""
        return self._spinners.turned_aside

    def interrupt(self) -> None:
        """End the run before its next step. Called by a signal handler, between any two instructions."""
        self.stopped, self._most_steps = self.stopped or INTERRUPTED, 0

    def _note_decision(self, actor: Actor, enabled: list[Actor], previous: Actor | None) -> None:
        if enabled != self._enabled_before:
            self._enabled_before, self._names_before = enabled, tuple([a.name for a in enabled])
        goes_on = previous is not None and previous.in_flight and previous in enabled
        self.decisions.append((actor.name, self._names_before, goes_on))

    def goes_on(self, thread: Controlled) -> Controlled | None:
        """Make the next choice on the thread that is about to pause, which has made itself ready.

        Most choices let the same lane go on, or one that waits at a line of its own. To pass the baton by way of the
        loop's thread costs more than all the rest of a step; so where nothing else is to be done in between, it is not.

        Returns:
            The thread that is to go on; None where the baton has to come here, and `_chosen` is who comes next.
        """
        before, actor, choose = self._running, thread.actor, self._choose
        if choose is None or before is None or before.actor is not actor:
            return None
        starting = thread is self._starting  # within a step of its request's task, which others must not end in
        if before.callback != thread.resume and not starting:
            return None
        nobody = self._nobody
        others = len(actor.ready) != 1 or nobody.ready or nobody.timers or self._foreign
        watched = self.before_step is not None or self.after_step is not None
        if others or watched or self.stopped or self.steps >= self._most_steps:
            return None
        enabled = self._enabled()
        if not enabled:
            return None
        chosen = choose(enabled, actor)
        self._note_decision(chosen, enabled, actor)
        following = thread if chosen is actor else None if starting else _ready_thread(chosen)
        if following is None or chosen.fault:
            self._chosen = chosen
            return None
        self.steps += 1
        self._stepping = chosen
        self._note_places(chosen)
        self._running, following.handle = chosen.ready.popleft(), None
        return following

    def run_alone(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        """Run start-up or shutdown of an application to its end, before or after the requests."""
        asyncio.events._set_running_loop(self)
        entered(self)
        try:
            task = self.context.run(self.create_task, coroutine, name=name)
            for _ in range(MAX_STEPS):
                if task.done():
                    break
                self._drain_nobody()
                runnable = [a for a in self.background if a.ready or a.timers]
                if not runnable:
                    if self._await_foreign_thread():
                        continue
                    raise RuntimeError(f"{name} waits for something that never comes")
                # Least recently added last: the application's own start-up task is the newest to have work.
                self.step(next((a for a in runnable if a.ready), runnable[0]))
            task.result()
        finally:
            left(self)
            asyncio.events._set_running_loop(None)

    def step(self, actor: Actor) -> Actor:
        """Run `actor` from one point where it could be suspended to the next.

        Returns:
            Who ran last: threads may have passed the baton on among themselves, see `goes_on`.
        """
        self.steps += 1
        self._stepping = actor
        if self.before_step is not None:
            self.before_step(actor)
        ready = actor.ready
        if actor.fault:
            self._do(actor, actor.fault)
        if actor.timers or actor.at_upstream or self.steps > _STEPS_UNWATCHED or self.baton.threads:
            self._note_places(actor)
        if not ready:
            if actor.pending and not actor.in_flight:
                self._start_request(actor)
            elif actor.timers:
                self._fire(actor)
        while ready:
            handle = ready.popleft()
            if handle.dead:
                continue
            self._running = handle
            self._run(handle)
            self._running = None
            actor = self._stepping
            ready = actor.ready
            if type(handle.callback) in self._sure_steps or self._is_step(handle.callback):
                break
        while ready:
            handle = ready[0]
            if not handle.dead and (type(handle.callback) in self._sure_steps or self._is_step(handle.callback)):
                break
            ready.popleft()
            if not handle.dead:
                self._run(handle)
        nobody = self._nobody
        if nobody.ready or nobody.timers:
            self._drain_nobody()
        self._stepping = None
        if self.after_step is not None:
            self.after_step(actor)
        return actor

    def _note_places(self, actor: Actor) -> None:
        if self.baton.threads or self.steps > _STEPS_UNWATCHED:
            self._spinners.watch(actor)
        if actor.at_upstream:
            self.upstream.append(len(self.decisions) - 1)
        # Where every timer is a delay, which is most often so, none is a limit.
        if len(actor.timers) > actor.delays and any(h.deadline and not h.dead for _, _, h in actor.timers):
            self.limits.append(len(self.decisions) - 1)

    def _do(self, actor: Actor, fault: str) -> None:
        actor.fault = ""
        self.faults.append((len(self.decisions) - 1, fault))
        self.faulted[actor.request] = fault
        if fault == "cancel":
            if actor.leave is not None:
                actor.leave()
        elif fault == "timeout":
            due = min((h for _, _, h in actor.timers if h.deadline and not h.dead), key=lambda h: h.due, default=None)
            if due is not None:
                actor.clock = max(actor.clock, due.due)
                self.now = max(self.now, actor.clock)
                due.dead = True
                self._run(due)
        elif actor.at_upstream:
            actor.at_upstream = False  # the call looks for this when it goes on

    def request_done(self, actor: Actor) -> None:
        """Called by the request's own coroutine when the answer is complete."""
        actor.in_flight = False
        actor.leave = None
        self._in_flight -= 1

    def _waiting(self) -> bool:
        return any(lane.in_flight or lane.pending for lane in self.lanes.values())

    def _enabled(self) -> list[Actor]:
        if self._foreign or self._nobody.ready or self._nobody.timers:
            self._take_foreign()
        room = self._in_flight < self._max_in_flight
        enabled: list[Actor] = []
        for lane in self._all_lanes:
            if lane.ready:
                enabled.append(lane)
            elif lane.in_flight:
                if lane.delays:
                    enabled.append(lane)
            elif lane.pending:
                if room:
                    enabled.append(lane)
            elif lane.delays and lane.idle_timers > 0:
                enabled.append(lane)
        if self.background:
            enabled += [a for a in self.background if a.ready or (a.delays and a.idle_timers > 0)]
        if self._spinners.now:
            if self._spinners.are_all:
                return []
            enabled = self._spinners.among(enabled)
        # Nothing else can run, so time passes: deadlines, and heartbeats beyond their share.
        return enabled or [a for a in (*self.lanes.values(), *self.background) if a.timers and has_live_timer(a)]

    def _start_request(self, actor: Actor) -> None:
        actor.in_flight = True
        actor.clock = self.now
        self._spinners.forget(actor)
        self.starts.append(len(self.decisions) - 1)
        self.overlapped = self.overlapped or self._in_flight > 0
        self._in_flight += 1
        # As in a server, each request starts in a context of its own: what an earlier one set is not seen.
        context = self.context.copy()
        context.run(ACTOR.set, actor)
        coroutine = actor.pending.popleft()()
        # A factory of the program's may look at the context it runs in.
        task = (
            self.create_task(coroutine, context=context)
            if self._task_factory is None
            else context.run(self.create_task, coroutine, context=context)
        )
        actor.task, actor.leave = task, task.cancel

    # ---- what is to be looked at between two steps, beside the lanes; see `state.picture`

    @property
    def shared(self) -> tuple[Any, ...]:
        """What no lane owns: plain values of which the next steps depend."""
        return self._nobody.made, bool(self.stopped)

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return self._in_flight

    @property
    def limited(self) -> bool:
        """Whether a request may have to wait until another is answered."""
        return self._max_in_flight < len(self.lanes)

    @property
    def ownerless(self) -> bool:
        """Whether something waits to run that belongs to no lane."""
        return bool(self._nobody.ready or self._nobody.timers or self._foreign)

    # ---- the end

    def close(self) -> None:
        """Cancel what is still running, let it clean up, and stop."""
        self.is_closing = True
        entered(self)
        try:
            self.baton.abandon()
            self._cancel_tasks()
        finally:
            left(self)
        self._closed = True
        self._let_go()

    def _let_go(self) -> None:
        """Nothing of the execution is to wait for the garbage collector, which takes long where a program is large."""
        for actor in (*self._all_lanes, *self.background):
            actor.task = actor.leave = None
        self._nobody.loop = _OVER
        self.baton.let_go()
        self.lanes, self._all_lanes, self.background = {}, (), []
        self._tasks, self.task_contexts, self._plumbing = [], [], set()
        self._choose = self._chosen = None
        self._enabled_before = []

    def _cancel_tasks(self) -> None:
        unfinished = [task for task in self._tasks if not task.done()]
        if unfinished:
            self.before_step = self.after_step = None
            asyncio.events._set_running_loop(self)
            try:
                for task in unfinished:
                    task.cancel()
                self._run_out(limit=1_000)
            finally:
                asyncio.events._set_running_loop(None)
            for task in unfinished:
                task._log_destroy_pending = False  # type: ignore[attr-defined]

    def _deadlock(self) -> str:
        waits = [*self.baton.waits(), *waiting_tasks(self)]
        return f"deadlock: {'; '.join(waits)}{beyond_control()}" if waits else "deadlock"

    def _run_out(self, limit: int) -> None:
        actors = [self._nobody, *self.lanes.values(), *self.background]
        for _ in range(limit):
            actor = next((a for a in actors if a.ready), None)
            if actor is None:
                return
            handle = actor.ready.popleft()
            if not handle.dead:
                self._run(handle)


def _ready_thread(actor: Actor) -> Controlled | None:
    """The thread with which an actor would go on, where that is all that it has to do."""
    if len(actor.ready) != 1 or actor.ready[0].dead:
        return None
    thread = getattr(actor.ready[0].callback, "__self__", None)
    return thread if isinstance(thread, Controlled) and not thread.done and not thread.abandoned else None
