"""A headless Chromium, spoken to by the DevTools protocol: open a page, ask it something, take its picture."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import re
import shutil
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking",
    "--disable-component-update", "--disable-extensions", "--no-first-run", "--no-zygote",
    "--disable-software-rasterizer", "--remote-debugging-port=0",
)  # fmt: skip


def chromium() -> str | None:
    """The browser on this machine: `CROSSLANE_BROWSER`, else one on the path."""
    named = os.environ.get("CROSSLANE_BROWSER")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """An open page. `asked` are the addresses that it wanted to load, `said` what it wrote to the console."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.asked: list[str] = []
        self.said: list[str] = []
        self._socket = socket
        self._numbers = itertools.count(1)

    async def tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        while (message := await self._next()).get("id") != number:
            pass
        assert "error" not in message, message
        return message["result"]

    async def open(self, address: str) -> None:
        for domain in ("Page", "Network", "Runtime", "Log"):
            await self.tell(f"{domain}.enable")
        await self.tell("Page.navigate", url=address)
        while (await self._next()).get("method") != "Page.loadEventFired":
            pass

    async def value(self, expression: str) -> Any:
        """Of a promise, what comes of it."""
        result = await self.tell("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def press(self, key: str) -> None:
        """A key by its name, or a character."""
        code = {"Escape": 27, "Enter": 13, "Tab": 9}.get(key, 0)
        typed: dict[str, Any] = {"text": key} if len(key) == 1 else {"windowsVirtualKeyCode": code}
        for kind in ("keyDown", "keyUp"):
            await self.tell("Input.dispatchKeyEvent", type=kind, key=key, **typed)

    async def size(self, width: int, height: int, dark: bool = False) -> None:
        await self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.tell("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self, path: Path) -> None:
        result = await self.tell("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(result["data"]))

    async def _next(self) -> dict[str, Any]:
        message = await self._socket.receive_json()
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.said.append(str(message["params"]))
        return message


@asynccontextmanager
async def browser(program: str, folder: Path) -> AsyncIterator[Page]:
    """A new browser with one empty page."""
    process = await asyncio.create_subprocess_exec(
        program, *FLAGS, f"--user-data-dir={folder}", "about:blank",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        listening = None
        while listening is None and (line := await process.stderr.readline()):
            listening = re.search(rb"DevTools listening on ws://([\d.:]+)/", line)
        assert listening is not None, "the browser did not start"
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{listening[1].decode()}/json") as answer:
                pages = [page for page in await answer.json() if page["type"] == "page"]
            async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        process.kill()
        await process.communicate()  # its pipe too, before the loop is closed
