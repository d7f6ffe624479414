"""The LLM on loopback: a service that is told its address asks it, and every answer is held until the schedule says so.

That makes the calls to the LLM switch points and sinks from outside, whatever the service is written in. The formats
and the content of the answers are those of `upstream`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import CrosslaneError
from ..upstream.wire import Answer, Call

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp import web
    from aiohttp.web_request import BaseRequest

_BODY = {
    "type": "error",
    "error": {"type": "api_error", "message": "crosslane: made to fail"},
}
# The SDKs of OpenAI and Anthropic would try again, after a while that nobody here controls.
FAILED = Answer(500, (("content-type", "application/json"), ("x-should-retry", "false")), (json.dumps(_BODY).encode(),))
"""What a call gets that is made to fail."""
_HOSTS = (("/messages", "api.anthropic.com"), ("/complete", "api.anthropic.com"))


@dataclass(slots=True, eq=False)
class Held:
    """A call that waits for its answer. The connection may be gone by the time it is answered, which is no error."""

    call: Call
    answer: asyncio.Future[Answer] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def give(self, answer: Answer) -> None:
        if not self.answer.done():
            self.answer.set_result(answer)


class StubLlm:
    """Listens on loopback; `on_call` is told of each call, and gives its answer when it is time.

    `on_drop` is told of a call whose answer the service does not wait for any longer.

    `start` raises CrosslaneError where the port is taken.
    """

    def __init__(self, port: int, on_call: Callable[[Held], None], on_drop: Callable[[Held], None]) -> None:
        self.port = port
        self.on_call = on_call
        self.on_drop = on_drop
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        from aiohttp import web

        server = web.Server(self._serve, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        except OSError as error:
            await self.stop()
            why = "is taken" if error.errno in (98, 48, 10048) else f"cannot be listened on: {error.strerror}"
            raise CrosslaneError(f"port {self.port} {why}", remedy="choose another with --llm-port") from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _serve(self, request: BaseRequest) -> web.StreamResponse:
        from aiohttp import web

        body = await request.content.read()
        headers = tuple((name.lower(), value) for name, value in request.headers.items())
        held = Held(Call(request.method, canonical(request.raw_path), headers, body))
        self.on_call(held)
        try:
            answer = await held.answer
        except asyncio.CancelledError:
            self.on_drop(held)
            raise
        if len(answer.parts) == 1:
            return web.Response(status=answer.status, headers=dict(answer.headers), body=answer.parts[0])
        response = web.StreamResponse(status=answer.status, headers=dict(answer.headers))
        await response.prepare(request)
        for part in answer.parts:
            await response.write(part)
        await response.write_eof()
        return response


def canonical(target: str) -> str:
    """The URL that a call would have gone to: its own host and port differ from run to run, and say nothing."""
    path = target.partition("?")[0].rstrip("/")
    host = next((host for end, host in _HOSTS if path.endswith(end)), "api.openai.com")
    return f"https://{host}{target}"


def refused(reason: str) -> Answer:
    """What a call gets that nothing stands in for, in the shape in which SDKs look for an error's text."""
    body = json.dumps({"type": "error", "error": {"type": "not_found_error", "message": f"crosslane: {reason}"}})
    return Answer(404, (("content-type", "application/json"),), (body.encode(),))
