"""The tree of the interleavings that were tried, and what is different between two of them. Pure functions over runs.

A run is the path of its choices. Runs share a path until one of them lets another lane go on; steps that all of them
make alike are one stretch, so that the tree is as deep as there are choices that somebody made differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..replay.run import Decision, Outcome, Run

Verdict = Literal["clean", "crossing", "inconclusive", "unknown"]
GLYPHS: dict[Verdict, str] = {"clean": "●", "crossing": "✗", "inconclusive": "◐", "unknown": "○"}


@dataclass(frozen=True, slots=True)
class Stretch:
    """Steps that several runs have in common, and how they go on.

    Attributes:
        first: how many steps come before it.
        steps: its own; none only at the root, where runs part at their very first step.
        runs: which runs pass through it, by their numbers.
        ends: those of them that are over after its last step.
        enabled: who could run after it, as far as the runs tell.
        branches: one for each choice that was made there.
    """

    first: int
    steps: tuple[Decision, ...]
    runs: tuple[int, ...]
    ends: tuple[int, ...]
    enabled: tuple[str, ...]
    branches: tuple[Stretch, ...]

    @property
    def end(self) -> int:
        """The step, counted from 0, at which its runs part."""
        return self.first + len(self.steps)

    @property
    def untried(self) -> tuple[str, ...]:
        """Who could have gone on there, and in no run did."""
        taken = {branch.steps[0].lane for branch in self.branches if not branch.steps[0].action}
        return tuple(lane for lane in self.enabled if lane not in taken) if self.branches else ()


@dataclass(frozen=True, slots=True)
class OpenChoice:
    """A choice that all runs of a stretch made alike: at `step`, `lane` could have run in the place of `ran`."""

    step: int
    lane: str
    ran: str
    at: str | None


def tree_of(runs: Sequence[Sequence[Decision]]) -> Stretch:
    """The root of the tree of at least one run. Runs have the numbers of their places in `runs`."""
    return _stretch(runs, tuple(range(len(runs))), 0)


def _stretch(runs: Sequence[Sequence[Decision]], through: tuple[int, ...], first: int) -> Stretch:
    end = first
    shortest = min(len(runs[run]) for run in through)
    model = runs[through[0]]
    while end < shortest and all(_choice(runs[run][end]) == _choice(model[end]) for run in through):
        end += 1
    parted: dict[tuple[str, str], list[int]] = {}
    for run in through:
        if len(runs[run]) > end:
            parted.setdefault(_choice(runs[run][end]), []).append(run)
    branches: list[Stretch] = []
    for members in parted.values():
        branches.append(_stretch(runs, tuple(members), end))  # noqa: PERF401 - a frame less for each level
    known = (runs[run][end].enabled for run in through if len(runs[run]) > end)
    return Stretch(
        first,
        # Of a step that only a schedule is known of, another run may know where the lane stood.
        tuple(max((runs[run][n] for run in through), key=_told) for n in range(first, end)),
        through,
        tuple(run for run in through if len(runs[run]) == end),
        next((enabled for enabled in known if enabled), ()),
        tuple(branches),
    )


def _choice(decision: Decision) -> tuple[str, str]:
    return decision.lane, decision.action


def _told(decision: Decision) -> int:
    return len(decision.enabled) + (decision.at is not None)


def open_choices(stretch: Stretch, root: bool = False) -> Iterator[OpenChoice]:
    """The choices inside a stretch. The one that led into it belongs to the stretch before, but at the root."""
    for n, decision in enumerate(stretch.steps):
        if n or root:
            for lane in decision.enabled:
                if lane != decision.lane:
                    yield OpenChoice(stretch.first + n, lane, decision.lane, decision.at)


@dataclass(frozen=True, slots=True)
class OutcomePair:
    """What a request was answered in one run and in the other; None where it was never begun."""

    request: str
    lane: str
    one: Outcome | None
    other: Outcome | None

    @property
    def same(self) -> bool:
        return self.one == self.other


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs beside each other.

    Attributes:
        parts_at: the first step, counted from 0, at which they choose differently; None when they never do.
        steps: the two choices of each step, None where a run is over.
        outcomes: of every request of either.
    """

    parts_at: int | None
    steps: tuple[tuple[Decision | None, Decision | None], ...]
    outcomes: tuple[OutcomePair, ...]


def difference(one: Run, other: Run) -> Difference:
    """Compare two runs of the same requests, or of some of the same."""
    longest = max(len(one.decisions), len(other.decisions))
    steps = tuple((_at(one.decisions, n), _at(other.decisions, n)) for n in range(longest))
    parts_at = next(
        (n for n, (a, b) in enumerate(steps) if a is None or b is None or _choice(a) != _choice(b)),
        None,
    )
    first = {outcome.request: outcome for outcome in one.outcomes}
    second = {outcome.request: outcome for outcome in other.outcomes}
    pairs = tuple(
        OutcomePair(request, outcome.lane, first.get(request), second.get(request))
        for request, outcome in {**second, **first}.items()
    )
    order = list(dict.fromkeys((*one.lanes, *other.lanes, *(pair.lane for pair in pairs))))
    return Difference(parts_at, steps, tuple(sorted(pairs, key=lambda pair: order.index(pair.lane))))


def _at(decisions: Sequence[Decision], n: int) -> Decision | None:
    return decisions[n] if n < len(decisions) else None
