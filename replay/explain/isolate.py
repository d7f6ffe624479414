"""The proof of the cause: give each lane its own copy of a place, run the same schedule, and see whether it heals.

Naming the variable by looking at who touched what is a guess: the per-session dict next to the shared list is touched
by both lanes too. Keeping one place apart for each lane is an experiment. Where the crossing goes and the sink answers
as it does alone, that place carried it; and what was done to it is the fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .places import Place, changed_places, texts_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ..handler.reply import Reply
    from ..schedule.actors import Actor
    from ..schedule.loop import ControlledLoop
    from ..state.graph import StateGraph
    from ..trace.model import Request


class Survey:
    """Observer: which places changed at any step, and which of them ever held the evidence."""

    def __init__(self, graph_now: Callable[[bool], StateGraph], tokens: Iterable[str], wide: bool) -> None:
        self._graph_now = graph_now
        self._tokens = tuple(tokens)
        self._wide = wide
        self.changed: dict[Place, bool] = {}

    def begin(self, loop: ControlledLoop) -> None:
        self._graph = self._graph_now(self._wide)
        loop.after_step = self._after

    def _after(self, actor: Actor) -> None:  # noqa: ARG002
        for place in changed_places(self._graph, self._wide):
            if not self.changed.get(place, False):
                texts = [text.casefold() for text in texts_in(place.value(self._graph))]
                self.changed[place] = any(token in text for token in self._tokens for text in texts)

    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...
    def end(self, loop: ControlledLoop) -> None: ...


class Isolation:
    """Observer: swaps the places' contents in before each step of a lane and out after it."""

    def __init__(self, graph_now: Callable[[bool], StateGraph], places: Sequence[Place]) -> None:
        self._graph_now = graph_now
        self._places = places
        self._kept: dict[str, list[Any]] = {}
        self._first: list[Any] = []

    def begin(self, loop: ControlledLoop) -> None:
        # After start-up: what it put there is what every lane starts from.
        self._graph = self._graph_now(any(place.wide for place in self._places))
        # What the other execution made only on its way is not there yet, and cannot be kept apart.
        self._places = [place for place in self._places if place.is_in(self._graph)]
        self._first = [place.read(self._graph) for place in self._places]
        loop.before_step, loop.after_step = self._before, self._after

    def _before(self, actor: Actor) -> None:
        for place, value in zip(self._places, self._kept.get(actor.name, self._first), strict=True):
            place.write(self._graph, value)

    def _after(self, actor: Actor) -> None:
        self._kept[actor.name] = [place.read(self._graph) for place in self._places]

    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...
    def end(self, loop: ControlledLoop) -> None: ...
