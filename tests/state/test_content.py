"""Looking at the content of a thing leaves the thing as it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import pytest
from crosslane.replay.state import content
from hypothesis import given
from hypothesis import strategies as st

needs_reduce = pytest.mark.skipif("__reduce__" not in vars(itertools.cycle), reason="this Python cannot tell")


@needs_reduce
@pytest.mark.parametrize("kind", [iter, itertools.cycle])
@given(items=st.lists(st.integers(), min_size=1, max_size=6), taken=st.integers(0, 9))
def test_looking_at_what_an_iterator_hands_out_does_not_move_it_on(
    kind: Callable[[list[int]], Iterator[int]], items: list[int], taken: int
) -> None:
    looked_at, left_alone = kind(items), kind(items)
    for _ in range(taken):
        assert next(looked_at, None) == next(left_alone, None)
    known = content.handed_out(looked_at)
    rest = list(itertools.islice(looked_at, 9))
    assert rest == list(itertools.islice(left_alone, 9))
    assert set(rest) <= set(known)
