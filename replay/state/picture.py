"""A flat picture of objects, the same for two moments exactly when these hold the same things in the same places.

Each object comes once, with a number; where it is met again, the number stands. Suspended coroutines and generators are
in `suspended`.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import contextvars
import datetime
import decimal
import functools
import gc
import io
import random
import re
import sys
import types
from collections import OrderedDict, defaultdict, deque
from typing import TYPE_CHECKING, Any

from ..schedule.actors import ACTOR, Actor, Handle
from ..schedule.loop import ControlledLoop
from ..schedule.primitives import CooperativeLock
from ..schedule.reduction import IrreducibleError
from . import suspended
from .content import identity
from .opaque import Static, attributes_of, is_transparent
from .set_tables import table_of

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_PARTS = 200_000
_PLAIN: frozenset[type] = frozenset({type(None), bool, int, str, bytes, float, complex, range})
_ITERATORS = frozenset(
    type(iter(made)) for made in ((), [], "", "é", b"", bytearray(), range(0), range(1 << 70))
) | {enumerate, zip, map, filter, reversed, type(reversed([]))}  # fmt: skip
_KEY_ITERATORS = frozenset(type(iter(view)) for view in ({}, {}.values(), {}.items()))  # type: ignore[attr-defined]
# Their `__reduce__` tells all of them.
_SELF_TOLD: frozenset[type] = frozenset(
    {
        *(datetime.datetime, datetime.date, datetime.time, datetime.timedelta, datetime.timezone),
        *(decimal.Decimal, decimal.Context),
    }
)
_ASYNC_STEPS = frozenset({"async_generator_asend", "async_generator_athrow"})
# Of C, and nothing but what they refer to.
_REFERRING = frozenset(
    {"TaskStepMethWrapper", "FutureIter", "coroutine_wrapper", "mappingproxy", "dict_keys", "dict_values", "dict_items"}
)
_FUTURE = asyncio.Future.__dict__
_TASK = asyncio.Task.__dict__
_FUTURE_PARTS = ("_state", "_result", "_exception", "_asyncio_future_blocking", "_cancel_message")
_TASK_PARTS = ("_must_cancel", "_coro", "_fut_waiter")


class Picture:
    """See the module. `parts` are words and plain values, of which each says by its place what it is."""

    def __init__(self, static: Static, loop: ControlledLoop, timeless: bool, replies: list[Any]) -> None:
        self.parts: list[Any] = []
        self.static = static
        self._known = static.numbers
        self._loop = loop
        self._timeless = timeless
        self._numbers: dict[int, int] = {identity(replies): -1}
        self._kept: list[Any] = []  # what is made for the picture must not share an address with what comes later
        self._todo: list[Any] = []
        self.awaited: set[int] = set()
        # Objects with numbers in between are another lane's; see `lane`.
        self._of_others = range(0)
        self._apart = False
        self._contexts: dict[int, contextvars.Context] | None = None

    def lane(self) -> None:
        """What is come across from now on, and was not before the first call, is to be one lane's alone.

        From then on `add` refuses an object of two lanes, unless it cannot change, and a set of anything but plain
        values: its order is that of their addresses, which depend on what other lanes do.
        """
        first = self._of_others.start if self._apart else len(self._numbers)
        self._of_others, self._apart = range(first, len(self._numbers)), True

    # ---- the loop and who runs on it

    def mark(self, name: str, value: Any) -> None:
        """A plain value that is no object of the program."""
        self.parts += (name, value)

    def actor(self, actor: Actor) -> None:
        """Everything that waits to run for one lane or background task."""
        clock = 0.0 if self._timeless else actor.clock
        self.parts += ("actor", actor.name, actor.in_flight, actor.request, len(actor.pending), actor.at_upstream)
        self.parts += (actor.fault, actor.idle_timers, actor.delays, actor.made, clock, len(actor.ready))
        for handle in actor.ready:
            self.add(handle)
        timers = [timer for timer in sorted(actor.timers, key=_due) if not timer[2].dead]
        self.parts.append(len(timers))
        for _, _, handle in timers:
            self.add(handle)
        self.add(actor.task)
        self.add(actor.leave)

    def loop(self) -> None:
        """What the lanes share of the loop."""
        self.parts += ("in flight", self._loop.in_flight, 0.0 if self._timeless else self._loop.now)
        self.common()

    def common(self) -> None:
        """The same but for the times, and how many requests are under way."""
        loop = self._loop
        self.parts += ("loop", loop.shared)
        if loop.ownerless:
            raise IrreducibleError("something waits to run that belongs to no lane")
        self.add(loop.get_task_factory())
        self.add(loop.get_exception_handler())

    # ---- objects

    def add(self, thing: Any) -> None:
        """Picture one object and all that it reaches.

        Raises:
            IrreducibleError: something of it cannot be looked into.
        """
        todo = self._todo
        todo.append(thing)
        try:
            while todo:
                self._visit(todo.pop())
                if len(self.parts) > _MOST_PARTS:
                    raise IrreducibleError("a request reaches too many objects")
        finally:
            todo.clear()

    def _visit(self, thing: Any) -> None:
        cls = type(thing)
        parts = self.parts
        if cls in _PLAIN:
            parts += (cls.__name__, thing)
            return
        key = identity(thing)
        number = self._numbers.get(key)
        if number is not None:
            if number in self._of_others and not self._is_constant(thing):
                raise IrreducibleError(f"two lanes hold the same {cls.__name__}")
            parts += ("again", number)
            return
        number = self._known.get(key)
        if number is None and cls not in _NEVER_ADOPTED:
            number = self.static.adopt(thing, cls)
        if number is not None:
            parts += ("static", number)
            return
        self._numbers[key] = len(self._numbers)
        self._kept.append(thing)
        picture = _PICTURES.get(cls)
        if picture is not None:
            picture(self, thing)
        elif thing is Ellipsis or thing is NotImplemented:
            parts.append(cls.__name__)
        elif cls in _ITERATORS:
            self._reduced(cls.__name__, thing)
        elif cls in _KEY_ITERATORS:
            self._key_iterator(thing)
        elif cls in _SELF_TOLD:
            self._reduced(cls.__name__, thing)
        elif cls.__name__ in _REFERRING:
            self.push(cls.__name__, gc.get_referents(thing))
        elif cls.__name__ in _ASYNC_STEPS and identity(thing) in self.awaited:
            # Awaited, hence begun and not done, which is all that its hidden state can say.
            self.push(cls.__name__, gc.get_referents(thing))
        elif is_transparent(cls):
            self._instance(thing, cls)
        else:
            raise IrreducibleError(f"a {cls.__module__}.{cls.__qualname__} cannot be looked into")

    def push(self, kind: str, things: Any) -> None:
        # Plain values stand where they are, the others follow: an ellipsis, which is no plain value, marks each.
        parts = self.parts
        parts += (kind, len(things))
        later: list[Any] = []
        for thing in things:
            if type(thing) in _PLAIN:
                parts.append(thing)
            else:
                parts.append(...)
                later.append(thing)
        if later:
            self._kept.append(things)
            later.reverse()
            self._todo += later

    def _is_constant(self, thing: Any) -> bool:
        """Whether it holds nothing that could change unseen, such as a tuple among the constants of a function."""
        cls = type(thing)
        if cls in _PLAIN or self.static.find(thing) is not None:
            return True
        if cls in (tuple, frozenset):
            return all(map(self._is_constant, thing))
        if cls is types.BuiltinFunctionType:
            return thing.__self__ is None or type(thing.__self__) is types.ModuleType
        if cls is types.FunctionType:  # such as the methods of asyncio's queues
            of_python = str(thing.__module__).partition(".")[0] in sys.stdlib_module_names
            return (
                of_python
                and not (thing.__closure__ or thing.__kwdefaults__ or vars(thing))
                and all(map(self._is_constant, thing.__defaults__ or ()))
            )
        if cls is contextvars.ContextVar:
            try:
                return self._is_constant(contextvars.Context().run(thing.get))
            except LookupError:
                return True
        return thing is Ellipsis or thing is NotImplemented

    # ---- kinds of objects

    def _instance(self, thing: Any, cls: Any) -> None:
        """An object of a class written in Python: what its builtin base holds, and its attributes."""
        inside: list[Any] = [cls]
        kinds: list[Any] = []
        for base, read in _BUILTIN_CONTENT:
            if issubclass(cls, base):
                kinds.append(base.__name__)
                inside += read(self, thing)
                break
        attributes = attributes_of(thing)
        for name, value in attributes.items():
            inside += (name, value)
        self.parts += ("object", *kinds, len(attributes))
        self.push("inside", inside)

    def members_of_set(self, thing: Any) -> None:
        """The members in their order, and the table they lie in, from which the order of later ones follows."""
        self.push(table_of(thing), self._in_set(thing))
        self._drain()

    def _drain(self) -> None:
        while self._todo:
            self._visit(self._todo.pop())

    def _in_set(self, thing: Any) -> list[Any]:
        members = list(set.__iter__(thing) if isinstance(thing, set) else frozenset.__iter__(thing))
        if self._apart and not all(type(member) in _PLAIN for member in members):
            raise IrreducibleError("the order of a set depends on where its members lie")
        return members

    def _set(self, thing: Any) -> None:
        members = self._in_set(thing)
        tasks = {identity(task): n for n, (task, _) in enumerate(self._loop.tasks_made())}
        if members and all(type(member) is asyncio.Task and identity(member) in tasks for member in members):
            # Their order is that of their addresses, of which nothing can be said in any case.
            members.sort(key=lambda task: tasks[identity(task)])
            self.push("tasks", members)
        else:
            self.push(f"{type(thing).__name__} {table_of(thing)}", members)

    def _dict(self, thing: Any) -> None:
        self.push("dict", [part for pair in dict.items(thing) for part in pair])

    def _function(self, function: Any) -> None:
        self.parts += ("function", self.static.number(function.__code__))
        self._module_of(function.__globals__)
        inside: list[Any] = [function.__defaults__, function.__kwdefaults__, *(function.__closure__ or ())]
        if attributes := vars(function):
            inside.append(attributes)
        self.push("of", inside)

    def _module_of(self, namespace: dict[str, Any]) -> None:
        module = sys.modules.get(namespace.get("__name__", ""))
        if module is None or vars(module) is not namespace:
            raise IrreducibleError("a request made a module")

    def _cell(self, cell: Any) -> None:
        try:
            self.push("cell", [cell.cell_contents])
        except ValueError:
            self.parts.append("empty cell")

    def _exception_parts(self, error: Any) -> list[Any]:
        of = BaseException.__dict__
        value: list[Any] = []
        for base in type.__dict__["__mro__"].__get__(type(error)):
            for name, member in vars(base).items() if base.__module__ == "builtins" else ():
                if isinstance(member, types.MemberDescriptorType) and name not in of:
                    value += (name, member.__get__(error))
        names = ("args", "__cause__", "__context__", "__suppress_context__", "__traceback__")
        return [*(of[name].__get__(error) for name in names), *value]

    def _future_parts(self, future: Any) -> list[Any]:
        of: Any = _TASK if isinstance(future, asyncio.Task) else _FUTURE
        callbacks = [part for pair in of["_callbacks"].__get__(future) or () for part in pair]
        inside = [of.get(name, _FUTURE[name]).__get__(future) for name in _FUTURE_PARTS]
        if of is _TASK:
            inside += [_TASK[name].__get__(future) for name in _TASK_PARTS]
            inside += [asyncio.Task.get_name(future), asyncio.Task.cancelling(future), self._context_of(future)]
        return [asyncio.Future.get_loop(future), *inside, len(callbacks), *callbacks]

    def _context_of(self, task: Any) -> contextvars.Context:
        if self._contexts is None:
            self._contexts = {identity(made): context for made, context in self._loop.tasks_made()}
        context = self._contexts.get(identity(task))
        if context is None:
            raise IrreducibleError("there is a task that the loop did not make")
        return context

    def _future(self, future: Any) -> None:
        self.push(type(future).__name__, self._future_parts(future))

    def _handle(self, handle: Handle) -> None:
        due = handle.due - (handle.actor.clock if self._timeless else 0.0)
        self.parts += ("handle", handle.dead, handle.deadline, 0.0 if handle.dead else round(due, 9))
        self.push("of", [handle.actor, handle.callback, handle.args, handle.context])

    def _actor(self, actor: Actor) -> None:
        if actor.loop is not self._loop:
            raise IrreducibleError("a request of an earlier execution is still reached")
        self.parts += ("lane", actor.name)

    def _controlled_loop(self, loop: Any) -> None:
        if loop is not self._loop:
            raise IrreducibleError("the loop of an earlier execution is still reached")
        self.parts.append("the loop")

    def _context(self, context: contextvars.Context) -> None:
        self.push("context", [part for pair in context.items() for part in pair])

    def _variable(self, variable: contextvars.ContextVar[Any]) -> None:
        self.parts += ("variable", self.static.ordinal(variable))
        if variable is not ACTOR:
            try:
                self.push("default", [contextvars.Context().run(variable.get)])
            except LookupError:
                self.parts.append("no default")

    def _token(self, token: contextvars.Token[Any]) -> None:
        try:
            default = contextvars.Context().run(token.var.get)
        except LookupError:
            default = None
        if type(default) not in _PLAIN:
            raise IrreducibleError("a token of a ContextVar cannot be looked into")
        # Whether it was used is said by its text alone.
        self.parts += ("token", repr(token).startswith("<Token used"))
        self.push("of", [token.var, None if token.old_value is token.MISSING else (token.old_value,)])

    def _builtin(self, function: Any) -> None:
        owner = function.__self__
        self.parts += ("builtin", function.__name__)
        if not isinstance(owner, (types.ModuleType, type(None))):
            self.push("of", [owner])
        else:
            self.parts.append(getattr(owner, "__name__", ""))

    def _method(self, method: Any) -> None:
        self.push("method", [method.__func__, method.__self__])

    def _wrapper(self, method: Any) -> None:
        self.parts.append(method.__name__)
        self.push("wrapper", [method.__self__])

    def _partial(self, partial: Any) -> None:
        self.push("partial", [partial.func, partial.args, partial.keywords, vars(partial)])

    def _deque(self, thing: Any) -> None:
        self.parts.append(thing.maxlen)
        self.push("deque", list(thing))

    def _lock(self, lock: CooperativeLock) -> None:
        self.parts += ("lock", lock.locked(), lock.holder)

    def _random(self, thing: random.Random) -> None:
        self.parts += ("random", thing.getstate())

    def _text_buffer(self, thing: Any) -> None:
        try:
            self.parts += ("buffer", thing.getvalue(), thing.tell())
        except ValueError:
            self.parts.append("closed buffer")

    def _match(self, match: Any) -> None:
        self.parts += ("match", match.regs, match.pos, match.endpos)
        self.push("of", [match.re, match.string])

    def _slice(self, thing: slice[Any, Any, Any]) -> None:
        self.push("slice", [thing.start, thing.stop, thing.step])

    def _reduced(self, kind: str, thing: Any) -> None:
        """What the type's own `__reduce__`, which is written in C, says of it."""
        self.push(kind, list(thing.__reduce__()))

    def _key_iterator(self, iterator: Any) -> None:
        try:
            left = list(iterator.__reduce__()[1][0])
        except RuntimeError:
            raise IrreducibleError("a dict changed under its iterator") from None
        self.push(type(iterator).__name__, [*gc.get_referents(iterator), left])


def _due(timer: tuple[float, int, Any]) -> tuple[float, int]:
    return timer[0], timer[1]


_BUILTIN_CONTENT: tuple[tuple[type, Callable[[Picture, Any], list[Any]]], ...] = (
    (OrderedDict, lambda _, thing: [part for pair in OrderedDict.items(thing) for part in pair]),
    (dict, lambda _, thing: [len(thing), *(part for pair in dict.items(thing) for part in pair)]),
    (list, lambda _, thing: [list.__len__(thing), *list.__iter__(thing)]),
    (tuple, lambda _, thing: [tuple.__len__(thing), *tuple.__iter__(thing)]),
    (deque, lambda _, thing: [deque.__len__(thing), *deque.__iter__(thing)]),
    (set, lambda picture, thing: [table_of(thing), set.__len__(thing), *picture._in_set(thing)]),
    (frozenset, lambda picture, thing: [table_of(thing), frozenset.__len__(thing), *picture._in_set(thing)]),
    (str, lambda _, thing: [str.__str__(thing)]),
    (int, lambda _, thing: [int.__int__(thing)]),
    (float, lambda _, thing: [float.__repr__(thing)]),
    (bytes, lambda _, thing: [bytes.__getitem__(thing, slice(None))]),
    (bytearray, lambda _, thing: [bytes(bytearray.__getitem__(thing, slice(None)))]),
    (BaseException, lambda picture, error: picture._exception_parts(error)),
    (asyncio.Future, lambda picture, future: picture._future_parts(future)),
)

_PICTURES: dict[type, Callable[[Picture, Any], None]] = {
    dict: Picture._dict,
    list: lambda picture, thing: picture.push("list", list(thing)),
    tuple: lambda picture, thing: picture.push("tuple", thing),
    set: Picture._set,
    frozenset: Picture._set,
    bytearray: lambda picture, thing: picture.mark("bytearray", bytes(thing)),
    deque: Picture._deque,
    slice: Picture._slice,
    types.FunctionType: Picture._function,
    types.CellType: Picture._cell,
    types.CoroutineType: suspended.coroutine,
    types.GeneratorType: suspended.generator,
    types.AsyncGeneratorType: suspended.async_generator,
    types.FrameType: suspended.frame,
    types.TracebackType: suspended.traceback,
    types.MethodType: Picture._method,
    types.BuiltinFunctionType: Picture._builtin,
    types.MethodWrapperType: Picture._wrapper,
    asyncio.Future: Picture._future,
    asyncio.Task: Picture._future,
    Handle: Picture._handle,
    Actor: Picture._actor,
    ControlledLoop: Picture._controlled_loop,
    contextvars.Context: Picture._context,
    contextvars.ContextVar: Picture._variable,
    contextvars.Token: Picture._token,
    functools.partial: Picture._partial,
    random.Random: Picture._random,
    CooperativeLock: Picture._lock,
    io.StringIO: Picture._text_buffer,
    io.BytesIO: Picture._text_buffer,
    re.Match: Picture._match,
    defaultdict: lambda picture, thing: picture.push(
        "defaultdict", [thing.default_factory, *(part for pair in dict.items(thing) for part in pair)]
    ),
}
# `adopt` would say so too, more slowly.
_NEVER_ADOPTED = frozenset(_PICTURES) - {types.FunctionType}
