"""The content of objects of C and of the interpreter that tell of it: a database, a `Context`, a generator, a file.

It cannot be put back in every case: a transaction is open, a variable was not set before, a generator stands elsewhere.
So it is no state to start the next execution from. But where it can, keeping it apart for each lane proves what it
carried.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import sys
import types
from typing import TYPE_CHECKING, Any

from ..schedule.actors import ACTOR
from . import streams

if TYPE_CHECKING:
    from collections.abc import Callable

_LARGEST_DATABASE = 4_000_000


def form_of(thing: Any) -> str:
    """Which kind of content it has; "" for anything else."""
    if type(thing) is contextvars.Context:
        return "context"
    if type(thing) in _FRAMES:
        return "generator"
    if streams.is_stream(thing):
        return "stream"
    database: Any = sys.modules.get("sqlite3")
    return "database" if database is not None and issubclass(type(thing), database.Connection) else ""


def told_by(thing: Any) -> Any:
    """What it holds by name, where that is more to be shown than the thing itself."""
    match form_of(thing):
        case "context":
            return {variable.name: value for variable, value in read_context(thing).items()}
        case "generator":
            return variables_of(thing)
        case "stream":
            return streams.told(thing)
        case _:
            return thing


def read(form: str, thing: Any) -> Any:
    """Its content, of a form that `form_of` has told, or the local variables of a frame."""
    return _READ[form](thing)


def write(form: str, thing: Any, content: Any) -> None:
    """Make the content what `read` gave, as far as that is possible."""
    _WRITE[form](thing, content)


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
    """What is set in it, but for whose work it is, which is ours."""
    return {variable: value for variable, value in context.items() if variable is not ACTOR}


def write_context(context: contextvars.Context, content: dict[contextvars.ContextVar[Any], Any]) -> None:
    """As far as that is possible: not while something runs in it, and no variable goes back to have no value."""
    for variable in context:
        value = content.get(variable, _MISSING)
        if value is _MISSING:
            value = default_of(variable)
        if value is not _MISSING and context.get(variable) is not value:
            with contextlib.suppress(RuntimeError):
                context.run(variable.set, value)
    for variable, value in content.items():
        if variable not in context:
            with contextlib.suppress(RuntimeError):
                context.run(variable.set, value)


def read_generator(generator: Any) -> tuple[int, dict[str, Any]]:
    """Where it stands, and its local variables; -1 where it runs, or has ended."""
    frame = _frame_of(generator)
    return (-1, {}) if frame is None else (frame.f_lasti, dict(frame.f_locals))


def variables_of(generator: Any) -> dict[str, Any]:
    """Its local variables, even while it runs."""
    frame = getattr(generator, _FRAMES[type(generator)][0])
    return {} if frame is None else dict(frame.f_locals)


def read_locals(frame: types.FrameType) -> dict[str, Any]:
    """The local variables of what runs or is suspended."""
    return dict(frame.f_locals)


def write_locals(frame: types.FrameType, names: dict[str, Any]) -> None:
    """Its local variables. From 3.13 on, one that is bound stays so."""
    held = frame.f_locals
    if type(held) is dict:  # a copy, before 3.13
        held.clear()
        held.update(names)
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(1))
    else:
        held.update(names)


def write_generator(generator: Any, content: tuple[int, dict[str, Any]]) -> None:
    """Its local variables, where it stands at the same instruction; from 3.13 on, where it has the same ones."""
    frame, (stands_at, names) = _frame_of(generator), content
    if frame is None or frame.f_lasti != stands_at:
        return
    if type(frame.f_locals) is dict or {*frame.f_locals} == {*names}:  # from 3.13 on, none is taken away
        write_locals(frame, names)


def _frame_of(generator: Any) -> Any:
    frame, running = _FRAMES[type(generator)]
    return None if getattr(generator, running) else getattr(generator, frame)


def default_of(variable: contextvars.ContextVar[Any]) -> Any:
    """What it is where nothing was set; an object that is nothing else for one without a default."""
    try:
        return contextvars.Context().run(variable.get)
    except LookupError:
        return _MISSING


_MISSING: Any = object()
_FRAMES: dict[type, tuple[str, str]] = {
    types.GeneratorType: ("gi_frame", "gi_running"),
    types.AsyncGeneratorType: ("ag_frame", "ag_running"),
}
_READ: dict[str, Callable[[Any], Any]] = {
    "database": read_database,
    "context": read_context,
    "generator": read_generator,
    "locals": read_locals,
    "stream": streams.read,
}
_WRITE: dict[str, Callable[[Any, Any], None]] = {
    "database": write_database,
    "context": write_context,
    "generator": write_generator,
    "locals": write_locals,
    "stream": streams.write,
}
