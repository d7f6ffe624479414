"""Where bytes come from: compressed, marked, piped, named by a pattern; and one clear line where they do not."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path

import pytest
import zstandard
from crosslane.replay.errors import TraceError
from crosslane.replay.formats.source import lines, sources

TEXT = b'{"a": 1}\n{"a": 2}\n'


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress, lambda text: b"\xef\xbb\xbf" + text])
def test_compression_and_byte_order_marks_are_told_by_content_and_removed(tmp_path: Path, pack) -> None:
    (tmp_path / "log").write_bytes(pack(TEXT))
    with sources([str(tmp_path / "log")]) as (source,):
        assert source.head == TEXT
        for _ in range(2):
            with source.opened() as stream:
                assert stream.read() == TEXT


def test_a_pattern_stands_for_its_files_and_the_same_file_comes_once(tmp_path: Path) -> None:
    for name in ("b.log", "a.log"):
        (tmp_path / name).write_bytes(TEXT)
    with sources([str(tmp_path / "*.log"), str(tmp_path / "a.log")]) as found:
        assert [source.name for source in found] == ["a.log", "b.log"]


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "log").write_bytes(TEXT)
    with sources([str(tmp_path / "*" / "log")]) as found:
        assert len({source.name for source in found}) == 2


def test_standard_input_may_be_read_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT)))
    with sources(["-"]) as (source,):
        for _ in range(2):
            with source.opened() as stream:
                assert stream.read() == TEXT
        path = source.path
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n  \n", "is empty"),
        ("{}".encode("utf-16"), "iconv"),
        (b"\x1f\x8b\x08garbage", "damaged"),
        (b"\x28\xb5\x2f\xfdgarbage", "damaged"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(TraceError, match=what), sources([str(tmp_path / "log")]):
        pass


def test_what_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    for name, what in (("none", "no such file"), ("*.none", "no file fits"), ("", "is a directory")):
        with pytest.raises(TraceError, match=what), sources([str(tmp_path / name)]):
            pass


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT * 1000)
    (tmp_path / "log").write_bytes(packed)
    told: list[tuple[str, int, int]] = []
    with sources([str(tmp_path / "log")], lambda *step: told.append(step)) as (source,), source.opened() as stream:
        stream.read()
    assert told[-1] == ("log", len(packed), len(packed))


def test_a_line_too_long_for_any_record_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosslane.replay.formats.source.LONGEST_LINE", 10)
    text = b"one\n" + b"x" * 35 + b"\n\ntwo\r\n" + b"y" * 10 + b"\nlast"
    assert list(lines(io.BytesIO(text))) == [(1, b"one"), (2, None), (4, b"two"), (5, None), (6, b"last")]
