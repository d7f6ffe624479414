"""The watchdog's ticks: what it does with an execution that goes on after the user has asked to stop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from crosslane.replay.worker.watchdog import Interrupt, Watchdog


class Steady:
    """A loop that makes steps, so that nothing seems to block it."""

    def __init__(self) -> None:
        self.steps = 0
        self.interrupted_at: list[int] = []

    def interrupt(self) -> None:
        self.interrupted_at.append(self.steps)

    def tick(self, watchdog: Watchdog) -> None:
        self.steps += 1
        watchdog._tick(0, None)


def watching(interrupt: Interrupt, loop: Any) -> Watchdog:
    watchdog = Watchdog(SimpleNamespace(place=lambda _: None), interrupt, lambda: None, lambda _: None)  # type: ignore[arg-type]
    watchdog.loop = loop
    return watchdog


def test_an_execution_that_goes_on_after_an_interrupt_is_ended_and_the_next_has_its_own_time() -> None:
    interrupt, first, second = Interrupt(), Steady(), Steady()
    with watching(interrupt, first) as watchdog:
        for _ in range(20):
            first.tick(watchdog)
        assert first.interrupted_at == []
        interrupt.asked = True
        for _ in range(10):
            first.tick(watchdog)
        assert first.interrupted_at[0] == 26  # a second and a half after it was asked
        watchdog.loop = second  # type: ignore[assignment]
        for _ in range(4):
            second.tick(watchdog)
        assert second.interrupted_at == []
