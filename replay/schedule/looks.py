"""What each lane reads from the clock: noted in one execution, to be read again in another.

Two executions that differ in what one user says take different times, too. Where both read the clock as a third one
did, what still differs is no matter of time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Looked: TypeAlias = dict[str, tuple[float, ...]]
"""The virtual seconds of each look at a clock, by lane."""

_BETWEEN_LOOKS_S = 0.05


@dataclass(slots=True)
class Looks:
    """Stands between the program's clocks and the loop's time while `noting`.

    Attributes:
        given: what is read instead, look by look; a lane that looks more often reads ever later times.
    """

    noting: bool = False
    given: Looked | None = None
    noted: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def begin(self) -> None:
        if self.noted:
            self.noted = {}

    def seen(self, lane: str, now_s: float) -> float:
        """What a lane is to read at the time `now_s`."""
        noted = self.noted.setdefault(lane, [])
        if self.given is not None:
            times = self.given.get(lane, ())
            now_s = times[len(noted)] if len(noted) < len(times) else max(noted[-1:], default=now_s) + _BETWEEN_LOOKS_S
        noted.append(now_s)
        return now_s

    def looked(self) -> Looked:
        return {lane: tuple(times) for lane, times in self.noted.items()}
