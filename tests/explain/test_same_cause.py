"""Several crossings of one cause are one finding, explained once; another cause is never taken for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.checking import replay
from crosslane.replay.investigation import Investigation
from crosslane.replay.worker.job import Job

from ..conftest import Bench, turns
from ..reference.program import program_of

MESSAGES = turns(
    ("s1", "alice", "code ZX-4411"),
    ("s2", "bob", "code QW-9922"),
    ("s1", "alice", "card 4417-2093"),
    ("s2", "bob", "card 5521-8846"),
)


def test_crossings_that_come_down_to_a_known_cause_are_not_explained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
import asyncio
said = []
async def handle(user, message):
    said.append(message)
    await asyncio.sleep(0)
    return " | ".join(said)
"""
    looked_into: list[str] = []
    find, explained = Investigation.find, Investigation._explained

    def found(self: Investigation, *what: Any) -> None:
        looked_into.append("found")
        find(self, *what)

    def told(self: Investigation, *what: Any) -> Any:
        looked_into.append("explained")
        return explained(self, *what)

    monkeypatch.setattr(Investigation, "find", found)
    monkeypatch.setattr(Investigation, "_explained", told)
    result = replay(program_of(source, tmp_path), Job("replay", "", MESSAGES[:3], "x.py:handle"), lambda _: None)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name.endswith(".said")
    assert (looked_into.count("found") > 1, looked_into.count("explained")) == (True, 1)


async def test_beside_a_known_cause_another_one_as_simple_is_found(bench: Bench) -> None:
    source = """
        import asyncio
        codes, cards = [], []
        async def handle(user, message):
            kept = codes if message.startswith("code") else cards
            kept.append(message)
            await asyncio.sleep(0)
            return " | ".join(kept)
        """
    for action in ("replay", "check"):
        options = {"most_executions": 200} if action == "check" else {}
        result = await bench.run(source, MESSAGES, action=action, **options)
        carriers = {crossing.carrier.name for crossing in result.report.crossings if crossing.carrier is not None}
        assert carriers == {"agent.codes", "agent.cards"}
