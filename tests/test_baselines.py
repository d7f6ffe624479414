"""Every lane alone: within the budget, and not kept where it is not whole."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.baselines import run_alone
from crosslane.replay.investigation import Investigation
from crosslane.replay.schedule.strategies import Serial
from crosslane.replay.state.fresh import Interrupted
from crosslane.replay.trace.lanes import lanes_of

from .conftest import turns
from .reference.program import program_of

SOURCE = """
import asyncio
async def handle(message):
    await asyncio.sleep(0)
    return message
"""
USERS = turns(*((f"s{n}", f"user{n}", f"my code is {n}{n}{n}77") for n in range(5)))


def investigation(folder: Path) -> Investigation:
    lanes = lanes_of((exchange.request for exchange in USERS), "session")
    program = program_of(SOURCE, folder)
    program.prepare(lanes, Serial([lane.name for lane in lanes]))
    return Investigation(program, lanes, USERS, None)


def test_it_ends_with_the_budget_and_says_how_far_it_came(tmp_path: Path) -> None:
    made = investigation(tmp_path)
    asked = iter((True, True, False))
    run_alone(made, lambda: next(asked))
    assert len(made.solo_runs) == 2
    assert made.stopped == (
        "the budget ended while each lane ran alone, after 2 of 5: "
        "give a larger --budget, or cut the trace with crosslane slice"
    )
    assert made.program.baselines == type(made.program.baselines)()
    whole = Investigation(made.program, made.lanes, USERS, None)
    run_alone(whole)
    assert (len(whole.solo_runs), whole.stopped, len(whole.program.baselines)) == (5, "", 1)


def test_an_interrupt_ends_it_between_two_lanes(tmp_path: Path) -> None:
    made = investigation(tmp_path)
    made.program.interrupted = lambda: len(made.solo_runs) == 1
    with pytest.raises(Interrupted):
        run_alone(made)
    assert len(made.solo_runs) == 1
