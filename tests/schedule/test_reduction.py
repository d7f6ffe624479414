"""The graph of moments by itself, driven through made-up programs: what it counts, and when it refuses to say anything."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from crosslane.replay.schedule.reduction import IrreducibleError, Reduction
from hypothesis import given
from hypothesis import strategies as st

# By state, what each lane leads to: a state, or the end where there is none. The first state is 0.
Program = list[dict[str, int | None]]


class Told:
    """Fingerprints of a made-up program: its state. `wrong` is the state whose fingerprint is said to be another's."""

    def __init__(self, wrong: dict[int, int] | None = None) -> None:
        self.state = 0
        self.check_fails = ""
        self._wrong = wrong or {}

    def of(self, enabled: list[Any]) -> bytes:
        return str(self._wrong.get(self.state, self.state)).encode()

    def check(self, loop: Any) -> None:
        if self.check_fails:
            raise IrreducibleError(self.check_fails)


def execute(program: Program, told: Told, reduction: Reduction, stopped: str = "", files: tuple[str, ...] = ()) -> None:
    told.state, previous = 0, None
    while True:
        enabled = [SimpleNamespace(name=name, loop=told, background=False) for name in program[told.state]]
        previous = reduction(cast("Any", enabled), previous)
        target = program[told.state][previous.name]
        if target is None:
            break
        told.state = target
    reduction.tell(cast("Any", SimpleNamespace(files=files, stopped=stopped)))


def paths(program: Program, state: int | None = 0) -> int:
    return 1 if state is None else sum(paths(program, target) for target in program[state].values())


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Every state leads to later ones alone, as in a program that ends."""
    size = draw(st.integers(1, 7))
    program: Program = []
    for state in range(size):
        later = st.sampled_from([*range(state + 1, size), None])
        program.append({name: draw(later) for name in draw(st.sampled_from(["a", "ab", "bc", "abc"]))})
    return program


@given(programs())
def test_every_execution_goes_along_something_new_until_all_paths_are_counted(program: Program) -> None:
    told = Told()
    reduction = Reduction(told)
    while reduction.more:
        before = reduction.choices
        execute(program, told, reduction)
        assert reduction.choices > before
    assert reduction.exhausted
    assert reduction.count() == paths(program)


ONE_WAY: Program = [{"a": None}]
TWO_WAYS: Program = [{"a": 1, "b": 2}, {"a": None}, {"a": None, "b": None}]


def test_a_moment_told_equal_to_one_where_others_can_run_is_refused() -> None:
    told = Told({2: 1})
    reduction = Reduction(told)
    while reduction.more:
        execute(TWO_WAYS, told, reduction)
    assert reduction.refused == "the same choices did not lead to the same moment"
    assert not reduction.exhausted


def test_of_a_program_that_has_written_files_nothing_is_claimed() -> None:
    reduction = Reduction(Told())
    execute(ONE_WAY, Told(), reduction, files=("notes.txt",))
    assert (reduction.refused, reduction.exhausted) == ("there are files", False)


@pytest.mark.parametrize(
    ("stopped", "exhausted"), [("", True), ("deadlock: alice waits", True), ("no end after 9 steps", False)]
)
def test_an_execution_that_was_stopped_has_no_known_end_unless_it_was_a_deadlock(stopped: str, exhausted: bool) -> None:
    reduction = Reduction(Told())
    execute(ONE_WAY, Told(), reduction, stopped=stopped)
    assert reduction.exhausted is exhausted
    assert reduction.refused == ("" if exhausted else stopped)


def test_what_is_found_out_at_the_end_of_an_execution_counts_for_all_of_them() -> None:
    told = Told()
    told.check_fails = "names changed"
    reduction = Reduction(told)
    execute(ONE_WAY, told, reduction)
    assert (reduction.refused, reduction.exhausted) == ("names changed", False)


def test_a_choice_that_leads_on_in_one_execution_and_to_the_end_in_another_is_refused() -> None:
    told = Told()
    reduction = Reduction(told)
    execute([{"a": 1}, {"a": None, "b": None}], told, reduction)
    execute([{"a": None}], told, reduction)
    assert reduction.refused == "the same choices did not lead to the same end"
    assert not reduction.exhausted
