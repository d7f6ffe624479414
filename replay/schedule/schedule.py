"""A schedule as plain data: the lane of every step, in short and in long form."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..run import Decision


def to_json(decisions: Sequence[Decision]) -> tuple[dict[str, Any], ...]:
    """One object a step: the lane, the lanes that could run, and where the lane had been suspended."""
    return tuple({"lane": d.lane, "enabled": list(d.enabled), "at": d.at} for d in decisions)


def in_words(lanes: Sequence[str]) -> str:
    """`alice ×2, bob ×3, alice ×1`."""
    return ", ".join(f"{lane} ×{len(list(steps))}" for lane, steps in groupby(lanes))
