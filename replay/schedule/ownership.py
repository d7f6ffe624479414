"""Whose work a background worker does: that of whoever put the item which it took from the queue.

A worker that the first request starts carries that request's context for ever. So a queue remembers who put an item,
and the task or thread that takes it works for that lane from then on. The request's own task is left alone: what it
takes from a queue may be another's, and that is the very thing to be seen.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The standard library's own classes are reached into here, and many of those places have no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import queue
from collections import deque
from typing import TYPE_CHECKING, Any

from .actors import ACTOR, Actor
from .threads import here

if TYPE_CHECKING:
    from collections.abc import Callable

OWNERS = "_crosslane_owners"
told: list[Callable[[Actor, Actor], None]] = []
"""Called by each task or thread that works for another from now on, in its context: for whom, and who it was before."""


def follow_queues() -> None:
    """Let `asyncio.Queue` and `queue.Queue` carry who put what."""
    for cls, put, get in (
        (asyncio.Queue, "put_nowait", "get_nowait"),
        (queue.Queue, "put", "get"),
        (queue.SimpleQueue, "put", "get"),
    ):
        follow(cls, put, get)


def follow(cls: Any, put: str, get: str) -> None:
    """Let one class of queues do so, whose methods of these names put and get an item."""
    real_put, real_get = getattr(cls, put), getattr(cls, get)

    def putting(self: Any, item: Any, *args: Any, **keywords: Any) -> Any:
        actor = ACTOR.get(None)
        if actor is None or actor.background:
            return real_put(self, item, *args, **keywords)
        owners: dict[int, deque[Actor]] = self.__dict__.setdefault(OWNERS, {})
        waiting = owners.setdefault(id(item), deque())
        waiting.append(actor)
        try:
            return real_put(self, item, *args, **keywords)
        except BaseException:
            # It is not in the queue, and another's item may soon have its address.
            waiting.pop()
            if not waiting:
                owners.pop(id(item), None)
            raise

    def getting(self: Any, *args: Any, **keywords: Any) -> Any:
        item = real_get(self, *args, **keywords)
        owners = self.__dict__.get(OWNERS)
        if owners and (waiting := owners.get(id(item))):
            owner = waiting.popleft()
            if not waiting:
                del owners[id(item)]
            _work_for(owner)
        return item

    setattr(cls, put, putting)
    setattr(cls, get, getting)


def _work_for(owner: Actor) -> None:
    mine = ACTOR.get(None)
    if mine is None or mine is owner or mine.loop is not owner.loop:
        return
    thread = here()
    if thread is not None:
        if not thread.serves_request:
            thread.home = owner
            ACTOR.set(owner)
            for tell in told:
                tell(owner, mine)
        return
    task = asyncio.current_task()
    if task is not None and all(task is not lane.task for lane in owner.loop.lanes.values()):
        ACTOR.set(owner)
        for tell in told:
            tell(owner, mine)
