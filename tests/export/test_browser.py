"""The page in a real browser: it stands by itself, fits the window, and nothing of a trace in it comes alive."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.export.html import html

from .browser import browser, chromium
from .examples import NASTY, found, source_of, sources

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium or Chrome")
ALIVE = [
    "<script>document.title='alive'</script>",
    "<img src=x onerror=\"document.title='alive'\">",
    "<style>*{color:red}",
]


async def test_the_page_of_a_finding_needs_nothing_and_fits(tmp_path: Path) -> None:
    result = await found("overlap.jsonl", "overlap.py:handle_message")
    page = tmp_path / "finding.html"
    page.write_text(html(source_of(result, "overlap.py:handle_message")), "utf-8")
    program = chromium()
    assert program is not None
    async with browser(program, tmp_path / "profile") as tab:
        await tab.open(page.as_uri())
        assert tab.asked == [page.as_uri()]
        assert tab.said == []
        text = await tab.value("document.body.innerText")
        assert "bob was answered with alice's data" in text
        for width, dark in ((1280, False), (1280, True), (700, False), (390, True)):
            await tab.size(width, 900, dark)
            assert await tab.value("document.documentElement.scrollWidth <= innerWidth"), f"wider than {width}"
            colours = await tab.value("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
            assert colours[0] != colours[1]
        assert await tab.value("matchMedia('(prefers-color-scheme: dark)').matches")


@pytest.mark.parametrize("text", ["".join(NASTY), *ALIVE], ids=["nasty", "script", "image", "style"])
async def test_whatever_a_trace_holds_is_text_on_the_page(tmp_path: Path, text: str) -> None:
    page = tmp_path / "finding.html"
    page.write_bytes(html(sources(text)[1]).encode("utf-8", "replace"))
    program = chromium()
    assert program is not None
    async with browser(program, tmp_path / "profile") as tab:
        await tab.open(page.as_uri())
        assert tab.asked == [page.as_uri()]
        assert await tab.value("document.title") != "alive"
        assert await tab.value("document.querySelectorAll('script, img, iframe, object, link').length") == 0
        assert await tab.value("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
        if "<" in text:
            assert "<" in await tab.value("document.body.innerText")
