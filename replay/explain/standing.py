"""Local variables of what stands through many requests: a task or thread that drains a queue and keeps what came by.

No module holds such a variable, and nothing can be put into its place before the worker has made it. It is kept apart
from the line on that has bound it; whose turn it is then, the items that the worker takes from its queue tell.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
import types
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..state import inside_c
from .places import LOCAL, Place, fingerprint, texts_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import FrameType

    from ..schedule.loop import ControlledLoop
    from ..state.files import UserFiles
    from ..state.graph import StateGraph

_HAND_OVER = ("asyncio.queues", "queue", "_queue")


class Standing:
    """Which local variables of tasks and threads change, and which of them come to hold the evidence."""

    def __init__(self, files: UserFiles, tokens: Sequence[str]) -> None:
        self._files = files
        self._tokens = tokens
        self._first: dict[Place, Any] = {}
        self._held: dict[Place, bool] = {}

    def look(self, loop: ControlledLoop, graph: StateGraph) -> None:
        """To be called after each step. What the graph knows goes by the name that it has there."""
        for frame, kind in _frames(loop, self._files):
            for key, value in inside_c.read_locals(frame).items():
                if graph.knows(value) or type(value).__module__ in _HAND_OVER:
                    continue
                place = _place(frame, kind, key)
                now = fingerprint(value)
                if self._first.setdefault(place, now) != now:
                    self._held.setdefault(place, False)
                if not self._held.get(place) and self._tells(value):
                    self._held[place] = True

    def _tells(self, value: Any) -> bool:
        texts = [text.casefold() for text in texts_in(value)]
        return any(token in text for token in self._tokens for text in texts)

    def lasting(self, loop: ControlledLoop) -> dict[Place, bool]:
        """Those of what still stands at the end, and whether each held the evidence."""
        kept = {frame.f_code.co_qualname for frame, _ in _frames(loop, self._files)}
        return {place: held for place, held in self._held.items() if place.owner in kept}


def frame_of(place: Place, loop: ControlledLoop, files: UserFiles) -> FrameType | None:
    """The frame that has bound a local variable; None where none has yet."""
    for frame, _ in _frames(loop, files):
        code = frame.f_code
        if (code.co_qualname, code.co_filename) == (place.owner, place.file) and place.key in frame.f_locals:
            return frame
    return None


def _place(frame: FrameType, kind: str, key: str) -> Place:
    code = frame.f_code
    name = f"{code.co_qualname.replace('<locals>.', '')}.{key}"
    place = Place(-1, key, name, f"local variable of a {kind}", LOCAL, code.co_qualname, code.co_filename)
    return replace(place, since=place)


def _frames(loop: ControlledLoop, files: UserFiles) -> Iterator[tuple[FrameType, str]]:
    """The user's frames of tasks and threads that are no request's own, and of which of the two each is."""
    stacks: list[tuple[str, Iterable[FrameType]]] = []
    requests = [lane.task for lane in loop.lanes.values()]
    for task, _ in loop.tasks_made():
        if not task.done() and all(task is not request for request in requests):
            stacks.append(("task", _of_coroutine(task.get_coro())))
    threads = [thread for thread in loop.baton.threads if not thread.serves_request and not thread.done]
    now = sys._current_frames() if threads else {}  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    stacks += [("thread", _callers(now.get(thread.ident))) for thread in threads]
    for kind, stack in stacks:
        yield from ((frame, kind) for frame in stack if frame.f_code.co_filename in files)


def _of_coroutine(coroutine: Any) -> list[FrameType]:
    """Its frames, from the outermost to the one that it waits in or that runs."""
    found: list[FrameType] = []
    while type(coroutine) is types.CoroutineType and coroutine.cr_frame is not None:
        found.append(coroutine.cr_frame)
        if coroutine.cr_running:
            running = list(_callers(sys._getframe()))  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            return [*found, *running[: running.index(found[-1])]] if found[-1] in running else found
        coroutine = coroutine.cr_await
    return found


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back
