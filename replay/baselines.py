"""What each lane shows when it is alone, kept between jobs: stepping from one interleaving into the next executes the
interleaving and no baseline again.

Baselines depend on the program, which is loaded once for all jobs of a worker, and on the requests alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .detect.values import Material
    from .investigation import Investigation
    from .run import Outcome
    from .schedule.execute import Execution
    from .trace.lanes import Lane

MOST_KEPT = 16


@dataclass(frozen=True, slots=True)
class Baselines:
    """Of the requests of `lanes`. The fields are those of `Investigation`."""

    lanes: tuple[Lane, ...]
    solo_runs: dict[str, Execution]
    solo: dict[str, Outcome]
    materials: dict[str, Material]
    unstable: dict[str, frozenset[str]]
    uncontrolled: tuple[str, ...]
    warnings: tuple[str, ...]
    stopped: str


def run_alone(investigation: Investigation, in_time: Callable[[], bool] = lambda: True) -> None:
    """`Investigation.run_alone`, unless an earlier job of the same program did it for the same requests."""
    kept = investigation.program.baselines
    known = next((baselines for baselines in kept if baselines.lanes == investigation.lanes), None)
    if known is None:
        investigation.run_alone(in_time)
        if len(investigation.solo_runs) == len(investigation.lanes):
            kept.append(_of(investigation))
        return
    investigation.solo_runs, investigation.solo = known.solo_runs, known.solo
    investigation.materials, investigation.unstable = known.materials, known.unstable
    investigation.uncontrolled.update(dict.fromkeys(known.uncontrolled))
    investigation.warnings.update(dict.fromkeys(known.warnings))
    investigation.stopped = known.stopped


def _of(investigation: Investigation) -> Baselines:
    return Baselines(
        investigation.lanes,
        investigation.solo_runs,
        investigation.solo,
        investigation.materials,
        investigation.unstable,
        tuple(investigation.uncontrolled),
        tuple(investigation.warnings),
        investigation.stopped,
    )
