"""Looking at the content of a thing leaves the thing as it was."""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator
from typing import Any

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


class Kept:
    def __init__(self) -> None:
        self.text = "a"


class Slotted:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = "a"


def _closure() -> tuple[Callable[[object], None], types.CellType]:
    held: object = ("a", "b")

    def change(to: object) -> None:
        nonlocal held
        held = to

    assert change.__closure__ is not None
    return change, change.__closure__[0]


def _function(first: object = "a", *, second: object = "b") -> None: ...


_change, _cell = _closure()
TARGETS: dict[str, tuple[str, Any, Callable[[Any, object], object]]] = {
    "a list": ("list", ["a"], lambda target, to: target.append(to)),
    "a dict": ("dict", {"a": 1}, lambda target, to: target.update(a=to)),
    "an attribute": ("attributes", Kept(), lambda target, to: setattr(target, "text", to)),
    "a slot": ("attributes", Slotted(), lambda target, to: setattr(target, "text", to)),
    "a class": ("class", Kept, lambda target, to: setattr(target, "shared", to)),
    "a cell": ("cell", _cell, lambda _, to: _change(to)),
    "a default": ("defaults", _function, lambda target, to: setattr(target, "__defaults__", (to,))),
    "a keyword's default": ("defaults", _function, lambda target, to: target.__kwdefaults__.update(second=to)),
    "a name of a module": ("namespace", types.ModuleType("made"), lambda target, to: vars(target).update(a=to)),
}


@pytest.mark.parametrize("what", TARGETS)
def test_a_change_is_seen_and_is_none_once_it_is_put_back(what: str) -> None:
    form, target, change = TARGETS[what]
    first = content.read(form, target)
    assert content.unchanged(form, target, first)
    for to in ("c", ["c"], ("x", "y"), None):
        change(target, to)
        assert not content.unchanged(form, target, first)
        content.write(form, target, first)
        assert content.unchanged(form, target, first)


def test_an_equal_tuple_in_the_place_of_another_is_the_same_content_as_it_is_for_same() -> None:
    target = [(1, 2)]
    first = content.read("list", target)
    target[0] = (1, 2)
    assert content.same(content.read("list", target), first)
    assert content.unchanged("list", target, first)
