"""The critical pair: the nearest schedule in which nothing crosses, one switch away from the one in which it does.

After Hermit's schedule bisection (facebookexperimental/hermit, docs/agent-debugging-vision.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..report import Critical
from ..schedule.schedule import Schedule
from ..schedule.strategies import Replayed, Serial

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..run import Decision
    from ..schedule.execute import Execution
    from ..schedule.strategies import Strategy


def critical_pair(
    decisions: Sequence[Decision], execute: Callable[[Strategy], Execution], crosses: Callable[[Execution], bool]
) -> Critical | None:
    """The last switch without which the crossing goes; None where no single one is to blame.

    Args:
        decisions: of the observed minimal run, with the places where lanes had been suspended.
        execute: one execution of the minimal requests.
    """
    names = tuple(decision.lane for decision in decisions)
    for step in range(len(decisions) - 1, 0, -1):
        held = names[step - 1]
        if not decisions[step].preempted or decisions[step].action:
            continue
        others = [name for name in dict.fromkeys(names) if name != held]
        faults = tuple((n, d.action) for n, d in enumerate(decisions[:step]) if d.action)
        passing = execute(Replayed(Schedule((*names[:step], held), faults), Serial([held, *others])))
        if not crosses(passing) and not passing.stopped:
            at = next((d.at for d in decisions[step:] if d.lane == held), None)
            return Critical(step, held, at or "", names[step], passing.schedule.names)
    return None
