"""Where the tasks of a deadlock stand and what they wait for, in words: nothing in asyncio says who holds a lock.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import asyncio
import threading
import types
from typing import TYPE_CHECKING, Any

from .actors import ACTOR
from .threads import is_users, shown_line, user_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from .loop import ControlledLoop

_WAITED_FOR = ("asyncio.locks", "asyncio.queues", "anyio._core._synchronization", "anyio._backends._asyncio")


_since_import: list[str] = []


def note_threads() -> None:
    """Called when the program is imported: what it started meanwhile runs by itself, and in no fork."""
    _since_import.clear()
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None)
        code = getattr(target, "__code__", None)
        if isinstance(code, types.CodeType) and code.co_filename in user_files[-1]:
            _since_import.append(f"{code.co_name} at {shown_line((code.co_filename, code.co_firstlineno))}")


def beyond_control() -> str:
    """What else may be waited for than what runs here, in words; "" where there is nothing."""
    if not _since_import:
        return ""
    return (
        f"; or for a thread that was started at import, which is not controlled ({', '.join(_since_import)}): start it "
        "with the application, or at the first request"
    )


def waiting_tasks(loop: ControlledLoop) -> list[str]:
    """One for each lane that has a request under way, as far as a line of the user's is known."""
    told: dict[str, str] = {}
    for task, context in loop.tasks_made():
        actor = context.get(ACTOR, None)
        waits_for = getattr(task, "_fut_waiter", None)
        if task.done() or actor is None or not actor.in_flight or isinstance(waits_for, asyncio.Task):
            continue
        at, what = _stands(task)
        if at is not None:
            told[actor.name] = f"{actor.name} waits at {shown_line(at)} for {what or 'something'}"
    return list(told.values())


def frames_of_task(task: asyncio.Task[Any]) -> Iterator[FrameType | None]:
    """Of its coroutine and of what each waits for in turn, the outermost first; None at the end where that is a future,
    an async generator or another thing that keeps to itself where it stands."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        if type(awaited) is types.CoroutineType:
            frame, awaited = awaited.cr_frame, awaited.cr_await
        elif type(awaited) is types.GeneratorType:
            frame, awaited = awaited.gi_frame, awaited.gi_yieldfrom
        else:
            frame = None
        yield frame
        if frame is None:
            return


def _stands(task: asyncio.Task[Any]) -> tuple[tuple[str, int] | None, str]:
    """The innermost line of the user's, and what is waited for below it, where that is a thing of asyncio or anyio."""
    at: tuple[str, int] | None = None
    what = ""
    for frame in frames_of_task(task):
        if frame is None:
            break
        if is_users(frame):
            at, what = (frame.f_code.co_filename, frame.f_lineno), ""
        elif frame.f_globals.get("__name__") in _WAITED_FOR and "self" in frame.f_locals:
            kind = type(frame.f_locals["self"])
            article = "an" if kind.__name__[0] in "AEIOU" else "a"
            what = what or f"{article} {kind.__name__} of {kind.__module__.partition('.')[0]}"
    return at, what
