"""The code under test, loaded: its handler, its files, the state it keeps, and the engine that executes it.

Assembled once in the worker; everything that runs the user's code takes it as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .schedule.execute import Execution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .handler.load import Handler
    from .schedule.execute import Engine
    from .schedule.strategies import Strategy
    from .state.files import UserFiles
    from .state.fresh import Fresh
    from .state.graph import StateGraph
    from .trace.lanes import Lane


@dataclass(slots=True)
class Program:
    """See the module. `interrupted` says whether the user asked to stop."""

    handler: Handler
    files: UserFiles
    graph: StateGraph
    fresh: Fresh
    engine: Engine
    interrupted: Callable[[], bool]
    executions: int = 0

    def execute(self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None = None) -> Execution:
        """One execution on fresh state. Counts it."""
        self.executions += 1
        return self.fresh.run(
            lambda: self.engine.execute(lanes, strategy, max_in_flight), Execution.to_json, Execution.from_json
        )
