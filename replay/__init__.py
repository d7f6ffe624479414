"""The engine of Crosslane: trace -> execute -> run -> crossing -> repro. It knows nothing of any screen.

Everything the worker process imports lives here and needs the standard library alone, because the worker runs under
the interpreter of the user's project, where Crosslane is not installed. What the package offers to programs is
therefore imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import check, check_async, replay, replay_async
    from .errors import CrosslaneError
    from .isolation import NotIsolated, assert_isolated, assert_isolated_async
    from .report import Crossing, Finding, Report, Result
    from .trace.model import Trace
    from .trace.store import load

__all__ = [
    "Crossing",
    "CrosslaneError",
    "Finding",
    "NotIsolated",
    "Report",
    "Result",
    "Trace",
    "assert_isolated",
    "assert_isolated_async",
    "check",
    "check_async",
    "load",
    "replay",
    "replay_async",
]

_PLACES = {
    **dict.fromkeys(("check", "check_async", "replay", "replay_async"), "api"),
    **dict.fromkeys(("NotIsolated", "assert_isolated", "assert_isolated_async"), "isolation"),
    **dict.fromkeys(("Crossing", "Finding", "Report", "Result"), "report"),
    "CrosslaneError": "errors",
    "Trace": "trace.model",
    "load": "trace.store",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_PLACES[name]}", __name__), name)
