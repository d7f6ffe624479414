"""All interleavings without executing each: what leads to the same moment by two ways is executed on from there once.

Stateful search (Godefroid, "Model Checking for Programming Languages using VeriSoft", POPL 1997, with the states that
VeriSoft had to do without). The moments before each choice are the nodes of a graph, the choices its edges. Two moments
are one node when their fingerprints are equal: then every continuation of the one is a continuation of the other, and
gives the same answers. An execution starts at the root, and as long as that is open each of its choices is new or leads
to a node that is open: the last, which leads to the end, is new, so no execution repeats another. When nothing is open,
the paths from the root to the ends are the interleavings, and are counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .strategies import Lockstep

if TYPE_CHECKING:
    from .actors import Actor
    from .execute import Execution
    from .loop import ControlledLoop

_NEW = -1
_END = 0


class IrreducibleError(Exception):
    """There is no fingerprint of a moment, so that nothing can be said of what is equal to it. The text says why."""


class Moments(Protocol):
    """What knows whether two moments are equal; see `state.fingerprint`. Both raise `IrreducibleError`."""

    def of(self, enabled: list[Actor]) -> bytes: ...
    def check(self, loop: ControlledLoop) -> None: ...


class Reduction:
    """A strategy for one execution after another, which is told of each. `more` says whether there is another.

    Attributes:
        executed: how many executions there were.
        choices: how many were followed, each once.
        refused: why not all interleavings can be covered in this way; "" as long as they can.
    """

    def __init__(self, fingerprints: Moments) -> None:
        """Start at nothing known.

        Args:
            fingerprints: of moments. They have to hold to the end of each execution.
        """
        self.executed = 0
        self.refused = ""
        self._fingerprints = fingerprints
        self._loop: ControlledLoop | None = None
        self._rest = Lockstep()
        self._known: dict[bytes, int] = {}
        # By node. The first is the end of every execution.
        self._names: list[tuple[str, ...]] = [()]
        self._targets: list[dict[str, int]] = [{}]
        self._parents: list[list[int]] = [[]]
        # How many choices are still to be followed to their ends: none, and the node is done with.
        self._open: list[int] = [0]
        self._at: tuple[int, str] | None = None
        self.choices = 0

    @property
    def more(self) -> bool:
        return not self.refused and not self.exhausted

    @property
    def exhausted(self) -> bool:
        """Whether every interleaving was executed or is equal to one that was."""
        return not self.refused and len(self._open) > 1 and self._open[1] == 0

    @property
    def moments(self) -> int:
        return len(self._names)

    def __call__(self, enabled: list[Actor], previous: Actor | None) -> Actor:
        if self.refused:
            return self._rest(enabled, previous)
        self._loop = enabled[0].loop
        names = tuple([actor.name for actor in enabled])
        try:
            node = self._arrive(enabled, names)
        except IrreducibleError as error:
            self.refused = str(error)
            return self._rest(enabled, previous)
        actor = self._choose(node, enabled, previous)
        self._at = node, actor.name
        return actor

    def tell(self, execution: Execution) -> None:
        """An execution is over: the choice made last led to its end."""
        self.executed += 1
        if execution.files:
            self.refused = self.refused or "there are files"
        if self._loop is not None:
            try:
                self._fingerprints.check(self._loop)
            except IrreducibleError as error:
                self.refused = self.refused or str(error)
            self._loop = None
        if execution.stopped and not execution.stopped.startswith("deadlock"):
            self.refused = self.refused or execution.stopped
        if self.refused:
            return
        if self._at is None:
            self.refused = "nothing could run"
            return
        self._lead(*self._at, _END)
        self._at = None
        self._rest = Lockstep()

    def count(self) -> int:
        """The number of all interleavings, which `exhausted` makes exact."""
        paths: dict[int, int] = {_END: 1}
        waiting = [1]
        while waiting:
            node = waiting[-1]
            targets = self._targets[node].values()
            missing = [target for target in targets if target not in paths]
            if missing:
                waiting += missing
            else:
                paths[node] = sum(paths[target] for target in targets)
                waiting.pop()
        return paths[1]

    # ---- the graph

    def _arrive(self, enabled: list[Actor], names: tuple[str, ...]) -> int:
        """The node of the present moment, to which the choice made last has led."""
        if self._at is None:
            # Every execution begins with the state after import, which needs no fingerprint.
            node = 1 if len(self._names) > 1 else self._add(names)
        else:
            before, chosen = self._at
            node = self._targets[before].get(chosen, _NEW)
            if node == _NEW:
                key = self._fingerprints.of(enabled)
                node = self._known.get(key, _NEW)
                if node == _NEW:
                    node = self._known[key] = self._add(names)
                self._lead(before, chosen, node)
        if self._names[node] != names:
            raise IrreducibleError("the same choices did not lead to the same moment")
        return node

    def _add(self, names: tuple[str, ...]) -> int:
        self._names.append(names)
        self._targets.append({})
        self._parents.append([])
        self._open.append(len(names))
        return len(self._names) - 1

    def _lead(self, node: int, name: str, target: int) -> None:
        known = self._targets[node].get(name, _NEW)
        if known == target:
            return
        if known != _NEW:
            self.refused = "the same choices did not lead to the same end"
            return
        self.choices += 1
        self._targets[node][name] = target
        if self._open[target]:
            self._parents[target].append(node)
        else:
            self._one_less(node)

    def _one_less(self, node: int) -> None:
        """A choice at `node` was followed to all its ends; so may then be choices that lead to it."""
        done_with = [node]
        while done_with:
            node = done_with.pop()
            self._open[node] -= 1
            if not self._open[node]:
                done_with += self._parents[node]
                self._parents[node] = []

    def _choose(self, node: int, enabled: list[Actor], previous: Actor | None) -> Actor:
        """Something new where there is, else a way to it. In turns: so an execution crosses much that is new."""
        targets = self._targets[node]
        new = [actor for actor in enabled if actor.name not in targets]
        if not new:
            new = [actor for actor in enabled if self._open[targets[actor.name]]]
        return self._rest(new or enabled, previous)
