"""What holds for all formats of spans: each file has one format, and what is imported loads as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.formats import jaeger, langfuse, langsmith, openinference, otel_console, otlp
from crosslane.replay.trace.store import dump, load
from hypothesis import given, settings
from hypothesis import strategies as st

from . import test_jaeger, test_langfuse, test_langsmith, test_openinference, test_otel_console, test_otlp
from .span_files import read, source

FORMATS = [module.FORMAT for module in (otlp, openinference, langfuse, langsmith, jaeger, otel_console)]
FILES: dict[str, Any] = {
    "otlp": test_otlp.LINES,
    "openinference": [
        test_openinference.SAMPLE,
        test_openinference.span("s2", "s1", "LLM", test_openinference.LLM_FLAT),
    ],
    "langfuse": test_langfuse.DOWNLOAD,
    "langsmith": test_langsmith.RUNS,
    "jaeger": test_jaeger.document(test_jaeger.ROOT, test_jaeger.span("b", "a", tags=test_jaeger.MODEL)),
    "otel_console": "\n".join(json.dumps(each, indent=4) for each in test_otel_console.SPANS),
}


@pytest.mark.parametrize("name", FILES)
def test_each_file_is_claimed_by_its_own_format_alone(name: str) -> None:
    assert [each.name for each in FORMATS if each.detects(source(FILES[name]))] == [name]


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
def test_what_is_imported_loads_as_it_was(format_: Any, tmp_path: Path) -> None:
    found, dropped = read(format_, FILES[format_.name])
    assert dropped == []
    path = tmp_path / "trace.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        dump([each.exchange for each in found], stream)
    loaded = load(path)
    assert loaded.problems == ()
    assert [
        (e.request.id, e.request.session, e.request.claims, e.request.grade, e.upstream) for e in loaded.exchanges
    ] == [
        (e.request.id, e.request.session, e.request.claims, e.request.grade, e.upstream)
        for e in (each.exchange for each in found)
    ]


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
@pytest.mark.parametrize(
    "raw", [b"", b"\x00\xff" * 500, b"[" * 5000, b"{" * 10, b'{"a":1}\n' * 3, b"\xef\xbb\xbf", b"\n\n\n"]
)
def test_any_file_at_all_is_read_without_an_exception(format_: Any, raw: bytes) -> None:
    format_.detects(source(raw))
    assert read(format_, raw)[0] == []


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
def test_a_file_that_breaks_while_it_is_read_keeps_what_came_before(format_: Any) -> None:
    whole = source(FILES[format_.name])
    raw = whole.opened().read()

    class Torn(io.BytesIO):
        def readline(self, size: Any = -1, /) -> bytes:
            return super().readline(size) or self.fail()

        def read(self, size: Any = -1, /) -> bytes:
            return super().read(size) or self.fail()

        def fail(self) -> bytes:
            raise EOFError("Compressed file ended before the end-of-stream marker was reached")

    torn = type(whole)(whole.name, whole.path, whole.head, lambda: Torn(raw))
    found, dropped = read(format_, torn)
    assert [each.exchange for each in found] == [each.exchange for each in read(format_, whole)[0]]
    assert len(dropped) == 1
    assert "cannot be read further" in dropped[0].reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8)
    | st.sampled_from(["", "{", "[1", '{"content":[[]]}', "\ud800", "9" * 30, "2026-13-40T99:99:99Z", "llm", "0x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["content", "role", "parts", "messages", "lc", "kwargs", "0", "value", "key", "id", "a.b"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, each in inner for found in places(each, (*path, key)))]


def with_at(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = with_at(value[path[0]], path[1:], new)
    return copy


RECORDS = {
    **FILES,
    "otlp": [test_otlp.traces(test_otlp.span(1, kind=2, attrs=test_otlp.SERVER), test_otlp.span(2, 1, attrs=test_otlp.NUMBERED | test_otlp.MESSAGES, events=test_otlp.EVENTS))],
    "langfuse": [*test_langfuse.TRACES, *test_langfuse.OBSERVATIONS, test_langfuse.DOWNLOAD],
    "jaeger": [FILES["jaeger"]],
    "otel_console": test_otel_console.SPANS,
}  # fmt: skip


@pytest.mark.parametrize("format_", FORMATS, ids=lambda each: each.name)
@given(st.data())
@settings(max_examples=120, deadline=None)
def test_no_value_in_a_record_breaks_the_putting_together_of_its_trace(format_: Any, data: st.DataObject) -> None:
    records = RECORDS[format_.name]
    for _ in range(data.draw(st.integers(1, 3))):
        records = with_at(records, data.draw(st.sampled_from(places(records)[1:])), data.draw(JSON))
    text = "\n".join(json.dumps(record) for record in records)
    format_.detects(source(text))
    found, dropped = read(format_, text)
    assert all("cannot be put together" not in each.reason for each in dropped)
    out = io.StringIO()
    dump([each.exchange for each in found], out)
