"""Handlers that are functions: plain, `async`, or generators that stream.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import inspect
import time
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reply import Reply

_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


async def call_function(function: Any, keywords: dict[str, Any], reply: Reply, plain: Any) -> None:
    """Call the handler and put what it returns, or yields, into `reply`.

    A plain function runs in a thread, as a threaded server runs it. After each part of a stream the lane can be
    suspended, as a server is while it waits for the client to read.
    """
    if is_async(function):
        result: Any = function(**keywords)
    else:
        loop: Any = asyncio.get_running_loop()
        result = await loop.in_thread(partial(_in_thread, function, keywords, reply, plain))
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__anext__"):
        async for part in result:
            reply.chunk(_text(plain(part)))  # pyright: ignore[reportUnknownArgumentType]
            await asyncio.sleep(0)
        reply.body = "".join(reply.chunks)
    elif not inspect.isgenerator(result):
        reply.body = plain(result)  # pyright: ignore[reportUnknownArgumentType]


def is_async(function: Any) -> bool:
    """Whether calling it makes a coroutine or an asynchronous generator."""
    while isinstance(function, partial):
        function = function.func
    if type(function) is FunctionType and function.__code__.co_flags & _ASYNC:
        return True
    for candidate in (function, vars(type(function)).get("__call__")):
        if inspect.iscoroutinefunction(candidate) or inspect.isasyncgenfunction(candidate):
            return True
    return False


def _in_thread(function: Any, keywords: dict[str, Any], reply: Reply, plain: Any) -> Any:
    result = function(**keywords)
    if inspect.isgenerator(result):
        for part in result:
            reply.chunk(_text(plain(part)))  # pyright: ignore[reportUnknownArgumentType]
            time.sleep(0)
        reply.body = "".join(reply.chunks)
    return result


def _text(part: Any) -> str:
    import json

    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
