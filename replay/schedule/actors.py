"""Who can run: a lane, or a background task that no request started, with what waits to run for it.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

from __future__ import annotations

import contextvars
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .loop import ControlledLoop

ACTOR: contextvars.ContextVar[Actor] = contextvars.ContextVar("crosslane_actor")

_IDLE_TIMERS = 8


class Handle:
    """A scheduled callback; also what `call_later` returns."""

    __slots__ = ("actor", "args", "callback", "context", "dead", "deadline", "due")

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: contextvars.Context,
        actor: Actor,
        due: float = 0.0,
        deadline: bool | None = None,
    ) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.actor = actor
        self.due = due
        self.deadline = deadline
        self.dead = False

    def cancel(self) -> None:
        if not self.dead:
            self.dead = True
            if self.deadline is False:
                self.actor.delays -= 1

    def cancelled(self) -> bool:
        return self.dead

    def when(self) -> float:
        self.actor.loop.time_matters = True
        return self.due


class Actor:
    """A lane, or a background task that belongs to none.

    Attributes:
        ready: handles that can run now, in order. `timers` is a heap of (due, serial number, handle).
        delays: how many live timers stand for latency; they make the actor runnable.
        pending: requests not yet started; each is called to make the request's coroutine.
        in_flight: whether a request has started and is not yet answered. `request` is the id of the latest one.
        clock: this actor's time in seconds. Only its own timers move it, so that the latency of one lane does not use
            up the deadlines of another.
        fault: what the strategy that chose it wants done to its request in this step, see `schedule.FAULTS`.
        task: the request's own.
        leave: what to call when its client goes away. `at_upstream`: whether it waits for an upstream call.
        made: how many tasks it has made.
        idle_timers: timers that may still fire after the last request, so that a heartbeat does not run for ever.
    """

    __slots__ = (
        *(
            "at_upstream",
            "background",
            "clock",
            "delays",
            "fault",
            "idle_timers",
            "in_flight",
            "leave",
            "loop",
            "made",
            "name",
            "pending",
            "ready",
            "task",
            "request",
            "timers",
        ),
    )

    def __init__(self, name: str, loop: ControlledLoop, background: bool = False) -> None:
        self.name = name
        self.loop = loop
        self.background = background
        self.ready: deque[Handle] = deque()
        self.timers: list[tuple[float, int, Handle]] = []
        self.delays = 0
        self.made = 0
        self.pending: deque[Callable[[], Coroutine[Any, Any, None]]] = deque()
        self.in_flight = False
        self.request = ""
        self.clock: float = loop.now
        self.idle_timers = _IDLE_TIMERS
        self.fault = ""
        self.at_upstream = False
        self.task: object = None
        self.leave: Callable[[], object] | None = None
