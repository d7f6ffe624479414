"""A fingerprint of one moment of an execution: equal ones have the same futures and were observed alike so far.

It is taken between two steps, and covers everything that a later step can read and every answer that was given: the
shared state that has changed since import, and for each lane what waits to run, down to the frames of its suspended
coroutines. Objects are numbered in the order in which they are come across, so that a fingerprint knows what is one
object and what are two, and nothing of addresses. No code of the program runs.

What cannot be looked into completely makes the moment irreducible, never equal to another.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import locale
import os
import socket
import sys
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from ..schedule.reduction import IrreducibleError
from . import content
from .opaque import Static, address_dependent
from .picture import Picture

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ..schedule.actors import Actor
    from ..schedule.loop import ControlledLoop
    from .graph import StateGraph


_BY_NAME = frozenset({"namespace", "class", "attributes"})


class Fingerprints:
    """Takes fingerprints of the executions of one program.

    Attributes:
        timeless: whether times are left out, see `of`.
        why: what of the program cannot be looked into at all; "" where there is no such thing.
    """

    def __init__(
        self, graph: StateGraph, replies: Callable[[], list[Any]], beside: Callable[[], tuple[Any, ...]]
    ) -> None:
        """Take stock of what there is before any request.

        Args:
            replies: (request, lane, reply) of each request started so far.
            beside: what stands beside the program in an execution and is neither state of it nor an answer.
        """
        self.timeless = True
        self._graph = graph
        self._replies = replies
        self._beside = beside
        self.static = Static(graph)
        self._sets = [n for n, node in enumerate(graph.nodes) if node.form == "set" and not node.package]
        self.why = self.static.opaque or address_dependent(graph.known(), graph.files)

    def of(self, enabled: list[Actor]) -> bytes:
        """The fingerprint of the present moment.

        Times are left out as long as no step has read a clock or had timers to be ordered: then all that a clock could
        do is to be different, and equal moments have equal futures whatever it says. The first step that makes time
        matter ends that, and with it all fingerprints taken so far.

        Raises:
            IrreducibleError: something cannot be looked into.
        """
        if self.why:
            raise IrreducibleError(self.why)
        loop = enabled[0].loop
        self.still(loop)
        self.static.check()
        try:
            parts = self._parts(loop)
        except IrreducibleError:
            raise
        except Exception as error:  # objects of the program can be made to behave in any way
            raise IrreducibleError(f"{type(error).__name__} while looking into the state") from None
        return blake2b(repr(parts).encode("utf-8", "backslashreplace"), digest_size=16).digest()

    def _parts(self, loop: ControlledLoop) -> list[Any]:
        picture = Picture(self.static, loop, self.timeless, self._replies())
        self.state(picture)
        for actor in loop.lanes.values():
            picture.actor(actor)
        for actor in sorted(loop.background, key=lambda actor: actor.name):
            picture.actor(actor)
        picture.loop()
        for lane, reply in sorted(((lane, reply) for _, lane, reply in self._replies()), key=lambda pair: pair[0]):
            picture.mark("reply", lane)
            picture.add(reply)
        for thing in (*self._beside(), *of_the_process()):
            picture.add(thing)
        return picture.parts

    def state(self, picture: Picture, without: Collection[int] = ()) -> None:
        """Add to the picture what of the program's state is not as it was at import.

        Args:
            without: nodes that are left out, by their index.

        Raises:
            IrreducibleError: something cannot be looked into.
        """
        # The order of a set is that of its table, which differs where its members are the same.
        for index in dict.fromkeys((*self._graph.changed(), *self._graph.fickle, *self._sets)):
            if index in without:
                continue
            node = self._graph.nodes[index]
            if node.form in ("cache", "file"):
                raise IrreducibleError(f"{node.name} is a {node.kind} and has changed")
            picture.mark("node", index)
            self._content(picture, index, node.form, node.target)

    def check(self, loop: ControlledLoop) -> None:
        """Whether what is said in the class still holds at the end of an execution.

        Raises:
            IrreducibleError: it does not.
        """
        self.still(loop)
        self.static.check_names()
        if loop.turned_aside:
            raise IrreducibleError("a request goes on and on")

    def still(self, loop: ControlledLoop) -> None:
        """Whether nothing has happened in this execution of which no moment could be told.

        Raises:
            IrreducibleError: it has.
        """
        if self.timeless and loop.time_matters:
            self.timeless = False
            raise TimeMattersError("a clock was read")
        if loop.escapes:
            raise IrreducibleError(f"control escaped: {loop.escapes[0]}")
        if loop.baton.threads or loop.baton.pools:
            raise IrreducibleError("there are threads")
        if loop.network.used:
            raise IrreducibleError("there are connections")

    def _content(self, picture: Picture, index: int, form: str, target: Any) -> None:
        """What a changed thing holds now."""
        if form == "set":
            picture.members_of_set(target)
            return
        if form == "random":
            picture.add(target.getstate())
            return
        read = content.read(form, target)
        if isinstance(read, dict):
            # Members that are as they were at import are told by their key. Of Python's own nothing else is known.
            first: dict[Any, Any] = (self._graph.first(index) or {}) if form in _BY_NAME else {}
            picture.mark("names", len(read))
            for key, value in read.items():
                picture.add(key)
                if first.get(key, picture) is value:
                    picture.mark("first", True)
                else:
                    picture.add(value)
        elif isinstance(read, (list, tuple)) or type(read).__name__ == "deque":
            picture.mark("items", len(read))
            picture.mark("most", getattr(target, "maxlen", None) if form == "deque" else None)
            for value in read:
                picture.add(value)
        else:
            picture.add(read)


def of_the_process() -> tuple[Any, ...]:
    """What a program can set for the whole process, and ask for later, in no object."""
    mask = os.umask(0o077)
    os.umask(mask)
    return os.getcwd(), mask, locale.setlocale(locale.LC_ALL), socket.getdefaulttimeout(), sys.getrecursionlimit()


class TimeMattersError(IrreducibleError):
    """Fingerprints without times are worth nothing for this program."""
