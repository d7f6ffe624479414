"""The interface in a browser on this machine: `python -m crosslane.tui.serve TRACE HANDLER`, with the extra `serve`.

What serves it asks nobody who they are: any page in the browser could open its websocket and press keys, which is to
run the handler and write files, and so could whoever else is logged in here. So each request has to name this address,
to come from a page of it or from none, and to bring the secret of the address that is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import secrets
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from ..replay.errors import CrosslaneError
from .safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

HOST = "127.0.0.1"
_COOKIE = "crosslane"


_FONT = re.compile(r"<link[^>]*fonts\.googleapis\.com[^>]*>")
_HEAD = "<title>crosslane</title></head>"
# The terminal hears keys once it was clicked on, else.
_BODY = """<script>
new MutationObserver((_, seen) => {
  const keys = document.querySelector(".xterm-helper-textarea");
  if (keys && document.body.classList.contains("-first-byte")) { seen.disconnect(); keys.focus(); }
}).observe(document.documentElement, {subtree: true, childList: true, attributes: true});
</script></body>"""


class ServeError(CrosslaneError):
    """The interface cannot be served."""


def page(html: str) -> str:
    """Textual's page with a title, with the keys in the terminal from the start, and asking nothing of another site."""
    return _FONT.sub("", html).replace("</head>", _HEAD, 1).replace("</body>", _BODY, 1)


def guarded(application: web.Application, port: int, secret: str) -> web.Application:
    """The application, closed to everything but a browser on this machine that was given `secret`."""
    hosts = (f"{HOST}:{port}", f"localhost:{port}")
    # Scripts and styles of the page stand in it.
    policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; font-src 'self' data:; "
        f"connect-src 'self' ws://{hosts[0]} ws://{hosts[1]}; frame-ancestors 'none'"
    )

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        socket = request.headers.get("Upgrade", "").casefold() == "websocket"
        # A browser names the page that a websocket is opened by; what does not is no browser.
        origin = request.headers.get("Origin", None if socket else f"http://{request.host}")
        if request.host not in hosts or origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="this is only for its own pages\n")
        if secrets.compare_digest(request.query.get("secret", "").encode(), secret.encode()):
            # On to the address without the secret, which would else stay in the history of the browser.
            welcome = web.HTTPFound("/")
            welcome.set_cookie(_COOKIE, secret, httponly=True, samesite="Strict")
            raise welcome
        if not secrets.compare_digest(request.cookies.get(_COOKIE, "").encode(), secret.encode()):
            raise web.HTTPForbidden(text="open the address that was printed, with its secret\n")
        response = await handler(request)
        if isinstance(response, web.Response) and response.content_type == "text/html" and response.text:
            response.text = page(response.text)
        return response

    async def harden(_: web.Request, response: web.StreamResponse) -> None:
        response.headers["Content-Security-Policy"] = policy
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"

    application.middlewares.append(guard)
    application.on_response_prepare.append(harden)
    return application


async def application_of(command: Sequence[str], port: int, secret: str) -> web.Application:
    """What serves a program of Textual's, guarded. Each page that is opened runs a program of its own.

    Raises:
        ServeError: the extra is not installed.
    """
    try:
        from textual_serve.server import Server
    except ImportError:
        raise ServeError("textual-serve is not installed", remedy="pip install 'crosslane[serve]'") from None

    class Guarded(Server):
        async def made(self) -> web.Application:
            self.console.quiet = True  # it would announce the address without the secret
            return guarded(await self._make_app(), port, secret)

    return await Guarded(shlex.join(command), HOST, port, "crosslane", public_url=f"http://{HOST}:{port}").made()


async def serve(command: Sequence[str], port: int) -> None:
    """Serve until the program is interrupted.

    Raises:
        ServeError: the extra is not installed, or the port is taken.
    """
    secret = secrets.token_urlsafe(24)
    runner = web.AppRunner(await application_of(command, port, secret), access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, HOST, port).start()
        except OSError as error:
            raise ServeError(
                f"cannot listen there ({error.strerror})", f"{HOST}:{port}", "give another --port"
            ) from None
        sys.stdout.write(f"http://{HOST}:{port}/?secret={secret}\nfor browsers on this machine; ctrl-c ends it\n")
        sys.stdout.flush()
        ended = asyncio.Event()
        for which in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(which, ended.set)
        await ended.wait()
    finally:
        await runner.cleanup()


def main(arguments: Sequence[str] | None = None) -> int:
    """What `crosslane open` takes, and `--port`; the exit code."""
    parser = argparse.ArgumentParser(
        "python -m crosslane.tui.serve",
        usage="%(prog)s [--port PORT] [TRACE] [HANDLER] [options of crosslane open]",
        description="The interface in a browser on this machine.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=int, default=8000, help="where to listen, on this machine only")
    known, opened = parser.parse_known_args(arguments)
    try:
        if opened and not opened[0].startswith("-") and not Path(opened[0]).is_file():
            raise ServeError("there is no such trace", opened[0], "name a file that is there, or none")
        asyncio.run(serve([sys.executable, "-m", "crosslane.tui", "open", *opened], known.port))
    except CrosslaneError as error:
        sys.stderr.write(f"crosslane: {safe(str(error))}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
