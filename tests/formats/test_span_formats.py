"""What holds for all formats of spans: each file has one format, and what is imported loads as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.formats import jaeger, langfuse, langsmith, openinference, otel_console, otlp
from crosslane.replay.trace.store import dump, load

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
