"""A ContextVar that a task has inherited from the request which started it, and reads while it works for another.

Nothing shared holds such a value: it stands in the task's own context, for as long as the task lives. The experiment is
to let the variable hold in there, whenever the task takes up another's work, what it holds in that one's request.
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
from .places import INHERITED, MISSING, Place, texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..schedule.actors import Actor
    from ..schedule.loop import ControlledLoop
    from ..state.files import UserFiles
    from ..state.graph import StateGraph


class Heirs:
    """Which variables tasks work with that are another's, from `begin` to `end` of one execution.

    Attributes:
        found: the places, with the values' texts, and where the task was made, in words.
    """

    def __init__(self, files: UserFiles) -> None:
        self.found: dict[Place, tuple[list[str], str]] = {}
        self._files = files
        self._made_at: dict[int, str] = {}
        self._graph: StateGraph | None = None
        self._wide = False

    def begin(self, loop: ControlledLoop, graph: StateGraph, wide: bool) -> None:
        """`wide`: see `Place`."""
        self._graph, self._wide = graph, wide
        make = loop.create_task

        def create_task(*args: Any, **options: Any) -> Any:
            task = make(*args, **options)
            self._made_at[id(task)] = self._place(sys._getframe(1))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            return task

        loop.create_task = create_task  # type: ignore[method-assign]
        ownership.told.append(self._takes_up)

    def end(self) -> None:
        ownership.told.remove(self._takes_up)
        self._graph = None

    def in_words(self, place: Place) -> str:
        """How it came to be inherited; "" for any other place."""
        return self.found[place][1] if place in self.found else ""

    def _place(self, frame: Any) -> str:
        while frame is not None:
            if frame.f_code.co_filename in self._files:
                return self._files.at(frame.f_code.co_filename, frame.f_lineno)
            frame = frame.f_back
        return ""

    def _takes_up(self, owner: Actor, before: Actor) -> None:
        task, theirs = _task_here(), _context_of(owner)
        if self._graph is None or task is None or theirs is None:
            return
        for variable, value in contextvars.copy_context().items():
            same = theirs.get(variable, MISSING) is value
            place = None if same else _place_of(variable, self._graph, self._wide)
            if place is not None and place not in self.found:
                at = self._made_at.get(id(task), "")
                where = f" at {at}" if at else ""
                words = f"a task that {before.name} started{where} keeps the context of that request for ever"
                self.found[place] = texts_in(value), words


class Disinherited:
    """While it lasts, who takes up a lane's work has that lane's own values of the variables."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = [place for place in places if place.form == INHERITED]
        self._variables: list[contextvars.ContextVar[Any]] = []

    def begin(self, graph_now: Callable[[bool], StateGraph]) -> None:
        if self._places:
            graph = graph_now(any(place.wide for place in self._places))
            self._variables = [place.variable(graph) for place in self._places if place.is_in(graph)]
        if self._variables:
            ownership.told.append(self._takes_up)

    def end(self) -> None:
        if self._variables:
            ownership.told.remove(self._takes_up)

    def _takes_up(self, owner: Actor, before: Actor) -> None:  # noqa: ARG002
        theirs = _context_of(owner)
        for variable in self._variables if theirs is not None and _task_here() is not None else ():
            value = theirs.get(variable, _default(variable)) if theirs is not None else MISSING
            if value is not MISSING:
                variable.set(value)


def _task_here() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # a thread, which inherits no context
        return None


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
                return Place(index, name, full, "leaked context", INHERITED, "", node.file, node.package, wide)
    return None
