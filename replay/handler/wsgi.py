"""Handlers that are WSGI applications (Flask, Django): called in memory, each request on a thread of a server's pool.

Implements the server side of PEP 3333.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import io
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from .http import HttpRequest, decoded

if TYPE_CHECKING:
    from .reply import Reply


async def call_wsgi(app: Any, request: HttpRequest, reply: Reply) -> None:
    """Send one request through the application and collect the response in `reply`."""
    loop: Any = asyncio.get_running_loop()
    await loop.in_thread(partial(_answer, app, environ_of(request), reply))


def environ_of(request: HttpRequest) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        # PEP 3333: bytes as latin-1 text.
        "PATH_INFO": request.path.encode("utf-8", "surrogatepass").decode("latin-1"),
        "QUERY_STRING": request.query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers:
        key = name.upper().replace("-", "_")
        if key == "CONTENT_LENGTH":
            continue
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in environ else value
    return environ


def _answer(app: Any, environ: dict[str, Any], reply: Reply) -> None:
    pieces: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info is not None and pieces:
            raise exc_info[1].with_traceback(exc_info[2])
        reply.status = int(status.split(maxsplit=1)[0])
        reply.headers = [(name.lower(), value) for name, value in headers]
        return pieces.append

    result = app(environ, start_response)
    try:
        for piece in result:
            if not piece:
                continue
            if pieces or not _is_whole(piece, reply):
                if pieces and not reply.chunks:
                    reply.chunk(_decoded_piece(pieces[0]))
                if pieces:
                    reply.chunk(_decoded_piece(piece))
                pieces.append(piece)
                time.sleep(0)  # a server waits here while the client reads
            else:
                pieces.append(piece)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
        reply.body = decoded(b"".join(pieces), dict(reply.headers).get("content-type", ""))


def _is_whole(piece: bytes, reply: Reply) -> bool:
    return dict(reply.headers).get("content-length") == str(len(piece))


def _decoded_piece(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace")
