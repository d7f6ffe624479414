"""Records out of documents: a file made to break the parser costs itself and nothing else."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from crosslane.replay.errors import TraceError
from crosslane.replay.formats.documents import REST, records, samples
from crosslane.replay.formats.found import Dropped, Reading, Source
from crosslane.replay.formats.importing import import_files
from crosslane.replay.formats.source import sources
from hypothesis import given
from hypothesis import strategies as st

from .imported import imported
from .test_plain import log, record

TOO_LONG = "9" * 4_301


def of(text: str) -> Source:
    content = text.encode()
    return Source("in.json", Path("in.json"), content[:65_536], lambda: io.BytesIO(content))


@pytest.mark.parametrize("number", [TOO_LONG, "-" + TOO_LONG, "1" * 20_000, "1e999999999999999999999"])
@pytest.mark.parametrize(
    "text",
    ["[%s]", '{"a": [1,\n %s]}', '{"a":1}\n{"a":%s}\n', '{"user":"a","message":%s', "%s", '[{"a": [%s', "[\n%s\n]"],
)
def test_a_number_that_python_does_not_take_is_one_clear_line(tmp_path: Path, text: str, number: str) -> None:
    path = tmp_path / "in.json"
    path.write_text(text % number)
    with pytest.raises(TraceError) as raised, sources([str(path)]) as opened:
        import_files(opened, tmp_path / "out.jsonl", Reading())
    assert "\n" not in str(raised.value)


def test_a_record_with_a_number_that_is_too_long_costs_only_itself(tmp_path: Path) -> None:
    bad = '{"session_id": "s1", "user": "a", "prompt": "x", "n": ' + TOO_LONG + "}\n"
    summary, trace = imported(tmp_path, log(record()) + bad + log(record(session_id="s9")))
    assert len(trace.requests) == 2
    assert sum(file.dropped_total for file in summary.files) == 1


def test_a_document_is_read_up_to_a_number_that_is_too_long() -> None:
    text = json.dumps({"items": [{"a": 1}, {"a": "?"}, {}]}, indent=1).replace('"?"', TOO_LONG)
    found = list(records(of(text), ["items.item"]))
    assert found[0] == ("in.json", "items.item", {"a": 1})
    assert isinstance(found[-1], Dropped)
    assert "more than 4,300 digits" in found[-1].reason


@given(st.integers(4_290, 4_300), st.integers(0, 9_000), st.sampled_from(["-", ""]))
def test_the_longest_number_is_read_wherever_it_stands(digits: int, before: int, sign: str) -> None:
    number = sign + "7" * digits
    text = f'{{"a":\n"{"x" * before}", "b": {number}}}'
    source = of(text)
    assert [item[2]["b"] for item in records(source, [REST]) if not isinstance(item, Dropped)] == [int(number)]


@given(st.integers(4_301, 13_000), st.integers(0, 9_000), st.sampled_from(["-", ""]))
def test_a_longer_one_never_reaches_the_parser(digits: int, before: int, sign: str) -> None:
    text = f'{{"a":\n"{"x" * before}", "b": {sign}{"7" * digits}}}'
    source = of(text)
    assert [type(item) for item in records(source, [REST])] == [Dropped]


@given(st.integers(4_000, 9_000), st.integers(0, 5_000))
def test_digits_in_a_text_are_no_number(digits: int, before: int) -> None:
    document = {"a": "x" * before + "7" * digits, "b": "7" * digits}
    text = json.dumps(document, indent=1)
    source = of(text)
    assert [item[2] for item in records(source, [REST]) if not isinstance(item, Dropped)] == [document]
    assert samples(source)
