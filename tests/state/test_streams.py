"""Open files and buffers can be made what they were: content and position."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.state import streams


@pytest.mark.parametrize(
    ("opened", "first", "more"),
    [
        (lambda path: io.StringIO("as it was"), "first", "and more"),
        (lambda path: io.BytesIO(b"as it was"), b"first", b"and more"),
        (lambda path: path.open("w+"), "first", "and more"),
        (lambda path: path.open("w+b"), b"first", b"and more"),
        (lambda path: path.open("a+"), "first", "and more"),
        (lambda path: path.open("w+b", buffering=0), b"first", b"and more"),
    ],
    ids=["text in memory", "bytes in memory", "a text file", "a binary file", "appended to", "without a buffer"],
)
def test_a_stream_goes_back_to_what_it_held_and_where_it_stood(
    tmp_path: Path, opened: Callable[[Path], Any], first: Any, more: Any
) -> None:
    with opened(tmp_path / "file") as stream:
        stream.write(first)
        stream.seek(2)
        before = streams.read(stream)
        assert before == streams.read(stream)
        stream.seek(0, io.SEEK_END)
        stream.write(more)
        assert streams.read(stream) != before
        streams.write(stream, before)
        assert streams.read(stream) == before
        assert stream.tell() == 2
    assert streams.read(stream) is None


class Odd(io.StringIO):
    def getvalue(self) -> str:
        raise AssertionError("code of the program ran")


def test_nothing_else_is_looked_into(tmp_path: Path) -> None:
    reader = io.TextIOWrapper(io.BytesIO(b"x"))
    assert not any(map(streams.is_stream, (Odd(), reader, object(), [])))
