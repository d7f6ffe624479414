"""Ids, times and attributes of spans in every spelling."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from crosslane.replay.formats.spans import Event, Span, binary_id, flat, time_ns, under
from hypothesis import given
from hypothesis import strategies as st

TEN_NS = 1_795_168_800_000_000_000


@given(st.binary(min_size=8, max_size=8).filter(any))
def test_an_id_is_the_same_in_hex_base64_and_decimal(raw: bytes) -> None:
    text = raw.hex()
    spellings = [text, text.upper(), f"0x{text}", int(text, 16), base64.b64encode(raw).decode()]
    assert {binary_id(each, 8) for each in spellings} == {text}
    if int(text, 16) >= 10**17:
        assert binary_id(str(int(text, 16)), 8) == text


@pytest.mark.parametrize("nothing", [None, "", "  ", "0000000000000000", 0, True, 1.5, [], 2**64])
def test_no_id_is_none(nothing: Any) -> None:
    assert binary_id(nothing, 8) is None


@pytest.mark.parametrize(("given_", "ns"), [
    ("2026-11-20T10:00:00Z", TEN_NS), ("2026-11-20T10:00:00+00:00", TEN_NS), ("2026-11-20 10:00:00", TEN_NS),
    ("2026-11-20T12:00:00+02:00", TEN_NS), ("2026-11-20T04:30:00-0530", TEN_NS), ("2026-11-20T10:00Z", TEN_NS),
    ("2026-11-20 10:00:00.000000 UTC", TEN_NS), ("2026-11-20T10:00:00.123456789Z", TEN_NS + 123_456_789),
    ("2026-11-20T09:59:60Z", TEN_NS), (TEN_NS, TEN_NS), (str(TEN_NS), TEN_NS), (TEN_NS // 1000, TEN_NS),
    (TEN_NS // 10**6, TEN_NS), (TEN_NS // 10**9, TEN_NS), (1795168800.5, TEN_NS + 500_000_000), ("1795168800", TEN_NS),
])  # fmt: skip
def test_a_time_is_read_in_every_spelling(given_: Any, ns: int) -> None:
    assert time_ns(given_) == ns


@pytest.mark.parametrize("none", ["soon", "", None, True, -1, 0, 2**80, 9223372036854776.0, float("nan"), float("inf"), "1e400",
                                  "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9" * 5000, [], {}])  # fmt: skip
def test_what_is_no_time_is_none(none: Any) -> None:
    assert time_ns(none) is None


NAMES = st.text("abc", min_size=1, max_size=3)


@given(
    st.dictionaries(
        NAMES,
        st.recursive(
            st.integers(),
            lambda inner: (
                st.dictionaries(NAMES, inner, min_size=1, max_size=3)
                | st.lists(st.dictionaries(NAMES, inner, min_size=1, max_size=2), min_size=1, max_size=12)
            ),
            max_leaves=8,
        ),
        min_size=1,
        max_size=3,
    )
)
def test_what_was_flattened_comes_back_as_it_was(nested: dict[str, Any]) -> None:
    attributes = flat(nested)
    assert {name: under(attributes, name) for name in nested} == nested


def test_a_hostile_number_of_an_index_allocates_nothing() -> None:
    assert under({"p.999999999.a": 1, "p.3.a": 2}, "p") == [{"a": 2}, {"a": 1}]


def test_a_span_survives_being_stored() -> None:
    span = Span("t", "s", None, "n", "llm", 1, None, {"a": [1]}, {"b": "c"}, (Event("e", 2, {"x": None}),), "error")
    assert Span.from_json(span.to_json()) == span
