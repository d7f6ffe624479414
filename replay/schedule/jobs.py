"""Functions that an event loop runs on other threads, and the pools that have those.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .threads import Abandoned, Pool

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from .loop import ControlledLoop


class Job:
    """A function that runs on another thread, and the future that its result goes into on the loop's own."""

    __slots__ = ("_args", "_error", "_func", "_future", "_result")

    def __init__(self, func: Callable[..., Any], args: tuple[Any, ...], future: asyncio.Future[Any]) -> None:
        self._func = func
        self._args = args
        self._future = future
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._func(*self._args)
        except Abandoned:
            raise
        except BaseException as error:
            self._error = error

    def finished(self, stopped: BaseException | None) -> None:
        error = stopped or self._error
        if self._future.done():
            return
        if isinstance(error, StopIteration):  # which no future can carry
            error = RuntimeError("the function raised StopIteration")
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(self._result)


def pool_of(loop: ControlledLoop, executor: Any) -> Pool:
    """The threads that stand for an executor's. None is the default executor's, "server" a threaded server's."""
    pool = loop.baton.pools.get(executor)
    if pool is None:
        limit = getattr(executor, "_max_workers", 1_000)
        name = getattr(executor, "_thread_name_prefix", "") or ("server" if executor == "server" else "asyncio")
        initializer = getattr(executor, "_initializer", None)
        if initializer is not None:
            arguments = getattr(executor, "_initargs", ())
            initializer = partial(initializer, *arguments)
        pool = loop.baton.pools[executor] = Pool(loop, limit, name, initializer)
    return pool
