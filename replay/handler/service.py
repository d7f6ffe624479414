"""One face for every kind of handler: start-up, one coroutine a request, shutdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import HandlerError
from . import asgi, bind, function
from .reply import Reply, plain

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from ..schedule.loop import ControlledLoop
    from .load import Handler


class Service:
    """A handler, for the length of one execution."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._lifespan: asgi.Lifespan | None = None

    def startup(self, loop: ControlledLoop) -> None:
        """Run the application's own start-up.

        Raises:
            HandlerError: it failed.
        """
        if self._handler.kind != "asgi":
            return
        self._lifespan = asgi.Lifespan(self._handler.target)
        try:
            loop.run_alone(self._lifespan.startup(), "startup")
        except Exception as error:
            message = str(error).strip().splitlines()[-1:] or [""]
            raise HandlerError(f"the application's start-up failed: {message[0]}", self._handler.spec) from None

    def shutdown(self, loop: ControlledLoop) -> None:
        if self._lifespan is not None:
            loop.run_alone(self._lifespan.shutdown(), "shutdown")

    def call(self, record: dict[str, Any]) -> Callable[[Reply], Coroutine[Any, Any, None]]:
        """What to run for one recorded request (a `req` line of a trace).

        Raises:
            HandlerError: the request does not fit this kind of handler.
        """
        target = self._handler.target
        if self._handler.kind == "function":
            keywords = bind.arguments(self._handler.roles, record)
            return lambda reply: function.call_function(target, keywords, reply, plain)
        state = self._lifespan.state if self._lifespan is not None else {}
        try:
            scope, body = asgi.http_scope(record, state)
        except ValueError as error:
            raise HandlerError(str(error), self._handler.spec) from None
        return lambda reply: asgi.call_asgi(target, scope, body, reply)
