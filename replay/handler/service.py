"""One face for every kind of handler: start-up, one coroutine a request, shutdown.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .aiohttp_app import AiohttpServer
from .asgi import Lifespan, call_asgi
from .bind import arguments, copied
from .function import call_function
from .http import HttpRequest, http_request
from .kinds import is_bare_factory
from .reply import Reply, plain
from .wsgi import call_wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..schedule.loop import ControlledLoop

    # A function's keywords, made anew for each call: it may change what they hold.
    Fitted = HttpRequest | Callable[[], dict[str, Any]]


class Service:
    """A handler, for the length of one execution.

    Attributes:
        kind: `function`, `asgi`, `aiohttp` or `wsgi`. `roles` is for functions, see `bind.roles_of`.
    """

    def __init__(self, kind: str, target: Any, roles: dict[str, str]) -> None:
        self.kind = kind
        self.target = target
        self.roles = roles
        self._server: Lifespan | AiohttpServer | None = None

    def startup(self, loop: ControlledLoop) -> None:
        """Run the application's own start-up; what that raises is raised."""
        if self.kind != "function" and is_bare_factory(self.target):
            made: list[Any] = []
            loop.run_alone(_make(self.target, made), "factory")
            self.target = made[0]
        if self.kind == "asgi":
            self._server = Lifespan(self.target)
        elif self.kind == "aiohttp":
            self._server = AiohttpServer(self.target)
        if self._server is not None:
            loop.run_alone(self._server.startup(), "startup")

    @property
    def state(self) -> dict[str, Any]:
        """What start-up has put into the state that each request gets a copy of (ASGI lifespan protocol, 2.1)."""
        return self._server.state if isinstance(self._server, Lifespan) else {}

    def shutdown(self, loop: ControlledLoop) -> None:
        if self._server is not None:
            loop.run_alone(self._server.shutdown(), "shutdown")

    def call(self, record: dict[str, Any]) -> Callable[[Reply], Coroutine[Any, Any, None]]:
        """What to run for one recorded request (a `req` line of a trace).

        Raises:
            ValueError: the request does not fit this kind of handler.
        """
        return self.calling(self.fitted(record))

    def fitted(self, record: dict[str, Any]) -> Fitted:
        """What this kind of handler is to be called with for a recorded request, as often as one likes.

        Raises:
            ValueError: the request does not fit this kind of handler.
        """
        if self.kind != "function":
            return http_request(record)
        keywords = arguments(self.roles, record)
        holds_more = any(isinstance(value, (dict, list)) for value in keywords.values())
        return partial(copied, keywords) if holds_more else keywords.copy

    def calling(self, request: Fitted) -> Callable[[Reply], Coroutine[Any, Any, None]]:
        """What to run for a request that was `fitted`."""
        if not isinstance(request, HttpRequest):
            keywords = request()
            return lambda reply: call_function(self.target, keywords, reply, plain)
        if isinstance(self._server, AiohttpServer):
            return partial(self._server.call, request)
        if self.kind == "wsgi":
            return partial(call_wsgi, self.target, request)
        return partial(call_asgi, self.target, request, self.state)


async def _make(factory: Any, made: list[Any]) -> None:
    made.append(await factory())
