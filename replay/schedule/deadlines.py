"""Which timers are time limits rather than latency. The latter is a choice; a limit keeps its order, see `loop`.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import heapq
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .actors import Actor

# Callbacks that implement a deadline rather than a delay, and so do all of installed libraries: time limits of clients,
# keep-alive, clean-up. The others (asyncio.sleep, call_later of the program) stand for latency, which is a choice.
_DEADLINES = frozenset({"_on_timeout", "_release_waiter", "_timeout", "_deliver_cancellation"})
_libraries: dict[str, bool] = {}
# A thread that sleeps is woken by a callback of ours, wherever Crosslane is installed.
_OURS = __name__.partition(".")[0]


def is_deadline(callback: Any) -> bool:
    """Whether a timer with this callback is a time limit."""
    function = getattr(callback, "func", callback)
    if getattr(function, "__name__", "") in _DEADLINES:
        return True
    name = getattr(function, "__module__", None) or type(function).__module__
    known = _libraries.get(name)
    if known is None:
        file = getattr(sys.modules.get(name), "__file__", None) or ""
        installed = "site-packages" in file or "dist-packages" in file
        known = _libraries[name] = installed and name.partition(".")[0] != _OURS
    return known


def has_live_timer(actor: Actor) -> bool:
    """Drop cancelled timers from the head; True when a live one remains."""
    while actor.timers and actor.timers[0][2].dead:
        heapq.heappop(actor.timers)
    return bool(actor.timers)
