"""Objects that stand for others, and make them when they are asked anything, are looked at without being asked."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ..conftest import TWO_USERS, Bench
from ..reference.program import program_of

# As `openai` has them for what few programs use: to say what they are, they import it.
STANDS_IN = """
    import asyncio
    asked = []
    class Lazy:
        @property
        def __class__(self):
            asked.append("what are you")
            return dict
    class Keeper: pass
    lazy, keeper = Lazy(), Keeper()
    keeper.lazy, pair, entries = Lazy(), (Lazy(), 1), {"lazy": Lazy()}
    latest = ""
    async def handle(user, message):
        global latest
        latest = message
        keeper.latest = (Lazy(), message)
        await asyncio.sleep(0)
        return f"{latest} {asked}"
"""


def test_taking_stock_of_the_state_asks_nothing_of_it(tmp_path: Path) -> None:
    program = program_of(textwrap.dedent(STANDS_IN), tmp_path)
    graph = program.fresh.graph
    graph.look()
    (asked,) = [node.target for node in graph.nodes if node.name.endswith(".asked")]
    assert asked == []


@pytest.mark.parametrize("fork", [False, True])
async def test_a_search_asks_nothing_of_it(bench: Bench, fork: bool) -> None:
    result = await bench.run(STANDS_IN, TWO_USERS, fork=fork)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.latest"
    assert "what are you" not in crossing.sink.evidence
    assert all("what are you" not in str(outcome.body) for outcome in result.run.outcomes)
