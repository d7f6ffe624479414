"""Lockstep gives each in turn a step, whoever comes and goes meanwhile."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from crosslane.replay.schedule.actors import Actor
from crosslane.replay.schedule.strategies import Lockstep
from hypothesis import given
from hypothesis import strategies as st

LOOP = cast("Any", SimpleNamespace(now=0.0))
NAMES = ("alice", "bob", "carol")
TASKS = ("refresher", "batcher")

# At each step: which lanes can run, and which background tasks, which of those have work.
moments = st.lists(
    st.tuples(
        st.lists(st.booleans(), min_size=len(NAMES), max_size=len(NAMES)),
        st.lists(st.sampled_from(["away", "idle", "ready"]), min_size=len(TASKS), max_size=len(TASKS)),
    ).filter(lambda moment: any(moment[0]) or any(state != "away" for state in moment[1])),
    max_size=40,
)


@given(moments=moments)
def test_who_has_waited_longest_is_next_and_idle_background_tasks_come_last(
    moments: list[tuple[list[bool], list[str]]],
) -> None:
    actors = {name: Actor(name, LOOP, background=name in TASKS) for name in (*NAMES, *TASKS)}
    lockstep = Lockstep()
    ran: list[str] = []
    for able, states in moments:
        enabled = [actors[name] for name, can in zip(NAMES, able, strict=True) if can]
        idle: list[str] = []
        for name, state in zip(TASKS, states, strict=True):
            actors[name].ready.clear()
            if state == "ready":
                actors[name].ready.append(cast("Any", object()))
            elif state == "idle":
                idle.append(name)
            if state != "away":
                enabled.append(actors[name])
        chosen = lockstep(enabled, None)
        busy = [actor.name for actor in enabled if actor.name not in idle] or idle
        # Who never ran comes first, in the order of the trace; then who ran longest ago.
        expected = min(busy, key=lambda name: len(ran) - ran[::-1].index(name) if name in ran else 0)
        assert chosen.name == expected
        ran.append(chosen.name)
