"""Elements of a list are found wherever the reads happen to cut the document, just as `json` finds them."""

from __future__ import annotations

import contextlib
import io
import json
from typing import IO, Any, cast

import pytest
from crosslane.replay.formats.json_stream import Broken, NoJson, elements, value_of
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='a"\\[]{},:é\n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "log", "entries", '"', "x"]), inner)
    ),
    max_leaves=8,
)


class Pieces(io.BytesIO):
    """Gives a few bytes at a time, whatever is asked for."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(self.size)


def read(text: str | bytes, path: tuple[str, ...] = ("log", "entries"), size: int = 1 << 20) -> list[Any]:
    content = text.encode() if isinstance(text, str) else text
    return [value_of(element) for element in elements(cast(IO[bytes], Pieces(content, size)), path)]


@given(st.lists(JSON, max_size=5), JSON, JSON, st.integers(1, 20), st.sampled_from([None, 2]), st.booleans())
def test_it_finds_what_json_finds(
    items: list[Any], before: Any, after: Any, size: int, indent: int | None, ascii_: bool
) -> None:
    document = {"a": before, "x": "entries", "log": {"a": before, "entries": items, "z": after}, "z": after}
    text = json.dumps(document, indent=indent, ensure_ascii=ascii_)
    assert read(text, size=size) == items
    assert read(json.dumps(items, indent=indent, ensure_ascii=ascii_), (), size) == items


@given(JSON, st.integers(1, 20))
def test_a_document_without_the_list_has_no_elements(document: Any, size: int) -> None:
    expected = document.get("log") if isinstance(document, dict) else None
    expected = expected.get("entries") if isinstance(expected, dict) else None
    found = read(json.dumps(document), size=size)
    assert found == (expected if isinstance(expected, list) else [])


@given(st.lists(JSON, min_size=1, max_size=4), st.integers(0, 10**6))
def test_a_document_that_is_cut_off_gives_the_elements_before(items: list[Any], cut: int) -> None:
    text = json.dumps(items)
    kept: list[Any] = []
    with pytest.raises(Broken):
        kept.extend(
            value_of(element) for element in elements(io.BytesIO(text[: 1 + cut % (len(text) - 1)].encode()), ())
        )
    assert kept == items[: len(kept)]


@given(st.binary(max_size=80))
def test_no_garbage_breaks_it(garbage: bytes) -> None:
    for content, path in (
        (garbage, ("log", "entries")),
        (b"[" + garbage, ()),
        (b'{"log":{"entries":[' + garbage, ("log", "entries")),
    ):
        try:
            for element in elements(io.BytesIO(content), path):
                with contextlib.suppress(NoJson):
                    value_of(element)
        except Broken:
            pass


def test_an_element_that_is_no_json_costs_only_itself() -> None:
    found = list(elements(io.BytesIO(b'[1, {"a": ?}, {"b": 1}]'), ()))
    assert found == [b"1", b'{"a": ?}', b'{"b": 1}']
    with pytest.raises(NoJson, match="is not JSON"):
        value_of(found[1])
    with pytest.raises(NoJson, match="nested too deeply"):
        value_of(b"[" * 100_000 + b"]" * 100_000)
