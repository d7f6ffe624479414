"""The tree of what was tried and the comparison of two runs, for any runs at all."""

from __future__ import annotations

from crosslane.replay.run import Decision, Outcome, Run
from crosslane.tui.interleavings import Stretch, difference, open_choices, tree_of
from hypothesis import given
from hypothesis import strategies as st

LANES = ("alice", "bob", "carol")
PATHS = st.lists(st.lists(st.sampled_from(LANES), max_size=8), min_size=1, max_size=12)


def decisions(path: list[str]) -> tuple[Decision, ...]:
    return tuple(Decision(lane, LANES, f"agent.py:{n}") for n, lane in enumerate(path))


def run_of(path: list[str], answers: dict[str, str]) -> Run:
    outcomes = tuple(Outcome(f"r-{lane}", lane, lane, None, (), text) for lane, text in answers.items())
    return Run(LANES, decisions(path), (), outcomes)


def paths_in(stretch: Stretch, before: tuple[str, ...] = ()) -> dict[int, tuple[str, ...]]:
    here = (*before, *(step.lane for step in stretch.steps))
    found = dict.fromkeys(stretch.ends, here)
    for branch in stretch.branches:
        found.update(paths_in(branch, here))
    return found


def stretches(stretch: Stretch) -> list[Stretch]:
    return [stretch, *(inner for branch in stretch.branches for inner in stretches(branch))]


@given(PATHS)
def test_every_run_is_one_path_of_the_tree_and_nothing_else_is(paths: list[list[str]]) -> None:
    root = tree_of([decisions(path) for path in paths])
    assert paths_in(root) == {n: tuple(path) for n, path in enumerate(paths)}


@given(PATHS)
def test_runs_part_only_where_their_choices_differ(paths: list[list[str]]) -> None:
    for stretch in stretches(tree_of([decisions(path) for path in paths])):
        begins = [branch.steps[0].lane for branch in stretch.branches]
        assert len(set(begins)) == len(begins)
        assert len(stretch.branches) + bool(stretch.ends) != 1 or not stretch.branches, "a stretch is as long as it can"
        assert set(stretch.runs) == set(stretch.ends).union(*(branch.runs for branch in stretch.branches))
        if stretch.branches:
            assert set(stretch.untried) == set(LANES) - set(begins)


@given(PATHS)
def test_every_choice_of_every_run_is_in_the_tree_once_as_taken_or_as_open(paths: list[list[str]]) -> None:
    root = tree_of([decisions(path) for path in paths])
    offered: set[tuple[tuple[str, ...], str]] = set()

    def walk(stretch: Stretch, before: tuple[str, ...]) -> None:
        here = (*before, *(step.lane for step in stretch.steps))
        for choice in open_choices(stretch, stretch is root):
            offered.add((here[: choice.step], choice.lane))
        offered.update((here, lane) for lane in stretch.untried)
        offered.update((here, branch.steps[0].lane) for branch in stretch.branches)
        for branch in stretch.branches:
            walk(branch, here)

    walk(root, ())
    for path in paths:
        for n, taken in enumerate(path):
            for lane in LANES:
                assert lane == taken or (tuple(path[:n]), lane) in offered


def test_a_run_of_which_only_the_schedule_is_known_takes_its_places_from_the_others() -> None:
    known = decisions(["alice", "alice", "bob"])
    bare = tuple(Decision(lane, ()) for lane in ("alice", "bob", "alice"))
    root = tree_of([bare, known])
    assert [step.at for step in root.steps] == ["agent.py:0"]
    assert root.untried == ("carol",)


@given(st.lists(st.sampled_from(LANES), max_size=8), st.lists(st.sampled_from(LANES), max_size=8))
def test_two_runs_part_at_the_first_step_at_which_they_choose_differently(one: list[str], other: list[str]) -> None:
    found = difference(run_of(one, {}), run_of(other, {}))
    back = difference(run_of(other, {}), run_of(one, {}))
    assert found.parts_at == back.parts_at
    assert (found.parts_at is None) == (one == other)
    if found.parts_at is not None:
        assert one[: found.parts_at] == other[: found.parts_at]
        assert one[found.parts_at : found.parts_at + 1] != other[found.parts_at : found.parts_at + 1]
    assert [a.lane for a, _ in found.steps if a is not None] == one
    assert [b.lane for _, b in found.steps if b is not None] == other


def test_the_answers_of_two_runs_stand_beside_each_other_lane_by_lane() -> None:
    one = run_of(["alice"], {"bob": "yes", "alice": "no"})
    other = run_of(["alice"], {"alice": "no", "bob": "alice's", "carol": "hm"})
    pairs = difference(one, other).outcomes
    assert [(pair.lane, pair.same) for pair in pairs] == [("alice", True), ("bob", False), ("carol", False)]
    assert pairs[2].one is None
