"""Whether lanes have nothing to do with each other at one moment: what they share is unchanged, the rest is one lane's.

It needs all that a fingerprint needs, of which this is the other half: there, what is equal; here, whose it is. What
can be asked of all lanes at once, without holding anything of them, is refused besides.

An entry of a dict is one lane's, too, where no other ever asks for its key, and nobody for more than entries.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any

from ..schedule.reduction import IrreducibleError
from .entries import Watch
from .fingerprint import of_the_process
from .keyed_use import keyed_dicts
from .picture import Picture
from .python_names import names_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..schedule.actors import Actor
    from ..schedule.execute import Heard
    from ..schedule.loop import ControlledLoop
    from .fingerprint import Fingerprints
    from .graph import StateGraph

_ALL_TASKS = frozenset({"all_tasks", "_all_tasks", "_scheduled_tasks", "_eager_tasks", "_current_tasks"})
_MOST_HEARD = 100_000  # characters; beyond twice as many, who came first decides what is kept


class Apart:
    """Looks at the moments of one execution."""

    def __init__(
        self,
        graph: StateGraph,
        fingerprints: Fingerprints,
        replies: Callable[[], list[Any]],
        beside: Callable[[], tuple[Any, ...]],
        serving: Callable[[], Any],
    ) -> None:
        """Args:
        replies, beside: as for fingerprints; what stands beside has the lanes or requests as keys.
        serving: what all requests are answered by, and may keep.
        """
        self._fingerprints = fingerprints
        self._replies = replies
        self._beside = beside
        self._serving = serving
        self._first: list[Any] = []
        self._keyed = keyed_dicts(graph)
        self._watch = Watch([graph.nodes[index].target for index in self._keyed])
        self._why = fingerprints.why or _asks_for_all_tasks(graph)

    def begin(self, loop: ControlledLoop) -> None:
        """Take stock before the first step.

        Raises:
            IrreducibleError: the lanes may have to do with each other, or something cannot be looked into.
        """
        if self._why:
            raise IrreducibleError(self._why)
        if loop.limited:
            raise IrreducibleError("requests wait for each other to be answered")
        self._watch.begin()
        self._first = self._pictured(loop)

    def look(self, loop: ControlledLoop) -> None:
        """At a moment between two steps, or after the last.

        Raises:
            IrreducibleError: as `begin`.
        """
        if self._pictured(loop) != self._first:
            raise IrreducibleError("lanes change what they share")

    def check(self, loop: ControlledLoop) -> None:
        """Whether what is relied on still holds at the end of the execution.

        Raises:
            IrreducibleError: it does not.
        """
        self.end()
        self._fingerprints.check(loop)
        if loop.looked_around:
            raise IrreducibleError("the tasks of all lanes were asked for")

    def end(self) -> None:
        """Look at nothing any more. To be called however the execution ends."""
        self._watch.end()

    def _pictured(self, loop: ControlledLoop) -> list[str]:
        """What is shared, once it is clear that nothing else is."""
        self._fingerprints.still(loop)
        self._fingerprints.static.check()
        # One execution cannot show at its end that a name was set: an earlier one may have left the same there.
        self._fingerprints.static.check_names()
        try:
            return self._shared_part(loop)
        except IrreducibleError:
            raise
        except Exception as error:  # objects of the program can be made to behave in any way
            raise IrreducibleError(f"{type(error).__name__} while looking into the state") from None

    def _shared_part(self, loop: ControlledLoop) -> list[str]:
        replies = self._replies()
        picture = Picture(self._fingerprints.static, loop, True, replies)
        self._fingerprints.state(picture, self._keyed)
        entries: dict[str, list[Any]] = {}
        for uses, now in self._watch.now():
            for key, value in now.items():
                if uses.first.get(key, picture) is value:
                    picture.add((key, value))
            for lane, owned_entries in uses.owned(now).items():
                entries.setdefault(lane, []).extend(owned_entries)
        for actor in sorted(loop.background, key=lambda actor: actor.name):
            picture.actor(actor)
        for thing in (loop, loop.context, self._serving(), *of_the_process()):
            picture.add(thing)
        picture.common()
        shared = list(map(repr, picture.parts))
        requests = {request.id: lane for request, lane, _ in replies}
        owned = _by_lane(self._beside(), {**requests, **{name: name for name in loop.lanes}})
        for actor in loop.lanes.values():
            if not actor.in_flight and not actor.pending and _has_work(actor):
                raise IrreducibleError("a request leaves something to do after its answer")
            picture.lane()
            picture.actor(actor)
            answers = (reply for _, lane, reply in replies if lane == actor.name)
            for thing in (*entries.get(actor.name, ()), *owned.get(actor.name, ()), *answers):
                picture.add(thing)
        return shared


def _has_work(actor: Actor) -> bool:
    return any(not handle.dead for handle in actor.ready) or any(not handle.dead for _, _, handle in actor.timers)


def _by_lane(beside: Iterable[dict[Any, Any]], lanes: dict[str, str]) -> dict[str, list[Any]]:
    """What stands beside the program, by the lane that it belongs to."""
    owned: dict[str, list[Any]] = {}
    size = 0
    for held in beside:
        for key, value in held.items():
            lane = lanes.get(key[0] if isinstance(key, tuple) else key)
            if lane is None:
                raise IrreducibleError("something was said or drawn that belongs to no request")
            owned.setdefault(lane, []).append(value)
            size += _size(value)
    if size > _MOST_HEARD:
        raise IrreducibleError("more was said than is kept")
    return owned


def _size(value: Heard | Any) -> int:
    if not hasattr(value, "output"):
        return 0
    return sum(map(len, value.output)) + sum(len(text) for _, text in value.logs) + 1_000 * len(value.upstream)


def _asks_for_all_tasks(graph: StateGraph) -> str:
    functions = [thing for thing in graph.known() if type(thing) is types.FunctionType]
    codes = [function.__code__ for function in functions]
    users = names_in(code for code in codes if code.co_filename in graph.files)
    inside = frozenset[str]().union(*(code.co_names for code in codes)) & (_ALL_TASKS - {"all_tasks"})
    return "the tasks of all lanes are asked for" if inside or users & _ALL_TASKS else ""
