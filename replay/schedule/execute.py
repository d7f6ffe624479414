"""execute(trace, handler, schedule) -> Run: the one function on which everything is built."""

from __future__ import annotations

import gc
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from types import CodeType
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import HandlerError
from ..handler.reply import Reply
from ..handler.told import error_text
from ..run import Decision, Outcome, Run
from ..trace.fresh_identity import Answered
from ..trace.sessions import Sessions
from .looks import Looked, Looks
from .loop import ControlledLoop
from .schedule import FAULTS, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..handler.service import Fitted, Service
    from ..trace.lanes import Lane
    from ..trace.model import Request
    from ..trace.sessions import Recorded
    from .actors import Actor
    from .strategies import Strategy


class Observer(Protocol):
    """Watches one execution; see `explain.timeline`."""

    def begin(self, loop: ControlledLoop) -> None: ...
    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...
    def end(self, loop: ControlledLoop) -> None: ...


@dataclass(frozen=True, slots=True)
class Observers:
    """Several that watch one execution, each after those before it."""

    each: tuple[Observer, ...]

    def begin(self, loop: ControlledLoop) -> None:
        for observer in self.each:
            observer.begin(loop)

    def started(self, request: Request, lane: str) -> None:
        for observer in self.each:
            observer.started(request, lane)

    def chunk(self, request: Request, lane: str, text: str) -> None:
        for observer in self.each:
            observer.chunk(request, lane, text)

    def answered(self, request: Request, lane: str, reply: Reply) -> None:
        for observer in self.each:
            observer.answered(request, lane, reply)

    def end(self, loop: ControlledLoop) -> None:
        for observer in self.each:
            observer.end(loop)


@dataclass(slots=True)
class Execution:
    """What came out of one execution, in the raw form that the search compares. It survives a trip through JSON.

    Attributes:
        outcomes: in the order in which requests were started.
        decisions, faults, starts, limits, upstream, remarks: see `ControlledLoop`.
        files: those that the program wrote; they stand again as they did before.
        looked: what it read from clocks, where that was noted.
    """

    lanes: tuple[str, ...]
    outcomes: list[Outcome]
    decisions: list[tuple[str, tuple[str, ...], bool]]
    overlapped: bool
    stopped: str
    escapes: tuple[str, ...]
    faults: tuple[tuple[int, str], ...] = ()
    starts: tuple[int, ...] = ()
    limits: tuple[int, ...] = ()
    upstream: tuple[int, ...] = ()
    remarks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    looked: Looked = field(default_factory=dict[str, tuple[float, ...]])

    def to_json(self) -> dict[str, Any]:
        return {
            "lanes": self.lanes,
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
            "decisions": self.decisions,
            "overlapped": self.overlapped,
            "stopped": self.stopped,
            "escapes": self.escapes,
            "faults": self.faults,
            "starts": self.starts,
            "limits": self.limits,
            "upstream": self.upstream,
            "remarks": self.remarks,
            "files": self.files,
            "looked": self.looked,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Execution:
        return cls(
            tuple(data["lanes"]),
            [Outcome.from_json(o) for o in data["outcomes"]],
            [(name, tuple(enabled), goes_on) for name, enabled, goes_on in data["decisions"]],
            data["overlapped"],
            data["stopped"],
            tuple(data["escapes"]),
            tuple((step, action) for step, action in data["faults"]),
            tuple(data["starts"]),
            tuple(data["limits"]),
            tuple(data["upstream"]),
            tuple(data["remarks"]),
            tuple(data["files"]),
            {lane: tuple(times) for lane, times in data["looked"].items()},
        )

    @property
    def schedule(self) -> Schedule:
        return Schedule(tuple([name for name, _, _ in self.decisions]), self.faults)

    @property
    def switches(self) -> int:
        return preemptions(self.decisions)


def preemptions(decisions: Sequence[tuple[str, tuple[str, ...], bool]]) -> int:
    """How often a lane that could have gone on was made to wait."""
    count = 0
    before = ""
    for name, _, goes_on in decisions:
        count += goes_on and name != before
        before = name
    return count


@dataclass(slots=True)
class Heard:
    """What the program let be heard while it worked for one request, beside its answer. See `run.Outcome`."""

    output: list[str] = field(default_factory=list[str])
    logs: list[tuple[str, str]] = field(default_factory=list["tuple[str, str]"])
    upstream: list[tuple[str, Any]] = field(default_factory=list["tuple[str, Any]"])


NOTHING_HEARD = Heard()
_MOST_FITTED = 1_000


def _forget(answers: dict[str, list[tuple[str, Any, Any]]]) -> None:
    """Nothing stands in for the LLM."""


@dataclass(slots=True)
class Engine:
    """Executes requests against one loaded handler. It does not restore state: that is `state.fresh`'s work.

    Attributes:
        service: made anew for each execution.
        heard: what the program printed, logged and sent upstream, by request id.
        escapes: called after each execution; what the worker's audit hook saw leave control.
        begin: told of each new loop, before anything runs on it.
        files: which files the program has written.
        where: the user's line that an exception came from, as `file:line`.
        beside: what a later answer can depend on and is neither the program's nor its state: streams of random numbers,
            what was heard, how many calls were made.
        recorded: what the recording says was issued to the clients: what is issued now takes its place, see `Sessions`.
        replies: the answers so far of the execution under way: request, lane, reply. `serving` is what gives them.
        looks: between the program and its clocks.
        fitted: the latest requests by their addresses, as the handler is given them.
    """

    service: Callable[[], Service]
    heard: Callable[[str], Heard]
    escapes: Callable[[], list[str]]
    begin: Callable[[ControlledLoop], None]
    where: Callable[[BaseException], str | None]
    files: Callable[[], tuple[str, ...]] = tuple
    answers: Callable[[dict[str, list[tuple[str, Any, Any]]]], None] = _forget
    beside: Callable[[], tuple[Any, ...]] = tuple
    recorded: Recorded | None = None
    replies: list[tuple[Request, str, Reply]] = field(default_factory=list["tuple[Request, str, Reply]"])
    serving: Service | None = None
    looks: Looks = field(default_factory=Looks)
    fitted: dict[int, tuple[Request, Fitted]] = field(default_factory=dict[int, "tuple[Request, Fitted]"])

    def execute(
        self,
        lanes: Sequence[Lane],
        strategy: Strategy,
        max_in_flight: int | None = None,
        observer: Observer | None = None,
    ) -> Execution:
        """Run the lanes' requests, asking `strategy` before every step.

        Raises:
            HandlerError: the application's start-up failed, or a request does not fit it.
        """
        names = [lane.name for lane in lanes]
        loop = ControlledLoop(names, max_in_flight)
        replies = self.replies = []
        collecting = gc.isenabled()
        # Finalizers would otherwise run at moments that depend on the executions before.
        gc.disable()
        self.begin(loop)
        self.answers({request.id: list(request.answers) for lane in lanes for request in lane.requests})
        try:
            service = self.serving = self.service()
            issuing = self.recorded is not None and self.recorded.issued
            sessions = Sessions(self.recorded) if self.recorded is not None and issuing else None
            try:
                service.startup(loop)
            except Exception as error:
                message = str(error).strip().splitlines()[-1:] or [type(error).__name__]
                at = self.where(error) or ""
                raise HandlerError(f"the application's start-up failed: {message[0]}", at) from None
            for lane in lanes:
                actor = loop.lanes[lane.name]
                for request in lane.requests:
                    try:
                        call = service.calling(self._fitted(service, request))
                    except ValueError as error:
                        raise HandlerError(str(error)) from None
                    if sessions is not None:
                        call = partial(_in_session, service, sessions, request)
                    actor.pending.append(_serving(loop, actor, request, call, replies, observer))
            if observer is not None:
                observer.begin(loop)
            try:
                loop.run_requests(strategy)
            except (SystemExit, KeyboardInterrupt) as error:
                loop.stopped = f"a background task raised {type(error).__name__}"
            finally:
                if observer is not None:
                    observer.end(loop)
            execution = Execution(
                lanes=tuple(names),
                outcomes=self._outcomes(replies, loop, sessions),
                decisions=loop.decisions,
                overlapped=loop.overlapped,
                stopped=loop.stopped,
                escapes=tuple(dict.fromkeys((*loop.escapes, *self.escapes()))),
                faults=tuple(loop.faults),
                starts=tuple(loop.starts),
                limits=tuple(loop.limits),
                upstream=tuple(loop.upstream),
                remarks=(*loop.remarks, *(sessions.remarks() if sessions is not None else ())),
                files=self.files(),
                looked=self.looks.looked(),
            )
            if not loop.stopped:
                service.shutdown(loop)
        finally:
            loop.close()
            if collecting:
                gc.enable()
        return execution

    def _fitted(self, service: Service, request: Request) -> Fitted:
        """Made once: thousands of executions have the same requests."""
        known = self.fitted.get(id(request))
        if known is None:
            if len(self.fitted) >= _MOST_FITTED:
                self.fitted.clear()
            # Beside the request itself: as long as that lives, no other has its address.
            known = self.fitted[id(request)] = (request, service.fitted(request.to_json()))
        return known[1]

    def _outcomes(
        self, replies: list[tuple[Request, str, Reply]], loop: ControlledLoop, sessions: Sessions | None
    ) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for request, lane, reply in replies:
            heard = self.heard(request.id)
            outcomes.append(
                Outcome(
                    request.id,
                    lane,
                    request.session,
                    reply.status,
                    tuple(reply.headers),
                    reply.body,
                    tuple(reply.chunks),
                    error_text(reply.error),
                    None if reply.error is None else self.where(reply.error),
                    "".join(heard.output),
                    reply.finished,
                    tuple(heard.logs),
                    tuple(heard.upstream),
                    loop.faulted.get(request.id, ""),
                )
            )
        return outcomes if sessions is None else [_as_recorded(outcome, sessions) for outcome in outcomes]


async def _in_session(service: Service, sessions: Sessions, request: Request, reply: Reply) -> None:
    """Send a request with the ids that its session has been issued in this execution, and learn of new ones."""
    await service.call(sessions.sent(request).to_json())(reply)
    sessions.received(request, Answered(reply.headers, reply.body if not reply.chunks else "".join(reply.chunks)))


def _as_recorded(outcome: Outcome, sessions: Sessions) -> Outcome:
    """With the recorded ids: so whose they are is known, and executions can be compared."""
    back = sessions.recorded
    return replace(
        outcome,
        headers=tuple((name, back(value)) for name, value in outcome.headers),
        body=back(outcome.body),
        chunks=tuple(back(part) for part in outcome.chunks),
        logs=tuple((name, back(text)) for name, text in outcome.logs),
        upstream=tuple((name, back(sent)) for name, sent in outcome.upstream),
    )


def _serving(
    loop: ControlledLoop,
    actor: Actor,
    request: Request,
    call: Callable[[Reply], Any],
    replies: list[tuple[Request, str, Reply]],
    observer: Observer | None,
) -> Callable[[], Any]:
    async def serve() -> None:
        reply = Reply()
        actor.request = request.id
        cancel = actor.leave
        actor.leave = lambda: reply.gone() if reply.gone is not None else cancel() if cancel is not None else None
        replies.append((request, actor.name, reply))
        if observer is not None:
            observer.started(request, actor.name)
            reply.on_chunk = partial(observer.chunk, request, actor.name)
        try:
            await call(reply)
        except BaseException as error:
            reply.error = error
            if loop.is_closing:
                return
        reply.finished = True
        if observer is not None:
            observer.answered(request, actor.name, reply)
        loop.request_done(actor)

    return serve


def _possible_faults(execution: Execution, cancels: bool) -> dict[int, tuple[str, ...]]:
    """What could be done to the request that goes on at each step. One that only starts there has nothing to lose."""
    starts, lanes = set(execution.starts), set(execution.lanes)
    limits, upstream = set(execution.limits), set(execution.upstream)
    return {
        step: tuple(
            fault
            for fault, makes_sense in zip(FAULTS, (cancels, step in limits, step in upstream), strict=True)
            if makes_sense
        )
        for step, (name, _, _) in enumerate(execution.decisions)
        if step not in starts and name in lanes
    }


SERVING = next(inner for inner in _serving.__code__.co_consts if isinstance(inner, CodeType))
"""The code that gives a request to the handler: of each request's task the outermost."""


def run_of(
    execution: Execution,
    events: Sequence[Any] = (),
    places: Sequence[str | None] = (),
    cancels: bool | None = None,
) -> Run:
    """The plain-data form. `places` is where each decision's lane had been suspended, when it was observed; `cancels`
    whether a request can be cancelled, None where it does not matter what could have been done to requests."""
    decisions: list[Decision] = []
    before = ""
    faults = dict(execution.faults)
    possible = _possible_faults(execution, cancels) if cancels is not None else {}
    for index, (name, enabled, goes_on) in enumerate(execution.decisions):
        at = places[index] if index < len(places) else None
        decisions.append(
            Decision(name, enabled, at, goes_on and name != before, faults.get(index, ""), possible.get(index, ()))
        )
        before = name
    return Run(
        execution.lanes,
        tuple(decisions),
        tuple(events),
        tuple(execution.outcomes),
        execution.escapes,
        execution.stopped,
    )
