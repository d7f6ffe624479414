"""Functions and methods of the program that are upstream calls, though no HTTP client is in them (`--upstream-call`).

Each call is noted with its arguments, can be suspended before it begins, and can be made to fail.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import sys
import time
from typing import TYPE_CHECKING, Any

from ..handler.reply import plain
from ..schedule.actors import ACTOR
from ..schedule.threads import here

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable


class UpstreamFailedError(ConnectionError):
    """Raised in place of an upstream call that the search lets fail."""


def intercept(names: Iterable[str], module: str, files: Container[str], sent: Callable[[str, Any], None]) -> None:
    """Put a watched call in the place of each named one, wherever the user's modules hold it.

    Args:
        names: `think`, `EchoLLM.complete`, `package.module:Class.method`.
        module: the handler's, in which short names are looked up first.
        sent: told of each call: its name and its arguments by name, as a JSON value.

    Raises:
        LookupError: there is no such function; the message says what to do.
    """
    for name in names:
        owner, attribute = _locate(name, module, files)
        raw = inspect.getattr_static(owner, attribute)
        wrapper = type(raw) if isinstance(raw, (staticmethod, classmethod)) else None
        original = raw.__func__ if wrapper is not None else raw
        watched = _watched(name, original, sent)
        holder = owner if attribute in vars(owner) else _class_with(owner, attribute)
        setattr(holder, attribute, watched if wrapper is None else wrapper(watched))
        for other in _users_modules(files):
            for key, value in list(vars(other).items()):
                if value is original:
                    setattr(other, key, watched)


def _locate(name: str, module: str, files: Container[str]) -> tuple[Any, str]:
    place, colon, path = name.rpartition(":")
    try:
        roots = [importlib.import_module(place)] if colon else [sys.modules.get(module), *_users_modules(files)]
    except ImportError as error:
        raise LookupError(f"upstream call {name}: cannot import it: {error}") from None
    parts = path.split(".")
    for root in roots:
        owner: Any = root
        try:
            for part in parts[:-1]:
                owner = getattr(owner, part)
            target = getattr(owner, parts[-1])
        except AttributeError:
            continue
        if callable(target):
            return owner, parts[-1]
    raise LookupError(
        f"upstream call {name}: no function {path!r} in {place if colon else module} or another module of yours; "
        "name it as the module does: think, EchoLLM.complete, or package.module:Class.method"
    )


def _class_with(owner: Any, attribute: str) -> Any:
    """The class that the method of an instance, or of a subclass, is defined in."""
    cls = owner if inspect.isclass(owner) else type(owner)
    return next(base for base in cls.__mro__ if attribute in vars(base))


def _users_modules(files: Container[str]) -> list[Any]:
    return [m for m in list(sys.modules.values()) if (getattr(m, "__file__", None) or "<") in files]


def _watched(name: str, original: Any, sent: Callable[[str, Any], None]) -> Any:
    signature = inspect.signature(original)

    def note(args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        try:
            bound = dict(signature.bind(*args, **keywords).arguments)
        except TypeError:  # the call will fail as well, and say so itself
            bound = {"args": args, **keywords}
        bound.pop("self", None)
        bound.pop("cls", None)
        sent(name, plain(bound))

    if inspect.isasyncgenfunction(original):

        @functools.wraps(original)
        async def streamed(*args: Any, **keywords: Any) -> Any:
            note(args, keywords)
            await wait(name)
            async for part in original(*args, **keywords):
                yield part

        return streamed
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def awaited(*args: Any, **keywords: Any) -> Any:
            note(args, keywords)
            await wait(name)
            return await original(*args, **keywords)

        return awaited

    @functools.wraps(original)
    def called(*args: Any, **keywords: Any) -> Any:
        note(args, keywords)
        wait_in_thread(name)
        return original(*args, **keywords)

    return called


async def wait(name: str) -> None:
    """Let other lanes run before a call is answered.

    Raises:
        UpstreamFailedError: the search lets it fail.
    """
    actor = ACTOR.get(None)
    if actor is None:
        return
    actor.at_upstream = True
    await asyncio.sleep(0)
    failed, actor.at_upstream = not actor.at_upstream, False
    if failed:
        raise UpstreamFailedError(f"the call to {name} was made to fail")


def wait_in_thread(name: str) -> None:
    """The same in a thread. On the thread of the event loop there is nobody to switch to: the call blocks the loop."""
    me = here()
    if me is None:
        return
    actor = me.loop.actor_here(me.home)
    actor.at_upstream = True
    time.sleep(0)
    failed, actor.at_upstream = not actor.at_upstream, False
    if failed:
        raise UpstreamFailedError(f"the call to {name} was made to fail")
