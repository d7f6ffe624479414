"""Keeps the threads of a program on one core while they pass the baton, of which only one runs at a time.

A thread that is woken elsewhere finds cold caches, and contends for the interpreter's lock with the one that woke it:
that takes longer than a line of Python. Now and then an execution may run anywhere, so that the system can move it away
from a core that others want; where it ends then is where the next ones stay. The program is not shown any of it.
"""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..schedule.threads import Baton

_FREE_EVERY = 20
_get_affinity = getattr(os, "sched_getaffinity", None)
_set_affinity = getattr(os, "sched_setaffinity", None)


class OneCore:
    """Told of each execution, on the thread that starts all others: they stay where it is."""

    def __init__(self) -> None:
        self._all = frozenset[int]() if _get_affinity is None else frozenset(_get_affinity(0))
        self._core_now = _asks_for_core() if len(self._all) > 1 else None
        self._process = os.getpid()
        self._stays = False
        self._count = 0
        self._baton: Baton | None = None

    def install(self) -> None:
        """Let the program see all the cores that there are."""
        if self._core_now is None or _get_affinity is None:
            return
        real, own = _get_affinity, self._all

        def sched_getaffinity(pid: int, /) -> set[int]:
            return set(own) if pid in (0, os.getpid()) else real(pid)

        os.sched_getaffinity = sched_getaffinity

    def begin(self, baton: Baton) -> None:
        """Before an execution. Where the one before had threads, this one will."""
        before, self._baton = self._baton, baton
        if self._core_now is None or _set_affinity is None:
            return
        threads = before is not None and bool(before.workers)
        self._count += threads
        stay = threads and self._count % _FREE_EVERY != 0 and os.getpid() == self._process
        if stay == self._stays:
            return
        try:
            _set_affinity(0, {self._core_now()} if stay else self._all)
        except OSError:  # a core was taken away, or a sandbox forbids it
            self._core_now = None
        self._stays = stay


def _asks_for_core() -> Callable[[], int] | None:
    try:
        ask = ctypes.CDLL(None).sched_getcpu
    except (AttributeError, OSError, TypeError):
        return None
    return ask if ask() >= 0 else None
