"""Time and randomness of the program, made repeatable and kept apart for each lane.

A random stream shared by all lanes would itself couple them: what one draws, another would miss. So each lane draws
from a stream of its own, seeded by its name. Time is the loop's virtual time, and never goes back. Both are patched
before the program is imported, so that `from time import time` is covered; `datetime.now()` is not, and what differs
because of it shows up as unstable between two solo runs.
"""

from __future__ import annotations

import os
import queue
import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ..schedule.actors import ACTOR
from ..schedule.looks import Looks
from ..schedule.threads import user_files

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..schedule.loop import ControlledLoop

_SETS_ALL = frozenset({"seed", "setstate"})
_EPOCH_S = 1_767_225_600.0  # 2026-01-01T00:00:00Z, where virtual time starts


class Determinism:
    """The patches; outside an execution (during import) everything is real."""

    def __init__(self) -> None:
        self._loop: ControlledLoop | None = None
        self._streams: dict[str, random.Random] = {}
        self.looks = Looks()

    def begin(self, loop: ControlledLoop) -> None:
        self._loop = loop
        self.looks.begin()
        loop.read_clock = self._read_on_the_loop if self.looks.noting else None
        if self._streams:
            self._streams = {}

    def end(self) -> None:
        self._loop = None

    @property
    def drawn(self) -> dict[str, random.Random]:
        """The streams of random numbers that were drawn from in this execution, by lane."""
        return self._streams

    def install(self) -> None:
        self._install_time()
        self._install_random()

    def _looked(self, now_s: float) -> float:
        actor = ACTOR.get(None)
        return self.looks.seen(actor.name if actor is not None else "", now_s)

    def _read_on_the_loop(self, now_s: float) -> float:
        """`loop.time()`, by which libraries set timers too: those are for the real one to fire."""
        asks = sys._getframe(2)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        while asks.f_code.co_name == "current_time" and asks.f_back is not None:  # anyio's, on the way there
            asks = asks.f_back
        return self._looked(now_s) if asks.f_code.co_filename in user_files[-1] else now_s

    def _stream(self) -> random.Random:
        actor = ACTOR.get(None)
        name = actor.name if actor is not None else ""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"crosslane:{name}")
        return stream

    def _install_time(self) -> None:
        def virtual(real: Callable[[], Any], epoch_s: float, in_ns: bool) -> Callable[[], Any]:
            def now() -> Any:
                if self._loop is None:
                    return real()
                self._loop.time_matters = True
                seconds = epoch_s + (self._loop.now if not self.looks.noting else self._looked(self._loop.now))
                return int(seconds * 1_000_000_000) if in_ns else seconds

            now.__name__ = real.__name__
            return now

        time.time = virtual(time.time, _EPOCH_S, False)
        time.time_ns = virtual(time.time_ns, _EPOCH_S, True)
        time.monotonic = virtual(time.monotonic, 0.0, False)
        time.monotonic_ns = virtual(time.monotonic_ns, 0.0, True)
        time.perf_counter = virtual(time.perf_counter, 0.0, False)
        time.perf_counter_ns = virtual(time.perf_counter_ns, 0.0, True)
        # These have bound the clock to a name of their own when they were imported.
        threading._time = time.monotonic  # type: ignore[attr-defined]  # noqa: SLF001
        queue.time = time.monotonic  # type: ignore[attr-defined]
        real_sleep = time.sleep

        def sleep(seconds: float, /) -> None:
            # Blocking sleep inside a request: no other lane could run anyway, so nobody has to wait for it.
            if self._loop is None or ACTOR.get(None) is None:
                real_sleep(seconds)
            else:
                self._loop.pass_time(seconds)

        time.sleep = sleep

    def _install_random(self) -> None:
        def drawing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
            def draw(*args: Any, **keywords: Any) -> Any:
                source = real if self._loop is None else getattr(self._stream(), name)
                if self._loop is not None and name in _SETS_ALL and ACTOR.get(None) is not None:
                    self._loop.remark(
                        f"random.{name}() in a request sets what all users draw from then on: that they do is not "
                        "replayed, each draws from a stream of its own"
                    )
                return source(*args, **keywords)

            draw.__name__ = name
            return draw

        for name in dir(random):
            real = getattr(random, name)
            if isinstance(getattr(real, "__self__", None), random.Random):
                setattr(random, name, drawing(name, real))
        real_urandom = os.urandom

        def urandom(size: int, /) -> bytes:
            return real_urandom(size) if self._loop is None else self._stream().randbytes(size)

        os.urandom = urandom
        random._urandom = urandom  # type: ignore[attr-defined]  # noqa: SLF001 - what `secrets` draws from
