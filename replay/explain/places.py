"""A place: one node of the state graph, or one name in a module, class or instance. What a carrier can be."""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import random
import threading
import weakref
from array import array
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..schedule.ownership import OWNERS
from ..state import caches, content, inside_c
from ..state.thread_locals import attributes_by_thread, is_thread_local

if TYPE_CHECKING:
    import contextvars
    from collections.abc import Sequence

    from ..state.graph import StateGraph
    from ..state.walk import Node

MISSING: Any = object()
INHERITED = "inherited"
"""The form of a ContextVar's value in the context of a task that works for others, see `inherited`."""
LOCAL = "locals"
"""The form of a local variable of a task or thread that stands through many requests, see `standing`."""
MADE = "made"
"""The form of an object that a request makes, from when it is made, see `made`."""
_NAMESPACES = ("namespace", "class", "attributes", "names", "environ")
_FINGERPRINT_SIZE = 4_000
_LONGEST_KEY = 60
_OF_TEXT = frozenset("uw")
CONTAINERS = ("dict", "ordered", "list", "set", "deque")
_WITH_ENTRIES = ("dict", "ordered")


@dataclass(frozen=True, slots=True)
class Place:
    """`node` is an index into the graph; `key` is a name in it, or the key of one entry of a dict, or None for all that
    a container holds.

    The rest is copied from the node, because the graph itself lives in the process that executed: `name`, `kind` and
    where to look for its definition (see `state.graph.Node`).
    """

    node: int
    key: str | None
    name: str
    kind: str
    form: str
    owner: str
    file: str
    module: str = ""
    wide: bool = False
    """Whether only a graph with the libraries' own modules has it."""
    since: Place | None = None
    """Of something that a request makes: the place that holds it from then on. Only a graph taken then has it."""

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Place:
        """The inverse of `dataclasses.asdict`."""
        since: Any = row.pop("since")
        place = cls(**row)
        return place if since is None else replace(place, since=cls.from_json(since))

    @property
    def package(self) -> str:
        """The library whose affair it is; "" for the user's own."""
        return self.module.partition(".")[0]

    @property
    def _node_name(self) -> str:
        if self.form == "environ":
            return "os.environ"
        if self.is_entry:
            return self.name.removesuffix(f"[{self.key!r}]")
        return self.name if self.key is None else self.name.removesuffix(f".{self.key}")

    @property
    def is_entry(self) -> bool:
        """Whether it is one entry of a dict."""
        return self.key is not None and self.form in _WITH_ENTRIES

    def node_in(self, graph: StateGraph) -> Node:
        """Its node there.

        Raises:
            LookupError: there is none.
        """
        return graph.find(self.node, self._node_name, "namespace" if self.form == INHERITED else self.form)

    def variable(self, graph: StateGraph) -> contextvars.ContextVar[Any]:
        """The ContextVar of an `INHERITED` place."""
        return vars(self.node_in(graph).target)[self.key]

    def is_in(self, graph: StateGraph) -> bool:
        """Whether a graph, which may be another one's, has it."""
        try:
            self.node_in(graph)
        except LookupError:
            return False
        return True

    def is_below(self, other: Place) -> bool:
        """Whether its path leads through the other."""
        return self.name.startswith((f"{other.name}.", f"{other.name}[", f"{other.name}()"))

    def holds_new_object(self, graph: StateGraph) -> bool:
        """Whether what it holds was made since the graph, and has attributes."""
        if self.key is None and self.form in CONTAINERS:
            values = [value for _, value in content.members(self.form, self.value(graph))]
        else:
            values = self.held(graph) if self.key is not None or self.form == "cache" else []
        return any(not graph.knows(value) and content.has_attributes(value) for value in values)

    def whole(self, graph: StateGraph) -> list[Place]:
        """What is kept apart for it: of a local variable also what is found by it alone, which a worker makes once."""
        if self.form != LOCAL:
            return [self]
        nodes = [(index, node) for index, node in enumerate(graph.nodes) if node.owner == self.owner]
        inside = [_place(index, node, None, self.wide) for index, node in nodes if node.form != LOCAL]
        return [self, *(place for place in inside if place.name == self.name or place.is_below(self))]

    def held(self, graph: StateGraph) -> list[Any]:
        """What is found in it: the value, or the results that a cache has."""
        value = self.value(graph)
        if self.form == "cache":
            return caches.results(value)
        return [] if value is MISSING else [value]

    def value(self, graph: StateGraph) -> Any:
        """What it holds now; MISSING for a name that is not set. A thread-local that holds something on several threads
        gives what each has."""
        node = self.node_in(graph)
        if self.form == "file":
            text = content.read_file(node.target)
            return MISSING if text is None else text.decode("utf-8", "replace")
        if self.form == "directory":
            return content.read("directory", node.target)
        if self.form == INHERITED:
            return self.variable(graph).get(MISSING)
        if self.key is None:
            return node.target if node.form != "cell" else (content.read("cell", node.target) or (MISSING,))[0]
        if is_thread_local(node.target):
            held = [value for value in self.read(graph).values() if value is not MISSING]
            if len(held) > 1:
                return {f"thread {number}": value for number, value in enumerate(held, 1)}
            return held[0] if held else MISSING
        return (content.read(node.form, node.target) or {}).get(self.key, MISSING)

    def read(self, graph: StateGraph) -> Any:
        """Its content, in the form that `write` takes."""
        node = self.node_in(graph)
        if is_thread_local(node.target):
            return {id(own): own.get(str(self.key), MISSING) for own in attributes_by_thread(node.target)}
        now = content.read(node.form, node.target)
        return now if self.key is None else (now or {}).get(self.key, MISSING)

    def write(self, graph: StateGraph, value: Any) -> None:
        node = self.node_in(graph)
        if self.key is None:
            content.write(node.form, node.target, value)
            return
        if is_thread_local(node.target):
            self._write_by_thread(node.target, value, self.first(graph))
            return
        now = content.read(node.form, node.target) or {}
        if self.is_entry and value is not MISSING:
            now[self.key] = value  # where it stands: the others keep their order
            content.write(node.form, node.target, now)
            return
        now.pop(self.key, None)
        if value is not MISSING:
            now[self.key] = value
        content.write(node.form, node.target, now)

    def _write_by_thread(self, local: Any, value: dict[int, Any], first: Any) -> None:
        # On a thread that was not there yet, a thread-local is empty, unless its class puts something into it. That is
        # not done here; what it put there on the thread of the import is the nearest to it.
        elsewhere = MISSING if type(local) is threading.local else first
        for own in attributes_by_thread(local):
            now = value.get(id(own), elsewhere)
            if now is not MISSING:
                own[str(self.key)] = now
            else:
                own.pop(str(self.key), None)

    def first(self, graph: StateGraph) -> Any:
        first = graph.first(self.node)
        return first if self.key is None else (first or {}).get(self.key, MISSING)


def changed_places(graph: StateGraph, wide: bool = False, among: Sequence[int] | None = None) -> list[Place]:
    """Everything that differs now from the fresh state. `wide`: see `Place`. `among`: see `StateGraph.changed`."""
    places: list[Place] = []
    for index in dict.fromkeys((*graph.changed(among), *_used_by_other_threads(graph, among))):
        node = graph.nodes[index]
        if node.form in _NAMESPACES:
            first, looks = graph.first(index) or {}, _looks(node)
            keys = dict.fromkeys(key for each in (first, *looks) for key in each)
            keys = [k for k in keys if any(each.get(k, MISSING) is not first.get(k, MISSING) for each in looks)]
            named = [key for key in keys if isinstance(key, str) and not _is_bookkeeping(node, key)]
            places += [_place(index, node, key, wide) for key in named]
        else:
            places.append(_place(index, node, None, wide))
    return places


def entries_of(place: Place, graph: StateGraph) -> list[Place]:
    """The entries of a dict, as places, that differ now from the fresh state and have keys that the user's code spells.

    A key that a request brought along is nobody's name for anything, and may be private.
    """
    if place.form not in _WITH_ENTRIES or place.key is not None or place.package:
        return []
    node = place.node_in(graph)
    now, first = content.read(node.form, node.target), graph.first(place.node)
    if not isinstance(first, dict):
        return []
    keys = [key for key in dict.fromkeys((*now, *first)) if type(key) is str and _is_name(key) and key in graph.texts]
    changed = [key for key in keys if now.get(key, MISSING) is not first.get(key, MISSING)]
    return [replace(place, key=key, name=f"{place.name}[{key!r}]") for key in changed]


def _is_name(key: str) -> bool:
    return len(key) <= _LONGEST_KEY and key.isprintable() and not {"'", '"', "\\"} & {*key}


def _looks(node: Node) -> list[dict[str, Any]]:
    """The names that a node has now: on each thread, where that makes a difference."""
    now: dict[str, Any] = content.read(node.form, node.target) or {}
    if not is_thread_local(node.target):
        return [now]
    own = content.own_dict(node.target)
    return [now, *(attributes for attributes in attributes_by_thread(node.target) if attributes is not own)]


def _used_by_other_threads(graph: StateGraph, among: Sequence[int] | None) -> list[int]:
    """Thread-locals that were used on a thread which did not import the program: there they are not what they were."""
    return [
        index
        for index in (range(len(graph.nodes)) if among is None else among)
        if is_thread_local(local := graph.nodes[index].target) and len(attributes_by_thread(local)) > 1
    ]


def _place(index: int, node: Node, key: str | None, wide: bool) -> Place:
    name = node.name if key is None else f"{node.name}.{key}"
    if node.form == "environ":
        name = f"os.environ[{key!r}]"
    kind = node.kind
    if node.form == "attributes" and node.kind != "function attribute":
        kind = "thread-local" if is_thread_local(node.target) else "instance attribute"
    return Place(index, key, name, kind, node.form, node.owner, node.file, node.module, wide)


def _is_bookkeeping(node: Node, key: str) -> bool:
    """Names that the interpreter, asyncio or we keep for ourselves."""
    return (
        (key.startswith("__") and key.endswith("__") and key != "__notes__")
        or key == OWNERS
        or (type(node.target).__module__.startswith("asyncio") and key in ("_loop", "_waiters", "_getters", "_putters"))
    )


def fingerprint(value: Any) -> Any:
    """Something that is equal exactly when what `value` holds, all the way down, is unchanged."""
    budget = [_FINGERPRINT_SIZE]
    return _fingerprint(value, budget, 0)


def _fingerprint(value: Any, budget: list[int], depth: int) -> Any:
    budget[0] -= 1
    if value is None or type(value) in (str, bytes, int, float, bool):
        return value
    if budget[0] <= 0 or depth > 8:
        return id(value)
    if issubclass(type(value), bytearray):
        return ("bytearray", bytes(value))
    if issubclass(type(value), array):
        return ("array", array.tounicode(value) if value.typecode in _OF_TEXT else array.tobytes(value))
    if type(value) is random.Random:
        return ("random", value.getstate())
    if inside_c.form_of(value) == "database":
        return ("database", inside_c.read_database(value))
    if inside_c.form_of(value) == "stream":
        return ("stream", inside_c.told_by(value))
    if inside_c.form_of(value) == "context":
        set_to = inside_c.read_context(value).items()
        return ("context", *((variable.name, _fingerprint(held, budget, depth + 1)) for variable, held in set_to))
    if inside_c.form_of(value) == "generator":
        names = inside_c.variables_of(value).items()
        return ("generator", *((name, _fingerprint(held, budget, depth + 1)) for name, held in names))
    if issubclass(type(value), asyncio.AbstractEventLoop):
        return id(value)  # clients hold on to it; what it has to do is nobody's data
    if issubclass(type(value), tuple):
        return ("tuple", *(_fingerprint(item, budget, depth + 1) for item in tuple.__iter__(value)))
    contents: tuple[Any, ...] = ()
    if issubclass(type(value), dict):
        held = ((k if type(k) is str else id(k), _fingerprint(v, budget, depth + 1)) for k, v in dict.items(value))
        contents = ("dict", *held)
    else:
        for base, form in content.BUILTIN_FORMS:
            if issubclass(type(value), base):
                held = (_fingerprint(item, budget, depth + 1) for _, item in content.members(form, value))
                contents = (form, *held)
                break
    if contents and type(value).__module__ in ("builtins", "collections"):
        return contents
    if issubclass(type(value), type):
        return id(value)
    if type(value) is weakref.ref:
        return ("reference", _fingerprint(value(), budget, depth + 1))
    attributes: dict[str, Any] | None = content.read("attributes", value)
    if attributes is not None:
        inside = ((k, _within_half(v, budget, depth + 1)) for k, v in attributes.items())
        return (*(contents or (id(value),)), *inside)
    return contents or id(value)


def _within_half(value: Any, budget: list[int], depth: int) -> Any:
    """Of one attribute, which may lead to all of a library, so that there is something left for the others."""
    half = budget[0] // 2
    share = [half]
    found = _fingerprint(value, share, depth)
    budget[0] -= half - share[0]
    return found


def texts_in(value: Any) -> list[str]:
    """Every string that `value` holds, all the way down: to look for evidence in it."""
    found: list[str] = []
    _collect(fingerprint(value), found)
    return found


def _collect(value: Any, found: list[str]) -> None:
    if issubclass(type(value), str):
        found.append(value)
    elif issubclass(type(value), bytes):
        found.append(value.decode("utf-8", "replace"))
    elif issubclass(type(value), tuple):
        for item in value:
            _collect(item, found)
