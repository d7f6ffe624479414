"""What a library works out of the program's code when a request first comes, and keeps: worked out before all requests.

Each execution starts from the state after import, so each would work it out again. FastAPI takes the source of an
endpoint apart to learn in which line it stands, for its messages: that took a seventh of an execution. And what we put
in the place of a library's own would be put there anew by each.
"""

# The libraries are the program's own, in whatever version it has.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import gc
import sys
from types import FunctionType
from typing import Any

from ..handler.asgi import take_over_anyio_threads


def work_out(kind: str) -> None:
    """Do it for the libraries that are loaded. Called once, when everything is imported.

    Args:
        kind: of the handler.
    """
    if kind == "asgi":
        take_over_anyio_threads()
    backends: Any = sys.modules.get("anyio._core._eventloop")
    if (get := getattr(backends, "get_async_backend", None)) is not None and kind != "wsgi":
        get("asyncio")
    routing: Any = sys.modules.get("fastapi.routing")
    look_up = getattr(routing, "_extract_endpoint_context", None)
    classes = tuple(
        cls for name in ("APIRoute", "APIWebSocketRoute") if isinstance(cls := getattr(routing, name, None), type)
    )
    if look_up is None or not classes:
        return
    # The application may stand inside others, whose attributes are not ours to follow.
    routes = [thing for thing in gc.get_objects() if issubclass(type(thing), classes)]
    for route in routes:
        endpoint = vars(route).get("endpoint")
        if type(endpoint) is FunctionType:
            look_up(endpoint)
