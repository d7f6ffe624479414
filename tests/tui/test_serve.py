"""The interface in a browser: the real server on a port of this machine, and who it lets in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSMsgType, WSServerHandshakeError, web
from aiohttp.test_utils import unused_port
from crosslane.tui.serve import HOST, ServeError, application_of, main, serve

from ..conftest import SAMPLES
from ..export.browser import Page, browser, chromium

pytest.importorskip("textual_serve")

SECRET = "the-secret"
COMMAND = [sys.executable, "-c", "print('unused')"]


@asynccontextmanager
async def serving(command: list[str] | None = None) -> AsyncIterator[tuple[ClientSession, str]]:
    """A client and the address of the server."""
    port = unused_port()
    runner = web.AppRunner(await application_of(command or COMMAND, port, SECRET))
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    try:
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:
            yield client, f"{HOST}:{port}"
    finally:
        await runner.cleanup()


async def let_in(client: ClientSession, address: str) -> None:
    async with client.get(f"http://{address}/?secret={SECRET}") as answer:
        assert answer.status == 200
        assert answer.url.query_string == "", "the secret does not stay in the address"


async def test_the_page_is_only_for_a_browser_that_brought_the_secret_once() -> None:
    async with serving() as (client, address):
        for path in ("/", "/?secret=", "/?secret=wrong", "/static/js/textual.js", "/ws", "/download/x"):
            async with client.get(f"http://{address}{path}") as answer:
                assert answer.status == 403, path
        await let_in(client, address)
        async with client.get(f"http://{address}/") as answer:
            assert answer.status == 200
            assert f"ws://{address}/ws" in await answer.text()
        async with client.get(f"http://{address}/static/js/textual.js") as answer:
            assert answer.status == 200


async def test_a_page_of_another_site_can_neither_read_nor_frame_nor_name_it_otherwise() -> None:
    async with serving() as (client, address):
        await let_in(client, address)
        port = address.rpartition(":")[2]
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": f"http://{HOST}:1"},
            {"Origin": f"https://{address}"},
            {"Host": f"evil.example:{port}"},
            {"Host": HOST},
            {"Host": f"localhost:{port}", "Origin": f"http://{address}"},
        ):
            async with client.get(f"http://{address}/", headers=headers) as answer:
                assert answer.status == 403, headers
        async with client.get(f"http://{address}/") as answer:
            assert answer.headers["X-Frame-Options"] == "DENY"
            policy = answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "https:" not in policy, "nothing is asked of any other site"


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", "http://localhost", "http://127.0.0.1:1"])
async def test_a_websocket_is_not_opened_by_another_page_even_with_the_cookie(origin: str | None) -> None:
    async with serving() as (client, address):
        await let_in(client, address)
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(f"ws://{address}/ws", origin=origin)
        assert refused.value.status == 403


async def test_a_websocket_is_not_opened_without_the_secret() -> None:
    async with serving() as (client, address):
        with pytest.raises(WSServerHandshakeError) as refused:
            await client.ws_connect(f"ws://{address}/ws", origin=f"http://{address}")
        assert refused.value.status == 403


@pytest.mark.skipif(chromium() is None, reason="needs Chromium or Chrome")
async def test_a_real_browser_shows_the_interface_hears_keys_at_once_and_asks_nobody_else(tmp_path: Path) -> None:
    trace, handler = str(SAMPLES / "overlap.jsonl"), "overlap.py:handle_message"
    command = [sys.executable, "-m", "crosslane.tui", "open", trace, handler, "--cwd", str(SAMPLES)]
    program = chromium()
    assert program is not None
    async with serving(command) as (_, address), browser(program, tmp_path / "profile") as tab:
        await tab.size(1280, 800)
        await tab.open(f"http://{address}/?secret={SECRET}")
        await shown(tab, "✗ 1 crossing")
        await shown(tab, "^p palette")
        await tab.press("?")
        await shown(tab, "Move the lane right")
        await tab.press("Escape")
        await shown(tab, "bob was answered with alice's data")
        assert await tab.value("document.title") == "crosslane"
        assert all(asked.startswith(f"http://{address}/") for asked in tab.asked), tab.asked
        assert not [said for said in tab.said if "'error'" in said], tab.said


async def shown(tab: Page, text: str) -> None:
    """Wait until a text stands on the terminal of the page."""
    rows = "document.querySelector('.xterm-rows')?.innerText.replaceAll('\\u00a0', ' ') ?? ''"
    see = f"() => ({rows}).includes({text!r}) ? done(true) : requestAnimationFrame(see)"
    async with asyncio.timeout(60):
        assert await tab.value(f"new Promise(done => {{ const see = {see}; see() }})")


async def test_its_own_page_gets_the_interface_and_its_keys_arrive(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crosslane.tui", "open", "--cwd", str(tmp_path)]
    async with serving(command) as (client, address):
        await let_in(client, address)
        socket = f"ws://{address}/ws?width=100&height=30"
        async with client.ws_connect(socket, origin=f"http://{address}") as interface:
            asked, seen = False, ""
            async for message in interface:
                seen += message.data.decode("utf-8", "replace") if message.type is WSMsgType.BINARY else ""
                if "none yet: what you open" in seen and not asked:
                    asked = True
                    await interface.send_json(["stdin", "?"])
                if " keys " in seen:
                    break
        assert asked


def test_what_cannot_be_served_is_said_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.jsonl"), "app.py:handle", "--cwd", "x"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("crosslane: ")
    assert "there is no such trace" in said
    assert said.count("\n") == 1


async def test_a_port_that_is_taken_is_said_with_the_way_out() -> None:
    async with serving() as (_, address):
        with pytest.raises(ServeError, match="give another --port"):
            await serve(COMMAND, int(address.rpartition(":")[2]))
