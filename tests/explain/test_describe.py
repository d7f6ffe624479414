"""Values as short texts: bounded, the same on every run, and without a line of the program being run."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

import pytest
from crosslane.replay.explain.describe import describe
from hypothesis import given
from hypothesis import strategies as st

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner) | st.tuples(inner)
    ),
    max_leaves=30,
)


class Ran(Exception):
    """Code of the program ran."""


def _run(*_: Any, **__: Any) -> Any:
    raise Ran


class _Meta(type):
    __name__ = property(_run)  # type: ignore[assignment]
    __instancecheck__ = __subclasscheck__ = __getattribute__ = _run


def hostile(*bases: type) -> type:
    names = ("repr", "str", "len", "iter", "getitem", "hash", "eq", "format", "bool", "contains", "index", "dir")
    members: dict[str, Any] = {f"__{name}__": _run for name in names}
    members |= {"items": _run, "keys": _run, "values": _run, "__class__": property(_run), "shown": property(_run)}
    return type("Hostile", bases, members)


@given(PLAIN)
def test_plain_data_reads_as_python_prints_it_as_long_as_it_is_short(value: Any) -> None:
    text = describe(value, 100_000)
    if "…" not in text and "bits>" not in text:
        assert eval(text) == value


@given(PLAIN, st.integers(1, 300))
def test_a_description_is_never_longer_than_it_may_be_and_always_the_same(value: Any, most: int) -> None:
    assert len(describe(value, most)) <= most
    assert describe(value, most) == describe(value, most)


@pytest.mark.parametrize(
    "base", [object, dict, list, tuple, set, frozenset, str, bytes, bytearray, int, float, deque, OrderedDict]
)
def test_no_code_of_the_program_runs(base: type) -> None:
    value = hostile(base)()
    assert "Hostile" in describe(value)
    assert "Hostile" in describe([{"held": (value,)}])


def test_a_hostile_class_is_named_without_asking_it() -> None:
    assert describe(_Meta.__new__(_Meta, "Quiet", (), {})) == "<class Quiet>"


def test_objects_show_what_they_hold_and_not_where_they_lie() -> None:
    class Memory:
        def __init__(self) -> None:
            self.messages = ["hi"]
            self.me = self

    text = describe(Memory())
    assert text.startswith("<Memory messages=['hi'], me=<Memory messages=['hi']")
    assert "0x" not in text


def test_large_things_take_little_time_and_say_how_much_is_left_out() -> None:
    assert describe(list(range(1_000_000))) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 999988 more]"
    assert describe(10**5_000) == "<int of 16610 bits>"
    assert len(describe("x" * 10_000_000)) == 200
    deep: Any = []
    for _ in range(10_000):
        deep = [deep]
    assert describe(deep) == "[[[[[…]]]]]"
