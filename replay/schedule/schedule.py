"""A schedule as plain data: the lane of every step, in short and in long form."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

FAULTS = ("cancel", "timeout", "fail")
"""What can be done to a request where it could go on:

cancel   its client goes away: the handler is cancelled, or told of the disconnect
timeout  a time limit of its own passes before what it waits for comes
fail     the upstream call that it waits for fails
"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The lane of every step, and the faults: at step `n`, counted from 0, something happens to the lane that runs.

    `enabled` and `places` are what could run, and where the lane stood, at each step of the recorded run; empty where
    they are not known or shall not be compared.
    """

    names: tuple[str, ...]
    faults: tuple[tuple[int, str], ...] = ()
    enabled: tuple[tuple[str, ...], ...] = ()
    places: tuple[str | None, ...] = ()

    def divergence(self, decisions: Sequence[Decision]) -> str:
        """Where a run first differs from the recorded one, in words; "" where it does not."""
        if not self.enabled:
            return ""
        for n, (name, enabled, at) in enumerate(zip(self.names, self.enabled, self.places, strict=True)):
            if n >= len(decisions):
                return f"step {n + 1}: the schedule goes on with {name}, but the run is over"
            made = decisions[n]
            if (made.lane, made.enabled) != (name, enabled):
                return (
                    f"step {n + 1}: the schedule has {name} of {', '.join(enabled)}, "
                    f"this run {made.lane} of {', '.join(made.enabled)}"
                )
            if at is not None and made.at is not None and at != made.at:
                return f"step {n + 1}: {name} stood at {at}, and stands at {made.at} now"
        if len(decisions) > len(self.names):
            return (
                f"step {len(self.names) + 1}: the schedule ends here, but {decisions[len(self.names)].lane} can go on"
            )
        return ""


if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..run import Decision


def to_json(decisions: Sequence[Decision]) -> tuple[dict[str, Any], ...]:
    """One object a step: the lane, the lanes that could run, where the lane had been suspended, the fault if any."""
    return tuple(
        {"lane": d.lane, "enabled": list(d.enabled), "at": d.at, **({"action": d.action} if d.action else {})}
        for d in decisions
    )


def of_json(steps: Sequence[dict[str, Any]]) -> Schedule:
    """The inverse of `to_json`."""
    faults = tuple((n, str(step["action"])) for n, step in enumerate(steps) if step.get("action"))
    return Schedule(tuple(str(step["lane"]) for step in steps), faults)


def in_words(lanes: Sequence[str]) -> str:
    """`alice ×2, bob ×3, alice ×1`."""
    return ", ".join(f"{lane} ×{len(list(steps))}" for lane, steps in groupby(lanes))
