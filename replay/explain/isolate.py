"""The proof of the cause: give each lane its own copy of a place, run the same schedule, and see whether it heals.

Naming the variable by looking at who touched what is a guess: the per-session dict next to the shared list is touched
by both lanes too. Keeping one place apart for each lane is an experiment. Where the crossing goes and the sink answers
as it does alone, that place carried it; and what was done to it is the fix.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..schedule import ownership
from .arrival import Arrivals
from .inherited import Disinherited, Heirs
from .places import INHERITED, Place, changed_places, entries_of, texts_in
from .standing import Standing
from .whose import is_the_users

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..handler.reply import Reply
    from ..program import Program
    from ..schedule.actors import Actor
    from ..schedule.loop import ControlledLoop
    from ..state.graph import StateGraph
    from ..trace.model import Request


class Survey:
    """Observer: which places changed at any step, and which of them ever held the evidence.

    With `since`, they are those of what that place holds once a request has made it.
    """

    def __init__(self, program: Program, tokens: Iterable[str], wide: bool, since: Place | None = None) -> None:
        self._program = program
        self._tokens = tuple(tokens)
        self._wide = wide
        self._since = since
        self._graph: StateGraph | None = None
        self._arrival: Arrivals | None = None
        self.changed: dict[Place, bool] = {}
        self.entries: dict[Place, None] = {}
        """Entries of dicts among those, by keys that the program spells."""
        self.made: dict[Place, None] = {}
        """Those that held an object which was not there at first, with attributes of its own."""
        self.inside: dict[Place, None] = {}
        """Those into which the evidence came while something ran in a context that it had inherited."""
        self.heirs = Heirs(program.files)
        self._standing = Standing(program.files, self._tokens)
        self._loop: ControlledLoop | None = None

    def begin(self, loop: ControlledLoop) -> None:
        if self._since is None:
            graph = self._program.graph_now(self._wide)
            self._loop = None if self._wide else loop
            self.heirs.begin(loop, graph, self._wide)
            self._arrived(graph)
        else:
            arrival = Arrivals(loop, self._program.files, self._program.graph_now, {self._since: self._arrived})
            self._arrival = arrival
            loop.before_step = lambda actor: arrival.watch()  # noqa: ARG005
        loop.after_step = self._after

    def _arrived(self, graph: StateGraph) -> None:
        self._graph = graph

    def _after(self, actor: Actor) -> None:  # noqa: ARG002
        if self._arrival is not None:
            self._arrival.unwatch()
        if self._graph is None:
            return
        if self._loop is not None:
            self._standing.look(self._loop, self._graph)
        inherited = self.heirs.ran()
        for found in changed_places(self._graph, self._wide):
            place = found if self._since is None else replace(found, since=self._since)
            if self._since is not None and not place.is_below(self._since):
                continue
            self.entries.update(dict.fromkeys(entries_of(place, self._graph)))
            if place.holds_new_object(self._graph):
                self.made[place] = None
            if not self.changed.get(place, False):
                texts = [text.casefold() for held in place.held(self._graph) for text in texts_in(held)]
                self.changed[place] = any(token in text for token in self._tokens for text in texts)
                if self.changed[place] and inherited:
                    self.inside[place] = None

    def owned(self, place: Place) -> Place:
        """The place, as the user's where the user's code alone put it into a library's object, class or module."""
        theirs = self._graph is not None and place.package and is_the_users(place, self._graph)
        return replace(place, module="") if theirs else place

    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...

    def end(self, loop: ControlledLoop) -> None:  # noqa: ARG002
        if self._since is None:
            self.heirs.end()
        if self._loop is not None:
            self.changed.update(self._standing.lasting(self._loop))
        for place, (texts, _) in self.heirs.found.items():
            self.changed[place] = any(token in text.casefold() for token in self._tokens for text in texts)


class Isolation:
    """Observer: swaps the places' contents in before each step of a lane and out after it; and amid a step, when what
    runs takes up another lane's work."""

    def __init__(self, program: Program, places: Sequence[Place]) -> None:
        self._program = program
        self._disinherited = Disinherited(places)
        by_moment: dict[Place | None, list[Place]] = {}
        for place in places:
            if place.form != INHERITED:
                by_moment.setdefault(place.since, []).append(place)
        self._there = {since: _Apart(some) for since, some in by_moment.items()}
        self._arrivals: Arrivals | None = None
        self._lane = ""

    def begin(self, loop: ControlledLoop) -> None:
        self._disinherited.begin(loop, self._program.graph_now)
        from_the_first = self._there.get(None)
        if from_the_first is not None:
            # After start-up: what it put there is what every lane starts from.
            from_the_first.arrived(self._program.graph_of(from_the_first.places))
        made = {since: apart.arrived for since, apart in self._there.items() if since is not None}
        if made:
            self._arrivals = Arrivals(loop, self._program.files, self._program.graph_now, made)
        loop.before_step, loop.after_step = self._before, self._after
        ownership.told.append(self._takes_up)

    def _before(self, actor: Actor) -> None:
        self._lane = actor.name
        self._swap_in()
        if self._arrivals is not None:
            self._arrivals.watch()

    def _after(self, actor: Actor) -> None:  # noqa: ARG002
        if self._arrivals is not None:
            self._arrivals.unwatch()
        self._swap_out()

    def _takes_up(self, owner: Actor, before: Actor) -> None:  # noqa: ARG002
        self._swap_out()
        self._lane = owner.name
        self._swap_in()

    def _swap_in(self) -> None:
        for apart in self._there.values():
            apart.swap_in(self._lane)

    def _swap_out(self) -> None:
        for apart in self._there.values():
            apart.swap_out(self._lane)

    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...

    def end(self, loop: ControlledLoop) -> None:  # noqa: ARG002
        self._disinherited.end()
        ownership.told.remove(self._takes_up)


class _Apart:
    """What each lane has in places that are there from one moment on."""

    def __init__(self, places: Sequence[Place]) -> None:
        self.places = list(places)
        self._kept: dict[str, list[Any]] = {}
        self._first: list[Any] = []
        self._graph: StateGraph | None = None

    def arrived(self, graph: StateGraph) -> None:
        # What the other execution made only on its way is not there yet, and cannot be kept apart.
        self.places = [each for place in self.places if place.is_in(graph) for each in place.whole(graph)]
        self._first = [place.read(graph) for place in self.places]
        self._graph = graph

    def swap_in(self, lane: str) -> None:
        if self._graph is not None:
            for place, value in zip(self.places, self._kept.get(lane, self._first), strict=True):
                place.write(self._graph, value)

    def swap_out(self, lane: str) -> None:
        if self._graph is not None:
            self._kept[lane] = [place.read(self._graph) for place in self.places]
