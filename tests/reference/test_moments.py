"""What of the loop itself tells two moments apart although the program's own objects are the same."""

from __future__ import annotations

import contextvars
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.schedule.actors import ACTOR
from crosslane.replay.schedule.loop import ControlledLoop
from crosslane.replay.schedule.reduction import IrreducibleError
from crosslane.replay.state.fingerprint import Fingerprints

from .cover import loaded

SOURCE = """
members = {1, 9}
async def handle(message): pass
def later(): pass
"""


class Moment:
    """A loop with one lane, whose request has a task that has not begun."""

    def __init__(self, handle: Callable[..., Any], later: types.FunctionType) -> None:
        self.loop = ControlledLoop(["alice"])
        self.alice = self.loop.lanes["alice"]
        self.later = later
        self.context = contextvars.copy_context()
        self.context.run(ACTOR.set, self.alice)
        coroutine = handle("hello")
        self.task: Any = self.context.run(self.loop.create_task, coroutine, context=self.context)
        self.alice.task = self.task


def nothing(moment: Moment) -> None: ...


def a_task_more(moment: Moment) -> None:
    moment.alice.made += 1  # the next one has another name


def a_background_task_more(moment: Moment) -> None:
    moment.loop._nobody.made += 1


def cancelled_and_taken_back(moment: Moment) -> None:
    moment.task.cancel()
    moment.task.uncancel()  # which does not say that it will not be, before Python 3.13


def members_have_come_and_gone(moment: Moment) -> None:
    members = moment.later.__globals__["members"]
    members.update(range(100, 200))
    members.difference_update(range(100, 200))  # their places in the table stay, and order those that come later


def due_in(seconds: float) -> Callable[[Moment], None]:
    return lambda moment: moment.context.run(moment.loop.call_later, seconds, moment.later)


PAIRS: dict[str, tuple[Callable[[Moment], None], Callable[[Moment], None]]] = {
    "how many tasks a lane has made": (nothing, a_task_more),
    "how many tasks nobody has made": (nothing, a_background_task_more),
    "the table of a set that holds what it held": (nothing, members_have_come_and_gone),
    "when a timer is due": (due_in(1.0), due_in(2.0)),
}
if sys.version_info < (3, 13):
    PAIRS["whether a task is still to be cancelled"] = (nothing, cancelled_and_taken_back)


@pytest.fixture
def fingerprint(tmp_path: Path) -> Callable[[Callable[[Moment], None]], bytes]:
    program, _ = loaded(SOURCE, 1, tmp_path)
    handle: Any = program.handler.target
    fingerprints = Fingerprints(program.fresh.graph, list, tuple)
    fingerprints.timeless = False

    def of(change: Callable[[Moment], None]) -> bytes:
        moment = Moment(handle, handle.__globals__["later"])
        change(moment)
        try:
            return fingerprints.of([moment.alice])
        finally:
            moment.loop.close()

    return of


@pytest.mark.parametrize("what", PAIRS)
def test_moments_are_told_apart_by(fingerprint: Callable[[Callable[[Moment], None]], bytes], what: str) -> None:
    one, other = PAIRS[what]
    assert fingerprint(one) == fingerprint(one)
    assert fingerprint(one) != fingerprint(other)


def test_nothing_is_said_of_a_moment_in_which_something_waits_that_belongs_to_no_lane(
    fingerprint: Callable[[Callable[[Moment], None]], bytes],
) -> None:
    with pytest.raises(IrreducibleError, match="belongs to no lane"):
        fingerprint(lambda moment: moment.loop.call_soon(moment.later))
