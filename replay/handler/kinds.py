"""Which kind of handler an object is, by what it takes or whose class it is. Nothing of it is called.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import inspect
from typing import Any


def application_kind(target: Any) -> str | None:
    """`asgi`, `aiohttp` or `wsgi`; None for what is no application."""
    if inspect.isclass(target) or not callable(target):
        return None
    for cls in inspect.getmro(type(target)):
        if cls.__module__ == "aiohttp.web_app" and cls.__name__ == "Application":
            return "aiohttp"
    call = target if inspect.isroutine(target) else type(target).__call__
    try:
        names = [name for name in inspect.signature(call).parameters if name != "self"]
    except (TypeError, ValueError):
        return None
    if names[:3] == ["scope", "receive", "send"]:
        return "asgi"
    if len(names) >= 2 and names[0] in ("environ", "env") and names[1] == "start_response":
        return "wsgi"
    return None


def is_bare_factory(target: Any) -> bool:
    """A function without parameters, which can only make an application."""
    return inspect.isfunction(target) and not inspect.signature(target).parameters
