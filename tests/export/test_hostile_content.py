"""Whatever a trace holds travels through every export as data: the structure of the export does not depend on it."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from crosslane.replay.export.findings import ExportSource
from crosslane.replay.export.formats import FORMATS
from crosslane.replay.export.junit import junit_report
from crosslane.replay.export.sarif import sarif_report
from crosslane.replay.report import Known
from hypothesis import given, settings
from hypothesis import strategies as st

from .examples import NASTY, crossing, report, sources, statements
from .test_formats import well_formed
from .test_pages import Page

HOSTILE = st.lists(st.sampled_from(NASTY) | st.text(max_size=5), max_size=6).map("".join)


def python_shape(text: str, source: ExportSource) -> object:
    """The statements by kind; the literals must be the contents."""
    body = statements(text)
    values = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id in ("REQUESTS", "FOLDER", "HANDLER", "FOREIGN", "SINK")
    }
    assert values["REQUESTS"] == [dict(request) for request in source.crossing.requests]
    assert (values["FOLDER"], values["HANDLER"]) == (source.cwd, source.handler)
    assert values["FOREIGN"] == list(source.crossing.evidence_all)
    return [type(node).__name__ for node in body]


def xml_shape(text: str, source: ExportSource) -> object:
    return [element.tag for element in ElementTree.fromstring(text.encode("utf-8")).iter()]


def html_shape(text: str, source: ExportSource) -> object:
    return [tag for tag in Page(text).tags if tag != "col"]


def mermaid_shape(text: str, source: ExportSource) -> object:
    lines = text.encode("utf-8").decode("utf-8").splitlines()
    for line in lines[1:]:
        head, _, rest = line.partition(": ")
        assert re.fullmatch(
            r"    (participant \w+ as .+|Note over L\d(,L\d)?|L\d->>C|C-->>L\d)", head if rest else line
        ), line
        # What is neither plain nor a character code would mean something.
        assert not set(re.sub(r"#\d+;", "", rest)) & set(';#<>%{}[]`$&"\\:'), line
    return [line.split(":")[0].split(" as ")[0] for line in lines]


def sarif_shape(text: str, source: ExportSource) -> object:
    return sorted(well_formed(json.loads(text))["results"][0])


def text_shape(text: str, source: ExportSource) -> object:
    """One line a moment and one a fact, whatever is in them."""
    lines = text.encode("utf-8").decode("utf-8").split("\n")
    assert all(line.isprintable() for line in lines)
    return [line[:3] if line.startswith("  ") else "" for line in lines]


def trace_shape(text: str, source: ExportSource) -> object:
    assert text.isascii()
    events = [json.loads(line) for line in text.splitlines()]
    assert [event["message"] for event in events if "message" in event] == [source.crossing.requests[0]["message"]]
    return [event["k"] for event in events]


SHAPES: dict[str, Callable[[str, ExportSource], object]] = {
    "script": python_shape,
    "pytest": python_shape,
    "html": html_shape,
    "svg": xml_shape,
    "mermaid": mermaid_shape,
    "text": text_shape,
    "sarif": sarif_shape,
    "junit": xml_shape,
    "trace": trace_shape,
}


def test_every_format_has_its_shape() -> None:
    assert set(SHAPES) == set(FORMATS)


@pytest.mark.parametrize("name", list(FORMATS))
def test_content_of_a_trace_is_data_in_every_export(name: str) -> None:
    few = 12 if name in ("script", "pytest", "html") else 150
    write, shape = FORMATS[name].write, SHAPES[name]
    expected = [shape(write(source), source) for source in sources("a long plain text")]

    @settings(max_examples=few, deadline=None)
    @given(HOSTILE)
    def check(text: str) -> None:
        # Lanes that are called the same are one column: not the shape this is about.
        made = sources(text or "x")
        assert [shape(write(source), source) for source in made] == expected

    check()


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("name", list(FORMATS))
def test_each_nasty_text_alone_is_data_too(name: str, text: str) -> None:
    if name in ("script", "pytest", "html") and len(text) > 3:
        return
    for source in sources(text):
        SHAPES[name](FORMATS[name].write(source), source)


@settings(max_examples=60, deadline=None)
@given(HOSTILE, HOSTILE)
def test_whole_reports_are_well_formed_whatever_is_in_them(text: str, reason: str) -> None:
    made = crossing(text, text or "x", text or "y", f"{text}:7")
    for known in ((), (Known("abc123", reason),)):
        whole = report(made, reason=reason, known=known, warnings=(text,))
        well_formed(json.loads(sarif_report(whole, f"/srv/{reason}")))
        ElementTree.fromstring(junit_report(whole).encode("utf-8"))
