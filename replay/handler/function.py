"""Handlers that are functions: plain, `async`, or generators that stream.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reply import Reply


async def call_function(function: Any, keywords: dict[str, Any], reply: Reply, plain: Any) -> None:
    """Call the handler and put what it returns, or yields, into `reply`.

    After each part of a stream the lane can be suspended, as a server is while it waits for the client to read.
    """
    result: Any = function(**keywords)
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__anext__"):
        async for part in result:
            reply.chunk(_text(plain(part)))  # pyright: ignore[reportUnknownArgumentType]
            await asyncio.sleep(0)
        reply.body = "".join(reply.chunks)
    elif inspect.isgenerator(result):
        for part in result:
            reply.chunk(_text(plain(part)))  # pyright: ignore[reportUnknownArgumentType]
            await asyncio.sleep(0)
        reply.body = "".join(reply.chunks)
    else:
        reply.body = plain(result)  # pyright: ignore[reportUnknownArgumentType]


def _text(part: Any) -> str:
    import json

    return part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
