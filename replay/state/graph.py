"""The mutable state that a program and its libraries reach, as a list of nodes, each with a name its author would use.

Objects are looked at through the base types' own methods and descriptors: no `__repr__`, property, `__eq__` or
`__getattr__` of the program runs. What the user's own modules reach and cannot be put back to its first content (a C
iterator, an open file, a database connection) is listed in `unproven`, and then a fork keeps executions apart instead.

Libraries have thousands of nodes, of which an execution changes a handful. Only those are put back each time; all are
compared in the first executions and then now and then, and where one has changed that was not being put back, the
executions since are worth nothing and the job starts over with forks. So it is with the names in Python's own modules
and the defaults of the user's functions, which more of the first executions are compared for.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# That is why `type` is asked: `isinstance` asks the object, and one that stands for another imports it for its answer.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any

from . import content
from .content import identity
from .python_names import texts_in
from .walk import Node, Walk
from .worked_out import is_completed_model, kept_entries, says_nothing

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import FrameType

    from .files import UserFiles

_FIRST_LOOKS = 3
_FIRST_LOOKS_AT_SELDOM = 64
_LOOK_EVERY = 256
_LOOK_AFTER = 1 / 8  # of the executions of a job, once that is more: so much of it may have been in vain


class StateGraph:
    """All state reachable from the user's modules and their libraries', as it was when the graph was made.

    Attributes:
        unproven: what the user's modules reach and cannot be put back, in words.
        late: names of what changed without being put back; empty as long as there is none. `hopeless` says that some of
            it cannot be.
        spelled: the names of globals and attributes in the user's code.
        user_modules, user_codes: the user's own modules by their names, and the code of the functions in them.
        fickle: nodes that cannot be compared, because their members are made anew each time they are asked for.
    """

    def __init__(self, files: UserFiles, roots: Sequence[tuple[str, Any, str]] = (), libraries: bool = True) -> None:
        """Walk what there is.

        Args:
            roots: what no module may hold, such as the object under test: the name, the thing, and its file.
            libraries: whether to walk their modules too; what the user's reach of them is walked in any case.
        """
        self.files = files
        self._texts: frozenset[str] | None = None
        self._modules = frozenset(sys.modules)
        self._modules_now = len(sys.modules)
        self.late: list[str] = []
        self.hopeless = False
        self._restored = 0
        self._entries_kept: set[int] = set()
        self._proven = 0
        self._look_at = _LOOK_EVERY
        walk = self._walk = Walk(files, roots, libraries)
        self.nodes, self._seen = walk.nodes, walk.seen
        self.unproven, self.spelled = walk.unproven, walk.spelled
        self.user_modules, self.user_codes = walk.user_modules, walk.user_codes
        self._first = [content.read(node.form, node.target) for node in self.nodes]
        # Some members are made anew each time they are asked for: nothing can be told from those.
        self._compared: Sequence[int] = range(len(self.nodes))
        fickle = set(self.changed())
        self._compared = [index for index in range(len(self.nodes)) if index not in fickle]
        self.fickle = sorted(fickle)
        # Python's own names, like libraries', are many, and to read the defaults of a function calls the audit hook.
        pythons = range(walk.pythons, walk.libraries)
        own = {index: node for index in self._compared if not (node := self.nodes[index]).package}
        self._seldom = [
            index
            for index, node in own.items()
            if node.form in ("environ", "defaults")
            or node.target is builtins
            or (index in pythons and node.form in ("namespace", "class"))
        ]
        self._kept = sorted(set(own).difference(self._seldom))

    def restore(self) -> None:
        """Put everything back to what it was when the graph was made."""
        self._restored += 1
        if self._restored <= _FIRST_LOOKS or self._restored >= self._look_at:
            self.look()
            lasted = self._restored - self._proven
            self._look_at = self._restored + max(_LOOK_EVERY, int(lasted * _LOOK_AFTER))
        elif self._restored <= _FIRST_LOOKS_AT_SELDOM:
            self._kept += sorted(set(self.changed(self._seldom)).difference(self._kept))
        self._put_back()
        if len(sys.modules) != self._modules_now:
            for name in [name for name in sys.modules if name not in self._modules]:
                module = sys.modules[name]
                if (getattr(module, "__file__", None) or "<") in self.files:
                    del sys.modules[name]  # imported by a request: the next one shall do it again
            self._modules_now = len(sys.modules)

    def _put_back(self) -> None:
        for index in self._kept:
            node = self.nodes[index]
            if index in self._entries_kept and content.unchanged(node.form, node.target, self._first[index]):
                continue  # how often they were asked for is nothing that a library says
            content.write(node.form, node.target, self._first[index])

    def keep(self, names: Collection[str]) -> None:
        """Put these back each time, and now: how often a cache was asked is not what it was before, but the same
        before every execution."""
        kept = set(self._kept)
        self._kept += [i for i in self._compared if i not in kept and self.nodes[i].name in names]
        self._put_back()

    def look_next(self) -> None:
        """Compare everything after the execution that is under way: it does what none before has done."""
        self._look_at = self._restored + 1

    def prove(self) -> None:
        """Compare everything at the end of a job. The next one is looked at as often as the first."""
        self.look()
        self._proven, self._look_at = self._restored, self._restored + _LOOK_EVERY

    def look(self) -> None:
        """Compare everything with its first content. What changed is put back from now on; if that is news after the
        first executions, `late` says so. A model that a library has completed stays so."""
        kept = set(self._kept)
        for index in self.changed():
            node = self.nodes[index]
            if index in kept:
                continue
            if is_completed_model(node, self._first[index]):
                self._first[index] = content.read(node.form, node.target)
                continue
            if node.package and node.form == "cache" and len(entries := kept_entries(node.target, self._first[index])):
                self._first[index] = entries
                self._entries_kept.add(index)
                if content.unchanged(node.form, node.target, entries):
                    self._kept.append(index)
                    continue
            possible = content.can_be_put_back(node.form, node.target, self._first[index])
            news = self._restored > _FIRST_LOOKS and not says_nothing(node, self._first[index], self._seen)
            if not possible or news:
                self.late.append(node.name)
                self.hopeless = self.hopeless or not possible
            self._kept.append(index)

    def first(self, index: int) -> Any:
        """The content of `nodes[index]` when the graph was made."""
        return self._first[index]

    def own(self) -> list[int]:
        """The nodes that belong to no library, and can be told from what they were at first."""
        return [index for index in self._compared if not self.nodes[index].package]

    def changed(self, among: Sequence[int] | None = None) -> list[int]:
        """Which nodes, `among` these or all, differ now from when the graph was made, by identity of their members."""
        return [
            index
            for index in (self._compared if among is None else among)
            if not content.unchanged((node := self.nodes[index]).form, node.target, self._first[index])
        ]

    def known(self) -> list[Any]:
        """Every object that was come across, whether it is a node or not."""
        return list(self._seen.values())

    @property
    def texts(self) -> frozenset[str]:
        """The texts that the user's code spells, in functions and as values of names."""
        if self._texts is None:
            # As it was at first: later on a name may hold what a user said.
            modules = [n for n, node in enumerate(self.nodes) if node.form == "namespace" and not node.package]
            named = (value for n in modules for value in self._first[n].values())
            self._texts = texts_in(self.user_codes) | {value for value in named if type(value) is str}
        return self._texts

    def knows(self, value: Any) -> bool:
        """Whether it was come across."""
        return identity(value) in self._seen

    def add_file(self, path: str) -> None:
        """A file that the program writes is state as well. It has to stand as it did at first."""
        if not any(node.form == "file" and node.target == path for node in self.nodes):
            self.nodes.append(Node(self.files.shown(path), "file", "file", path, "", "", ""))
            self._first.append(content.read("file", path))
            self._compared = [*self._compared, len(self.nodes) - 1]
            self._kept.append(len(self.nodes) - 1)

    def add_locals(self, name: str, frame: FrameType, variable: str) -> None:
        """A local variable of a worker is state as well while that stands, and all that is found by it alone."""
        begin = len(self.nodes)
        self._walk.local(name, frame, variable)
        self._take_in(begin)

    def add_object(self, name: str, thing: Any, owner: str, file: str) -> None:
        """So is what an object holds that is made now."""
        begin = len(self.nodes)
        self._walk.thing(name, thing, owner, file)
        self._take_in(begin)

    def _take_in(self, begin: int) -> None:
        self._first += [content.read(node.form, node.target) for node in self.nodes[begin:]]
        self._compared = [*self._compared, *range(begin, len(self.nodes))]

    def find(self, index: int, name: str, form: str) -> Node:
        """The node that another graph of the same program had at `index`; it may stand elsewhere here.

        Raises:
            LookupError: there is none.
        """
        if index < len(self.nodes) and (self.nodes[index].name, self.nodes[index].form) == (name, form):
            return self.nodes[index]
        for node in self.nodes:
            if (node.name, node.form) == (name, form):
                return node
        raise LookupError(f"{name} is not there")
