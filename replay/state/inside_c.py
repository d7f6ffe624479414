"""The content of objects written in C whose own interface tells all of it: a database in memory, a `Context`.

It cannot be put back in every case (a transaction is open, a variable was not set before), so it is no state to start
the next execution from. But where it can, keeping it apart for each lane proves what it carried.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import contextvars
import sys
from typing import Any

_LARGEST_DATABASE = 4_000_000


def form_of(thing: Any) -> str:
    """Which kind of content it has; "" for anything else."""
    if type(thing) is contextvars.Context:
        return "context"
    database: Any = sys.modules.get("sqlite3")
    return "database" if database is not None and isinstance(thing, database.Connection) else ""


def read_database(connection: Any) -> bytes:
    """What stands in it; nothing where it is closed, another thread's, or too large."""
    import sqlite3

    try:
        content = sqlite3.Connection.serialize(connection)
    except (sqlite3.Error, AttributeError):
        return b""
    return content if len(content) <= _LARGEST_DATABASE else b""


def write_database(connection: Any, content: bytes) -> None:
    """As far as that is possible: not amid a transaction, and not to nothing."""
    import sqlite3

    if content and read_database(connection) != content:
        with contextlib.suppress(sqlite3.Error):
            sqlite3.Connection.deserialize(connection, content)


def read_context(context: contextvars.Context) -> dict[contextvars.ContextVar[Any], Any]:
    return dict(context.items())


def write_context(context: contextvars.Context, content: dict[contextvars.ContextVar[Any], Any]) -> None:
    """As far as that is possible: not while something runs in it, and no variable goes back to have no value."""
    for variable in context:
        value = content.get(variable, _MISSING)
        if value is _MISSING:
            value = _default(variable)
        if value is not _MISSING and context.get(variable) is not value:
            with contextlib.suppress(RuntimeError):
                context.run(variable.set, value)
    for variable, value in content.items():
        if variable not in context:
            with contextlib.suppress(RuntimeError):
                context.run(variable.set, value)


def _default(variable: contextvars.ContextVar[Any]) -> Any:
    try:
        return contextvars.Context().run(variable.get)
    except LookupError:
        return _MISSING


_MISSING: Any = object()
