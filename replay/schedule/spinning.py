"""Who goes round in a loop without waiting: `while not flag: pass` waits for another lane and never lets it run.

So does `while not flag: await asyncio.sleep(0)`: it waits for no more than its own next turn.

A lane that has made many steps is looked at: where it stands, and everything that its frames reach. If both are
the same when it comes by there again, so is everything that it can do from there: no step of its own will get it out of
the loop, and another lane has to run. A loop that changes anything, be it only a counter, is never taken for one. Where
something is reached whose inside cannot be seen (an iterator, a random generator, a file), nothing is said.

A coroutine that goes on and on where others could is then turned aside once in a while, so that what it may be waiting
for can happen: the fairness of Musuvathi and Qadeer, "Fair Stateless Model Checking", PLDI 2008, by a count.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import builtins
import dis
import gc
import sys
import types
from collections import deque
from typing import TYPE_CHECKING, Any

from .primitives import CooperativeLock
from .threads import Controlled, is_users, new_lock, shown_line, user_files
from .waiting import frames_of_task

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from types import CodeType, FrameType

    from .actors import Actor

_FIRST_LOOK = 1_000
_FIRST_LOOK_AT_TASK = 100  # of which each step has come to an `await`
_LONGEST_LOOP = 64
# So many steps of a coroutine, each to an `await`, in one go: while another request is under way, and else.
_LONGEST_RUN = 300
_LONGEST_RUN_BEFORE_OTHERS = 10_000
_MOST_SPINS = 20  # of lanes that only ever wait for each other in this way
_MOST_OBJECTS = 3_000
_PLAIN: frozenset[type] = frozenset({type(None), bool, int, str, bytes, float, complex, range, type(...)})
# What a loop may call of Python's own and still be known to change nothing but what it reaches.
_PURE = frozenset(
    {
        *("abs", "all", "any", "bool", "dict", "float", "getattr", "hasattr", "int", "isinstance", "issubclass", "len"),
        *(
            "list",
            "max",
            "min",
            "not",
            "print",
            "range",
            "repr",
            "round",
            "set",
            "sorted",
            "str",
            "sum",
            "tuple",
            "type",
        ),
    }
)
# The clock stands while a lane does not wait. What asyncio is asked to begin shows in what is ready, and in the tasks.
_PURE_MODULES = frozenset({"time", "threading", "asyncio"})
_SEEN_THROUGH: frozenset[type] = frozenset(
    {
        object,
        staticmethod,
        classmethod,
        property,
        dict,
        list,
        tuple,
        set,
        frozenset,
        deque,
        types.CellType,
        types.MethodType,
        CooperativeLock,
    }
)
_LOCK = type(new_lock())
_HARMLESS: frozenset[type] = frozenset(
    {
        *(types.GetSetDescriptorType, types.MemberDescriptorType, types.WrapperDescriptorType),
        *(types.MethodDescriptorType, types.ClassMethodDescriptorType),
    }
)

_LOOPS = frozenset(number for name, number in dis.opmap.items() if name.startswith("FOR_ITER"))

Place = tuple[str, int]


class SpinWatch:
    """Told before every step of one lane's thread or task; says when it goes round in a loop.

    Attributes:
        at: the user's line where it does; None while it is not known to.
    """

    def __init__(self) -> None:
        self.at: Place | None = None
        self._steps = 0
        self._look_at = 0
        self._seen: tuple[list[Any], list[Any]] | None = None
        self._passed: dict[CodeType, set[int]] = {}

    def spins(self, actor: Actor) -> bool:
        """Whether the actor, which is about to step, stands where it stood before, and nothing has changed since."""
        self._steps += 1
        if not self._look_at:
            self._look_at = _FIRST_LOOK if actor.loop.baton.threads else _FIRST_LOOK_AT_TASK
        if self._steps < self._look_at:
            return False
        frames = _frames(actor)
        for frame in frames:
            self._passed.setdefault(frame.f_code, set()).add(frame.f_lasti)
        where: list[Any] = [part for frame in frames for part in (id(frame.f_code), frame.f_lasti)]
        # The outermost is to be the same one, or whoever called it goes on: the object itself, which `==` takes for no
        # other. It lives on as long as it is compared with.
        where += [*frames[-1:], actor.made]
        if self._seen is None:
            self._passed.clear()
            self._seen = _reached(frames, where)
        elif where == self._seen[0][: len(where)] and not any(map(_iterates, *zip(*self._passed.items(), strict=True))):
            now = _reached(frames, where)
            if now is not None and _same(now[0], self._seen[0]):
                self.at = frames[0].f_code.co_filename, frames[0].f_lineno
                self._look_at = self._steps
                return True
        if self._seen is None or self._steps > self._look_at + _LONGEST_LOOP:
            self.at, self._look_at, self._seen = None, 2 * self._steps, None
        return False


class Spinners:
    """Who of all spins.

    Attributes:
        now: those that have done so since the latest step of any other. Each waits for such a step.
        turned_aside: whether any was among them that is not known to spin.
    """

    def __init__(self) -> None:
        self.now: set[str] = set()
        self.turned_aside = False
        self._watches: dict[str, SpinWatch] = {}
        self._in_turn = 0
        self._running: Actor | None = None
        self._run = 0

    @property
    def are_all(self) -> bool:
        """Whether those that run only ever wait for each other in this way."""
        return self._in_turn >= _MOST_SPINS

    def watch(self, actor: Actor) -> None:
        """The actor is about to step."""
        watch = self._watches.get(actor.name)
        if watch is None:
            watch = self._watches[actor.name] = SpinWatch()
        self.now.clear()
        if watch.spins(actor):
            self._in_turn += 1
            self.now.add(actor.name)
        elif watch.at is None:
            self._in_turn = 0
            self._count(actor)

    def among(self, enabled: list[Actor]) -> list[Actor]:
        """Who of these may run. Who is only suspected goes on where no other can."""
        others = [actor for actor in enabled if actor.name not in self.now]
        known = all(self._watches[name].at for name in self.now)
        self.turned_aside = self.turned_aside or not known
        return others if others or known else enabled

    def _count(self, actor: Actor) -> None:
        self._run = self._run + 1 if actor is self._running else 1
        self._running = actor
        if self._run % _LONGEST_RUN or not isinstance(_going_on(actor), asyncio.Task):
            return
        others = any(lane.in_flight for lane in actor.loop.lanes.values() if lane is not actor)
        if others or self._run >= _LONGEST_RUN_BEFORE_OTHERS:
            self._run = 0
            self.now.add(actor.name)

    def forget(self, actor: Actor) -> None:
        """It starts with something new."""
        self._watches.pop(actor.name, None)

    def in_words(self, lanes: Container[str]) -> str:
        """Which of the lanes spin, and where."""
        spinning = [(name, watch.at) for name, watch in self._watches.items() if watch.at and name in lanes]
        return "; ".join(f"{name} spins at {shown_line(at)} without waiting" for name, at in spinning)


def _going_on(actor: Actor) -> Any:
    """The thread or task of the actor's next step."""
    return getattr(actor.ready[0].callback, "__self__", None) if actor.ready else None


def _frames(actor: Actor) -> list[FrameType]:
    """The user's frames on the stack of the thread or task that goes on in the actor's next step, innermost first."""
    thread = _going_on(actor)
    if isinstance(thread, asyncio.Task) and len(actor.ready) == 1 and not actor.timers:
        return _frames_of_task(thread)
    if not isinstance(thread, Controlled):
        return []
    frame = sys._current_frames().get(thread.ident)
    frames: list[FrameType] = []
    while frame is not None:
        if is_users(frame):
            frames.append(frame)
        frame = frame.f_back
    return frames


def _frames_of_task(task: asyncio.Task[Any]) -> list[FrameType]:
    """None where something below the user's outermost frame keeps what cannot be seen, such as an async generator."""
    frames: list[FrameType] = []
    for frame in frames_of_task(task):
        if frame is None:
            return []
        if is_users(frame):
            frames.insert(0, frame)
        elif frames and frame.f_globals.get("__name__") != "asyncio.tasks":
            return []
    return frames


def _iterates(code: CodeType, passed: set[int]) -> bool:
    """Whether there is a `for` among the instructions passed: where it stands in its iterator is in no name."""
    between = range(min(passed), max(passed) + 1)
    return any(step.opcode in _LOOPS and step.offset in between for step in dis.get_instructions(code))


def _same(one: list[Any], other: list[Any]) -> bool:
    """`==` of plain values alone, of which the lists consist."""
    return len(one) == len(other) and all(type(a) is type(b) and a == b for a, b in zip(one, other, strict=True))


def _reached(frames: Iterable[FrameType], where: list[Any]) -> tuple[list[Any], list[Any]] | None:
    """What the frames lead to, as plain values and addresses, and the objects themselves, which have to live on so that
    no other gets the address of one; None where something cannot be looked into."""
    parts, waiting = list(where), list[Any]()
    for frame in frames:
        names = dict(frame.f_locals)
        parts += names
        waiting += names.values()
        if not _globals_of(frame.f_code, frame.f_globals, waiting):
            return None
    kept: dict[int, Any] = {}
    for thing in waiting:
        cls = type(thing)
        if cls in _PLAIN:
            parts += (cls.__name__, thing)
            continue
        parts.append(id(thing))
        if id(thing) not in kept:
            kept[id(thing)] = thing
            if len(kept) > _MOST_OBJECTS or not _inside(thing, cls, parts, waiting):
                return None
    return (parts, waiting) if parts != where else None


def _inside(thing: Any, cls: type, parts: list[Any], waiting: list[Any]) -> bool:
    """Add what one object holds; False where that cannot be told."""
    if cls is _LOCK:
        parts.append(thing.locked())
    elif issubclass(cls, types.ModuleType):
        if thing.__name__ in _PURE_MODULES:
            return True
        if (vars(thing).get("__file__") or "") not in user_files[-1]:
            return False
        waiting += vars(thing).values()
    elif issubclass(cls, type):
        if thing.__module__ not in sys.stdlib_module_names and thing.__module__ != "builtins":
            waiting += type.__dict__["__dict__"].__get__(thing).values()
            waiting += type.__dict__["__mro__"].__get__(thing)
    elif cls is types.FunctionType:
        if thing.__code__.co_filename not in user_files[-1]:
            return False
        waiting += (thing.__closure__, thing.__defaults__, thing.__kwdefaults__)
        return _globals_of(thing.__code__, thing.__globals__, waiting)
    elif cls is types.BuiltinFunctionType:
        return thing.__name__ in _PURE
    elif cls not in _HARMLESS:
        if not all(map(_is_seen_through, type.__dict__["__mro__"].__get__(cls))):
            return False
        waiting += gc.get_referents(thing)
    return True


def _globals_of(code: CodeType, namespace: dict[str, Any], waiting: list[Any]) -> bool:
    """Add what the code's names stand for; False where it uses something of Python's that may do anything."""
    for name in code.co_names:
        if name in namespace:
            waiting.append(namespace[name])
        elif hasattr(builtins, name) and name not in _PURE:
            return False
    inner = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return all(_globals_of(each, namespace, waiting) for each in inner)


def _is_seen_through(cls: type) -> bool:
    """Whether instances hold nothing but what the garbage collector is told of."""
    if cls in _SEEN_THROUGH:
        return True
    file = getattr(sys.modules.get(cls.__module__), "__file__", None) or ""
    return file.endswith(".py")  # written in Python
