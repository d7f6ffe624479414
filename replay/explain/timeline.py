"""Observes one execution line by line and writes its timeline: who ran, who waited where, who touched the carrier.

Lines are seen through `sys.settrace`, in the user's files only. A line is known to have read or written the carrier
only when the next one begins, so each line is settled one late.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import dis
import inspect
import os
import sys
from threading import get_ident
from typing import TYPE_CHECKING, Any

from ..handler.told import error_text
from ..run import Event
from ..schedule import ownership
from ..schedule.threads import Controlled
from ..state import inside_c
from ..trace.wording import body_text, request_text
from .arrival import Arrivals
from .inherited import Other
from .looking import Looking
from .places import INHERITED, MISSING, fingerprint
from .uses import Uses

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ..handler.reply import Reply
    from ..schedule.actors import Actor, Handle
    from ..schedule.execute import Heard
    from ..schedule.loop import ControlledLoop
    from ..state.files import UserFiles
    from ..state.graph import StateGraph
    from ..trace.model import Request
    from .places import Place

_TEXT_LIMIT = 4_000
_OBJECTS_SHOWN = 300
_CAN_WAIT = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
# Python 3.13 has gone on to the instruction at which a frame is resumed when it says that the frame is left.
_YIELDS = frozenset({dis.opmap["YIELD_VALUE"], dis.opmap["RESUME"]})
_RESUMED = "resumed"  # has been told of where the line began, and may still write
_FAULTS = {
    "cancel": "the client is gone",
    "timeout": "its time limit passes",
    "fail": "the upstream call fails",
}


class Timeline:
    """Observer. `events` is the timeline; `places` is where each step's lane had been suspended before it; `looking`
    keeps what was to be seen at each event.

    Frames are looked at while they run or wait. None is held on to for longer than until something of the user's
    happens next: what it refers to might else live longer than it does without an observer.
    """

    def __init__(
        self,
        files: UserFiles,
        graph_now: Callable[[bool], StateGraph],
        carrier: Place | None,
        heard: Callable[[str], Heard],
    ) -> None:
        self.events: list[Event] = []
        self.places: list[str | None] = []
        self._files = files
        self._graph_now = graph_now
        self._graph: StateGraph | None = None
        self._carrier = carrier
        self._library = f"{os.sep}{carrier.package}{os.sep}" if carrier is not None and carrier.package else ""
        self._heard = heard
        self._arrival: Arrivals | None = None
        self._uses: Uses | None = None
        self._loop: ControlledLoop | None = None
        self._lane = ""
        self._works_for = ""  # the lane of the step, unless it has taken up another's work
        self._last: dict[str, tuple[str, int] | None] = {}
        self._requests: dict[str, Request] = {}
        self._printed: dict[str, int] = {}
        self._line: tuple[str, int, str] | None = None
        self._before: Any = None
        self.looking = Looking(files)
        self._frame: FrameType | None = None
        self._suspended: list[FrameType] = []
        self._left: dict[str, int] = {}
        self._named: set[str] = set()
        self._hits = 0
        self._in_contexts = carrier is not None and carrier.form == INHERITED
        self._other: Other | None = None
        self._line_by = 0  # the thread that the line is of
        self._lines: dict[int, tuple[str, int, str] | None] = {}  # that each thread is in the middle of
        self._unsettled: dict[int, tuple[tuple[str, int, str], Any, str]] = {}

    # ---- the engine's hooks

    def begin(self, loop: ControlledLoop) -> None:
        self._loop = loop
        loop.before_step, loop.after_step, loop.line_hook = self._enter, self._leave, self._trace
        ownership.told.append(self._takes_up)
        if self._in_contexts:
            self._other = Other(loop, self._works)
        if self._carrier is not None and self._carrier.since is not None:
            self._arrival = Arrivals(loop, self._files, self._graph_now, {self._carrier.since: self._carrier_in})
        elif self._carrier is not None:
            self._carrier_in(self._graph_now(self._carrier.wide))
        narrow = self._graph is not None and self._carrier is not None and not self._carrier.wide
        graph = self._graph if narrow and self._graph is not None else self._graph_now(False)
        self.looking.begin(graph, self._carrier)

    def _carrier_in(self, graph: StateGraph) -> None:
        """From now on the carrier is watched, if it is there."""
        if self._carrier is not None and self._carrier.is_in(graph):
            self._graph = graph
            self._uses = Uses(graph, self._carrier)
            self._before = self._state()
            self._hits = self._cache_hits()

    def end(self, loop: ControlledLoop) -> None:  # noqa: ARG002
        sys.settrace(None)
        ownership.told.remove(self._takes_up)

    def _takes_up(self, owner: Actor, before: Actor) -> None:  # noqa: ARG002
        self._works_for = owner.name

    def _works(self, other: Actor, owner: Actor, handle: Handle | None) -> Callable[[], None]:  # noqa: ARG002
        before, self._works_for = self._works_for, other.name

        def after() -> None:
            self._works_for = before

        return after

    def started(self, request: Request, lane: str) -> None:
        sys.settrace(None)
        self._requests[lane] = request
        self._named.discard(lane)
        self._left.pop(lane, None)
        self._event("request", lane, request_text(request))
        sys.settrace(self._trace)

    def chunk(self, request: Request, lane: str, text: str) -> None:  # noqa: ARG002
        self._settle()
        self._prints(lane)
        at, code = self._place(lane)
        self._event("chunk", lane, text, at=at, code=code)

    def answered(self, request: Request, lane: str, reply: Reply) -> None:  # noqa: ARG002
        self._settle()
        self._prints(lane)
        at, code = self._place(lane)
        if reply.error is not None:
            self._event("error", lane, error_text(reply.error) or "", at=at, code=code, status=reply.status)
        else:
            self._event("response", lane, body_text(reply.body), at=at, code=code, status=reply.status)

    def _enter(self, actor: Actor) -> None:
        self._goes_on(actor)
        last = self._last.get(actor.name)
        self.places.append(self._files.at(*last) if last is not None and actor.in_flight else None)
        self._lane = self._works_for = actor.name
        if actor.fault:
            self._event("fault", actor.name, _FAULTS[actor.fault])
        sys.settrace(self._trace)

    def _goes_on(self, actor: Actor) -> None:
        """A thread that waited inside a library goes on in the middle of a line of the user's, and no event says so."""
        thread = _thread_of(actor)
        line = self._lines.get(thread.ident) if thread is not None else None
        if thread is None or line is None:
            return
        self._last[actor.name] = line[:2]
        if not self._in_contexts:
            self._line, self._line_by = (*line[:2], ""), thread.ident

    def _leave(self, actor: Actor) -> None:
        sys.settrace(None)
        if self._arrival is not None:
            self._arrival.look()
        self._settle()
        self._prints(actor.name)
        if actor.in_flight:
            at, code = self._place(actor.name)
            kind = "await" if actor.ready or actor.delays else "blocked"
            last = self.events[-1] if self.events else None
            # Frameworks are suspended many times below one line of the user's; one row shows it.
            if last is None or (last.kind, last.lane, last.at) != (kind, actor.name, at):
                self._event(kind, actor.name, "", at=at, code=code)
        self._frame, self._suspended = None, []
        if self._loop is not None:
            self.looking.step_done(len(self._loop.decisions), actor.name)

    # ---- lines

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        inside = self._arrival.follow(frame, event, argument) if self._arrival is not None else None
        if frame.f_code.co_filename not in self._files:
            return self._in_library if self._library and self._library in frame.f_code.co_filename else inside
        if self._arrival is not None:
            self._arrival.look()
        if self._other is not None:
            self._other.on_line(frame, event, argument)
        self._settle()
        self._line_by = get_ident()
        self._follow(frame, event, argument)
        if event in ("call", "exception"):
            # A coroutine goes on in the middle of a line, and no event says so. It ends the wait for another with an
            # exception (StopIteration) on the line that waited, which goes on too.
            self._line = _resumed(frame)
        elif event == "return":
            # So does whoever called, when this frame is left: through a library or not.
            caller = frame.f_back
            while caller is not None and caller.f_code.co_filename not in self._files:
                caller = caller.f_back
            self._line = _resumed(caller) if caller is not None else None
            if caller is not None and self._line is not None and self._in_contexts and self._used_on(caller):
                self._line, self._before = (*self._line[:2], _RESUMED), self._state()
        elif event == "line":
            uses = self._used_on(frame)
            if uses and self._in_contexts:
                self._before = self._state()  # in this context: what it is in others has nothing to do with it
            self._line = (frame.f_code.co_filename, frame.f_lineno, uses)
            self._last[self._lane] = (frame.f_code.co_filename, frame.f_lineno)
        self._lines[get_ident()] = self._line
        return self._trace

    def _used_on(self, frame: FrameType) -> str:
        return self._uses.on_line(frame) if self._uses is not None else ""

    def _follow(self, frame: FrameType, event: str, argument: Any) -> None:
        """Keep in mind which of the user's frames is to be looked at when the next row is written."""
        if event == "return":
            if _is_suspended(frame):
                # The innermost is the first to be left; those that wait for it follow.
                self._suspended = self._suspended or self.looking.chain(frame)
                return
            outer = self.looking.chain(frame.f_back)
            if not outer:
                self._left[self._lane] = self.looking.stack([frame])
            self._frame, self._suspended = (outer[0] if outer else None), []
            return
        self._frame, self._suspended = frame, []
        if event == "exception" and not issubclass(argument[0], (StopIteration, StopAsyncIteration, GeneratorExit)):
            self._left[self._lane] = self.looking.stack(self.looking.chain(frame))

    def _seen(self, lane: str, kind: str) -> int:
        """The stack to show at a row of this kind."""
        if kind in ("request", "fault"):
            return -1
        chain = self._suspended or self.looking.chain(self._frame)
        if kind in ("response", "error") or not chain:
            return self._left.get(lane, -1)
        return self.looking.stack(chain)

    def _in_library(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002
        """A carrier inside a library is used by the line of the user's that led there."""
        if event == "line" and self._line is not None and self._uses is not None and self._uses.on_line(frame):
            self._line = (*self._line[:2], "name")
        return self._in_library

    def _settle(self) -> None:
        """The line before this moment has run: say whether it wrote or read the carrier."""
        if self._in_contexts and self._uses is not None:
            self._settle_here()
        elif self._line is not None and self._uses is not None:
            self._settle_line()

    def _settle_here(self) -> None:
        """The same of what stands in a context: a thread has its own, so that only a moment of that thread can tell."""
        here, lane = get_ident(), self._works_for
        if self._line is not None and self._line_by != here:
            self._unsettled[self._line_by] = (self._line, self._before, lane)
            self._line = None
        if here in self._unsettled:
            self._line, self._before, self._works_for = self._unsettled.pop(here)
        if self._line is not None:
            self._settle_line()
        self._works_for = lane

    def _settle_line(self) -> None:
        assert self._line is not None
        (file, number, uses), self._line = self._line, None
        now = self._state() if uses or not self._in_contexts else self._before
        hits, self._hits = self._hits, self._cache_hits()
        if now != self._before:
            self._before = now
            self._access("write", file, number)
        elif self._hits != hits:
            self._access("read", file, number)
        elif uses == "name" or (uses == "alias" and self._lane not in self._named):
            # Once a lane has used the carrier by its name, what it then does with that object needs no rows of its own.
            if uses == "name":
                self._named.add(self._lane)
            self._access("read", file, number)

    def _access(self, kind: str, file: str, number: int) -> None:
        assert self._carrier is not None
        assert self._graph is not None
        at, code = self._files.at(file, number), source_line(file, number)
        last = self.events[-1] if self.events else None
        # A loop or a comprehension reads many times on one line; once is enough to see it.
        lane = self._works_for
        if last is not None and (last.kind, last.lane, last.at) == (kind, lane, at):
            self.events.pop()
            self.looking.forget_row()
        text = picture(self._carrier.value(self._graph))
        seen = self.looking.stack(self._suspended or self.looking.chain(self._frame), (file, number))
        self._event(kind, lane, text, at=at, code=code, carrier=self._carrier.name, seen=seen)

    def _state(self) -> Any:
        if self._graph is None or self._carrier is None:
            return None
        if self._carrier.form == "cache":
            return self._carrier.value(self._graph).cache_info()[1:]  # but for the hits
        return fingerprint(self._carrier.value(self._graph))

    def _cache_hits(self) -> int:
        if self._graph is None or self._carrier is None or self._carrier.form != "cache":
            return 0
        return self._carrier.value(self._graph).cache_info().hits

    # ---- rows

    def _place(self, lane: str) -> tuple[str | None, str | None]:
        last = self._last.get(lane)
        return (None, None) if last is None else (self._files.at(*last), source_line(*last))

    def _prints(self, lane: str) -> None:
        request = self._requests.get(lane)
        if request is None:
            return
        text = "".join(self._heard(request.id).output)
        new = text[self._printed.get(request.id, 0) :]
        if new.strip():
            self._printed[request.id] = len(text)
            at, code = self._place(lane)
            self._event("output", lane, new.rstrip("\n"), at=at, code=code)

    def _event(
        self,
        kind: str,
        lane: str,
        text: str,
        at: str | None = None,
        code: str | None = None,
        carrier: str | None = None,
        status: int | None = None,
        seen: int | None = None,
    ) -> None:
        self.looking.row(self._seen(lane, kind) if seen is None else seen)
        request = self._requests.get(lane)
        step = len(self._loop.decisions) if self._loop is not None else 0
        session, name = (request.session, request.id) if request is not None else ("", "")
        self.events.append(
            Event(len(self.events) + 1, step, lane, session, name, kind, text[:_TEXT_LIMIT], at, code, carrier, status)
        )


def _thread_of(actor: Actor) -> Controlled | None:
    """The thread that goes on in the actor's next step, if it is one."""
    waiting = [handle for handle in actor.ready if not handle.dead]
    waiting += [handle for *_, handle in sorted(actor.timers, key=lambda timer: timer[:2]) if not handle.dead]
    thread = getattr(waiting[0].callback, "__self__", None) if waiting else None
    return thread if isinstance(thread, Controlled) else None


def _is_suspended(frame: FrameType) -> bool:
    """Whether a frame that is being left will go on: it is at a `yield`, or at one of those that an `await` is."""
    if not frame.f_code.co_flags & _CAN_WAIT:
        return False
    operations = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(operations) and operations[frame.f_lasti] in _YIELDS


def _resumed(frame: FrameType) -> tuple[str, int, str] | None:
    """The line that `frame` is in the middle of; None when it has only been entered."""
    code = frame.f_code
    return None if frame.f_lineno == code.co_firstlineno else (code.co_filename, frame.f_lineno, "")


def source_line(file: str, number: int) -> str:
    import linecache

    return linecache.getline(file, number).strip()


def picture(value: Any) -> str:
    """A short text of a value, made without its `__repr__`."""
    from ..handler.reply import plain

    if value is MISSING:
        return "(not set)"
    text = body_text(plain(inside_c.told_by(value), _OBJECTS_SHOWN))
    return text if len(text) <= _TEXT_LIMIT else text[: _TEXT_LIMIT - 1] + "…"
