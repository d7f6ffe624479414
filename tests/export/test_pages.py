"""The page and the picture: complete without anything from elsewhere, and well-formed whatever the trace holds."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from crosslane.replay.export.html import html
from crosslane.replay.export.svg import svg

from .examples import found, source_of, sources


class Page(HTMLParser):
    """The tags of a page, its text, and whether every tag was closed in order."""

    VOID = ("meta", "col", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


async def test_the_page_shows_the_lanes_the_source_and_how_to_repeat_it() -> None:
    result = await found("overlap.jsonl", "overlap.py:handle_message")
    text = html(source_of(result, "overlap.py:handle_message"))
    page = Page(text)
    said = "".join(page.said)
    for part in (
        "bob was answered with alice's data through overlap.current_profile",
        "✗  Alice Ferrante (account DE02-1203-7781)",
        "profile = current_profile = await load_profile(user)",
        "    if profile is None:",
        "alice → alice → bob",
        '"message": "What is my balance?"',
        "REQUESTS = [",
    ):
        assert part in said, part
    assert text.count('class="bad"') == 3, "the write, the read, and where it came out"
    assert "prefers-color-scheme" in text
    assert "@media print" in text


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing() -> None:
    for source in sources("x"):
        page = Page(html(source))
        assert not {"script", "link", "img", "iframe", "object", "embed", "form", "a"} & set(page.tags)
        assert page.attributes <= {"lang", "charset", "name", "content", "http-equiv", "class"}
        assert "url(" not in html(source)


async def test_the_picture_draws_a_line_from_the_write_to_the_read() -> None:
    result = await found("overlap.jsonl", "overlap.py:handle_message")
    root = ElementTree.fromstring(svg(source_of(result, "overlap.py:handle_message")))
    texts = [element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert any(text.startswith("◆ write overlap.current") for text in texts)
    assert any(text.startswith("✗ Alice Ferrante") for text in texts)
    (line,) = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("class") == "line"]
    xs = [int(x) for x in re.findall(r"[MH] (\d+)", line.get("d") or "")]
    assert xs == sorted(xs), "from alice on the left to bob on the right"


@pytest.mark.parametrize("text", ["</style><script>alert(1)</script>", "]]><x/>", "&lt;", '" onload="x'])
def test_markup_in_a_trace_is_shown_as_text(text: str) -> None:
    plain_tags = Page(html(sources("x")[1])).tags
    page = Page(html(sources(text)[1]))
    assert page.tags == plain_tags
    assert text in "".join(page.said)
    ElementTree.fromstring(svg(sources(text)[1]))
