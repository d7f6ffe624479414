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
    """The lane of every step, and the faults: at step `n`, counted from 0, something happens to the lane that runs."""

    names: tuple[str, ...]
    faults: tuple[tuple[int, str], ...] = ()


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
