"""A ContextVar's value that outlives the request which set it, and is read in work for another.

A task, a callback or a thread keeps the context of the request that made it. Nothing shared holds such a value. The
experiment is to let the variable hold there, while it works for another, what it holds in that one's own request.
Whom it works for is known where it takes an item from a queue, and where a thread of a pool gets another's job. Else it
is whoever else waits for an answer while it runs; see `Other`.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import contextvars
import sys
from typing import TYPE_CHECKING, Any

from ..schedule import ownership
from ..schedule.actors import ACTOR
from ..schedule.threads import here
from .places import INHERITED, MISSING, Place, texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from ..schedule.actors import Actor, Handle
    from ..schedule.loop import ControlledLoop
    from ..state.files import UserFiles
    from ..state.graph import StateGraph

    _Works = Callable[[Actor, Actor, Handle | None], Callable[[], None]]


class Other:
    """Calls `works` around all that runs in a context of another request than those it may work for.

    Attributes:
        ran: whether there was any since this was last set to False.
    """

    def __init__(
        self, loop: ControlledLoop, works: Callable[[Actor, Actor, Handle | None], Callable[[], None]]
    ) -> None:
        """`works(other, owner, handle)` is called before it runs, with who else waits for an answer and in whose
        context it runs; what it returns is called after it. Threads have no handle, and call it at each line."""
        self.ran = False
        self._loop = loop
        self._works = works
        self._lanes: dict[int, Actor] = {}
        self._run = loop._run  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        loop._run = self._running  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def on_line(self, frame: FrameType, event: str, argument: Any) -> None:  # noqa: ARG002
        """A hook for the lines of the program's threads."""
        thread, lane = here(), ACTOR.get(None)
        if thread is None or thread.serves_request or lane is None or lane.loop is not self._loop:
            return
        before = self._lanes.setdefault(thread.ident, lane)
        self._lanes[thread.ident] = lane
        # A thread of a pool has a context of its own, with what the jobs before left there.
        other = lane if before is not lane else None if lane.in_flight else other_in_flight(lane)
        if other is not None:
            self.ran = True
            self._works(other, before, None)

    def _running(self, handle: Handle) -> None:
        lane = handle.actor
        other = other_in_flight(lane) if self._has_inherited(handle) else None
        if other is None:
            self._run(handle)
            return
        self.ran = True
        after = self._works(other, lane, handle)
        self._run(handle)
        after()

    def _has_inherited(self, handle: Handle) -> bool:
        own = handle.actor.background or handle.context is _context_of(handle.actor)
        # A thread goes on in a context of its own, and this one is the loop's.
        return not own and handle.context is not self._loop.context and _is_step(self._loop, handle)


def _is_step(loop: ControlledLoop, handle: Handle) -> bool:
    return loop._is_step(handle.callback)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]


def _is_tasks(handle: Handle | None) -> bool:
    return handle is not None and isinstance(getattr(handle.callback, "__self__", None), asyncio.Task)


def other_in_flight(lane: Actor) -> Actor | None:
    """Who else waits for an answer; of several, the last of the trace."""
    return next((o for o in reversed(lane.loop.lanes.values()) if o is not lane and o.in_flight), None)


class Heirs:
    """Which variables are read in another's context, from `begin` to `end` of one execution.

    Attributes:
        found: the places, with the values' texts, and how the context came to be kept, in words.
    """

    def __init__(self, files: UserFiles) -> None:
        self.found: dict[Place, tuple[list[str], str]] = {}
        self._files = files
        self._made_at: dict[int, tuple[contextvars.Context, str]] = {}
        self._graph: StateGraph | None = None
        self._wide = False
        self._other: Other | None = None

    def begin(self, loop: ControlledLoop, graph: StateGraph, wide: bool) -> None:
        """`wide`: see `Place`."""
        self._graph, self._wide = graph, wide
        make, call_soon, call_at = loop.create_task, loop.call_soon, loop.call_at

        def create_task(*args: Any, **options: Any) -> Any:
            task = make(*args, **options)
            self._remember(loop.task_contexts[-1], "a task that {} started")
            return task

        def soon(*args: Any, **options: Any) -> Any:
            return self._arranged(loop, call_soon(*args, **options))

        def at(*args: Any, **options: Any) -> Any:
            return self._arranged(loop, call_at(*args, **options))

        loop.create_task, loop.call_soon, loop.call_at = create_task, soon, at  # type: ignore[method-assign]
        ownership.told.append(self._takes_up)
        self._other = Other(loop, self._works)
        loop.line_hook = self._other.on_line

    def end(self) -> None:
        ownership.told.remove(self._takes_up)
        self._graph = None

    def in_words(self, place: Place) -> str:
        """How it came to be inherited; "" for any other place."""
        return self.found[place][1] if place in self.found else ""

    def ran(self) -> bool:
        """Whether anything ran in another's context since this was last asked."""
        ran = self._other is not None and self._other.ran
        if self._other is not None:
            self._other.ran = False
        return ran

    def _arranged(self, loop: ControlledLoop, handle: Handle) -> Handle:
        if _is_step(loop, handle) and not _is_tasks(handle):
            self._remember(handle.context, "a callback that {} arranged")
        return handle

    def _remember(self, context: contextvars.Context, what: str) -> None:
        frame = sys._getframe(2)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        self._made_at.setdefault(id(context), (context, f"{what}{self._place(frame)}"))

    def _place(self, frame: Any) -> str:
        while frame is not None:
            if frame.f_code.co_filename in self._files:
                return f" at {self._files.at(frame.f_code.co_filename, frame.f_lineno)}"
            frame = frame.f_back
        return ""

    def _works(self, other: Actor, owner: Actor, handle: Handle | None) -> Callable[[], None]:
        waiting = len(other.ready)
        context = contextvars.copy_context() if handle is None else handle.context
        before = list(context.items())

        def after() -> None:
            # It has answered for the other, or is all that is left of the request it was made in. What a callback has
            # answered may not be waited for yet.
            if len(other.ready) > waiting or not owner.in_flight or not _is_tasks(handle):
                self._note(before, other, owner, context)

        if handle is None:
            self._note(before, other, owner, context)
        return after

    def _takes_up(self, owner: Actor, before: Actor) -> None:
        task = asyncio.current_task() if here() is None else None
        context = next((context for made, context in owner.loop.tasks_made() if made is task), None)
        self._note(list(contextvars.copy_context().items()), owner, before, context)

    def _note(
        self,
        values: list[tuple[contextvars.ContextVar[Any], Any]],
        owner: Actor,
        before: Actor,
        context: contextvars.Context | None,
    ) -> None:
        theirs = _context_of(owner)
        if self._graph is None or theirs is None:
            return
        what = "a thread that worked for {}"
        if context is not None and id(context) in self._made_at:
            _, what = self._made_at[id(context)]
        for variable, value in values:
            same = theirs.get(variable, MISSING) is value
            place = None if same else _place_of(variable, self._graph, self._wide)
            if place is not None and place not in self.found:
                words = f"{what.replace('{}', before.name, 1)} keeps the context of that request"
                self.found[place] = texts_in(value), words


class Disinherited:
    """While it lasts, what works for a lane has that lane's own values of the variables."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = [place for place in places if place.form == INHERITED]
        self._variables: list[contextvars.ContextVar[Any]] = []
        self._took_up = False

    def begin(self, loop: ControlledLoop, graph_now: Callable[[bool], StateGraph]) -> None:
        if self._places:
            graph = graph_now(any(place.wide for place in self._places))
            self._variables = [place.variable(graph) for place in self._places if place.is_in(graph)]
        if self._variables:
            ownership.told.append(self._takes_up)
            loop.line_hook = Other(loop, self._works).on_line

    def end(self) -> None:
        if self._variables:
            ownership.told.remove(self._takes_up)

    def _takes_up(self, owner: Actor, before: Actor) -> None:  # noqa: ARG002
        self._took_up = True
        self._set(owner)

    def _works(self, other: Actor, owner: Actor, handle: Handle | None) -> Callable[[], None]:  # noqa: ARG002
        if handle is None:
            self._set(other)
            return lambda: None
        held = [(variable, handle.context.get(variable, MISSING)) for variable in self._variables]
        handle.context.run(self._set, other)
        given = [handle.context.get(variable, MISSING) for variable in self._variables]
        self._took_up = False

        def after() -> None:
            if self._took_up:  # it goes on to work for that one, at its next steps too
                return
            for (variable, value), was_given in zip(held, given, strict=True):
                if value is not MISSING and handle.context.get(variable, MISSING) is was_given:
                    handle.context.run(variable.set, value)

        return after

    def _set(self, owner: Actor) -> None:
        theirs = _context_of(owner)
        for variable in self._variables if theirs is not None else ():
            value = theirs.get(variable, _default(variable)) if theirs is not None else MISSING
            if value is not MISSING:
                variable.set(value)


def _context_of(lane: Actor) -> contextvars.Context | None:
    """The context that the lane's request runs in."""
    return next((context for task, context in lane.loop.tasks_made() if task is lane.task), None)


def _default(variable: contextvars.ContextVar[Any]) -> Any:
    try:
        return contextvars.Context().run(variable.get)
    except LookupError:
        return MISSING


def _place_of(variable: contextvars.ContextVar[Any], graph: StateGraph, wide: bool) -> Place | None:
    """Where it goes by a name, the program's own first; None for a variable that no module holds, or ours."""
    if variable is ACTOR:
        return None
    modules = [(index, node) for index, node in enumerate(graph.nodes) if node.form == "namespace"]
    for index, node in sorted(modules, key=lambda pair: bool(pair[1].package)):
        for name, value in vars(node.target).items():
            if value is variable:
                full = f"{node.name}.{name}"
                return Place(index, name, full, "leaked context", INHERITED, "", node.file, node.module, wide)
    return None
