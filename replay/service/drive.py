"""One execution against a running service: what can be let on from outside, and when the service stands still.

A choice is to send a lane's next request, or to give a lane the answer to a call that it made to the LLM. After each,
nothing else is let on until that lane has been answered, asks the LLM again, or is silent for the settle time. So the
same choices lead to the same states, whatever the service is written in, except where it waits for something else: for
another lane (a lock, a queue), which is silent only when there are others, or for what nobody here controls.

Faults are done from outside too: the client's connection is closed while its request is under way, or the LLM fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from ..errors import HandlerError
from ..handler.http import decoded, http_request
from ..run import Event, Outcome
from ..schedule.actors import ACTOR
from ..schedule.execute import Execution
from ..state.fresh import Interrupted
from ..trace.fresh_identity import Answered
from ..trace.wording import body_text, request_text
from ..upstream.stand_in import UpstreamRefusedError
from .callers import LANE_HEADER, Callers, marks_of
from .client import Connection, Received, on_the_wire
from .llm import FAILED, Held, refused
from .traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..schedule.actors import Actor
    from ..schedule.strategies import Strategy
    from ..trace.lanes import Lane
    from ..trace.model import Request
    from ..trace.sessions import Sessions
    from ..upstream.stand_in import StandIn
    from .client import Address

_GRACE_S = 0.003
_GRACE_ALONE_S = 0.05
"""After a call or an answer, for calls that the same request makes beside it. A lane alone shows how many there are,
and later executions wait for as many: one that came late would be taken for another lane's."""

_TAKEN_IN_S = 0.02
"""Before requests are released together: a service that still accepts their connections would begin with whichever of
them it happens to come to, and not with the one whose last byte is there first."""

_FAULTS = {"cancel": "the client is gone", "fail": "the LLM fails"}
_COMPUTING = 0.2
"""The share of the settle time that a service spends on the processor when it is not waiting."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`settle_s` without a sign of life is standing still; `answer_s` is the longest that a request may take."""

    settle_s: float = 0.25
    answer_s: float = 30.0


class Drive:
    """See the module; one instance an execution.

    Args:
        meeting: whether the first requests of all lanes are sent in advance, and released together.
        profile: by request, how many calls it has made when so many were answered; written where a lane is alone.
        busy_s: how much processor time the service has used; one that computes is not silent.

    Attributes:
        paused: requests during which the service was silent for the settle time.
        unnamed: calls to the LLM of which nobody knows for whom they were made.
        guessed: see `Callers`.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        address: Address,
        stand_in: StandIn,
        limits: Limits,
        sessions: Sessions,
        interrupted: Callable[[], bool],
        meeting: bool = False,
        profile: dict[str, dict[int, int]] | None = None,
        busy_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.lanes = [Traffic(lane.name, deque(lane.requests)) for lane in lanes]
        self.events: list[Event] = []
        self.decisions: list[tuple[str, tuple[str, ...], bool]] = []
        self.paused: list[str] = []
        self.unnamed = 0
        self.overlapped = False
        self.stopped = ""
        self._address = address
        self._stand_in = stand_in
        self._limits = limits
        self._sessions = sessions
        self._interrupted = interrupted
        self._meeting = meeting and len(lanes) > 1
        self._alone = len(lanes) == 1
        self._busy_s = busy_s
        self._profile: dict[str, dict[int, int]] = {} if profile is None else profile
        self._changed = asyncio.Event()
        self._last: Traffic | None = None
        self._outcomes: dict[str, Outcome] = {}
        self._faults: list[tuple[int, str]] = []
        self._faulted: dict[str, str] = {}
        self._starts: list[int] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._waiting: dict[str, Connection] = {}
        self._unowned: list[Held] = []
        self._open = True
        self._callers = Callers(lanes, self.lanes)
        recorded = {request.id: list(request.answers) for lane in lanes for request in lane.requests}
        stand_in.begin(recorded)

    @property
    def guessed(self) -> dict[str, None]:
        return self._callers.guessed

    async def run(self, strategy: Strategy, max_in_flight: int | None) -> Execution:
        """Follow the strategy to the end.

        Raises:
            HandlerError: the service cannot be reached, or a request cannot be sent to it.
            Interrupted: the user asked to stop.
        """
        try:
            if self._meeting:
                for lane in self.lanes[:max_in_flight]:
                    self._waiting[lane.name] = await self._connected(lane.pending[0])
                await asyncio.sleep(_TAKEN_IN_S)
            previous: Traffic | None = None
            while not self.stopped:
                if self._interrupted():
                    raise Interrupted
                enabled = self._enabled(max_in_flight)
                if not enabled:
                    if not any(lane.in_flight for lane in self.lanes):
                        break
                    await self._stand(self.lanes)
                    continue
                chosen = strategy(cast("list[Actor]", enabled), cast("Actor | None", previous))
                lane = next(lane for lane in enabled if lane is cast("Any", chosen))
                goes_on = previous is not None and previous.in_flight and previous in enabled
                self.decisions.append((lane.name, tuple(each.name for each in enabled), goes_on))
                await self._let_on(lane)
                previous = lane
        finally:
            await self._end()
        return self._execution()

    def called(self, held: Held) -> None:
        """A call to the LLM has come in."""
        if not self._open:
            held.give(self._answer(held, ""))
            return
        lane = self._callers.caller(held.call, self._last)
        if lane is None:
            # When one of those that may have made it is answered, it is the other's.
            self._unowned.append(held)
        else:
            self._hold(lane, held)
        self._changed.set()

    def dropped(self, held: Held) -> None:
        """The service no longer waits for the answer to a call."""
        for lane in self.lanes:
            if held in lane.ready:
                lane.ready.remove(held)
        if held in self._unowned:
            self._unowned.remove(held)
        self._changed.set()

    def _hold(self, lane: Traffic, held: Held) -> None:
        told = self._sessions.recorded(held.call.told())
        lane.told.setdefault(lane.request, []).append((held.call.name, told))
        lane.ready.append(held)
        lane.made += 1
        self._event("await", lane, code=f"await {held.call.name}")

    # ---- letting on

    def _enabled(self, max_in_flight: int | None) -> list[Traffic]:
        room = max_in_flight is None or sum(lane.in_flight for lane in self.lanes) < max_in_flight
        return [lane for lane in self.lanes if lane.ready or (lane.pending and not lane.in_flight and room)]

    async def _let_on(self, lane: Traffic) -> None:
        fault, lane.fault = lane.fault, ""
        if fault and lane.ready:
            self._faults.append((len(self.decisions) - 1, fault))
            self._faulted[lane.request] = fault
            self._event("fault", lane, text=_FAULTS[fault])
            if fault == "cancel":
                await self._leave(lane)
                return
        if lane.ready:
            held = lane.ready.popleft()
            self._last = lane
            lane.given += 1
            self._expect(lane)
            if fault:
                lane.due = 0  # it may give up
            held.give(FAILED if fault else self._answer(held, lane.request))
            # The answer leaves in a later turn; the lane counts as running from now on.
            await asyncio.sleep(0)
            await self._stand([lane])
            await self._others_go_on()
            return
        request = lane.pending.popleft()
        try:
            connection = self._waiting.pop(lane.name, None) or await self._connected(request)
        except HandlerError as error:
            if not self._outcomes:
                raise
            self.stopped = str(error)  # it was there before
            return
        self.overlapped = self.overlapped or any(other.in_flight for other in self.lanes)
        self._starts.append(len(self.decisions) - 1)
        lane.in_flight = lane.sent = True
        lane.request, lane.session = request.id, request.session
        lane.made = lane.given = 0
        self._expect(lane)
        self._last = lane
        self._event("request", lane, text=request_text(request))
        connection.release()
        self._tasks[request.id] = asyncio.create_task(self._exchange(lane, request, connection))
        if self._meeting and any(not other.sent for other in self.lanes) and self._enabled(None):
            return
        await self._stand(self.lanes if self._meeting else [lane])
        await self._others_go_on()

    async def _leave(self, lane: Traffic) -> None:
        """Close the client's connection, as one that is closed or times out. What the service goes on to do is seen."""
        task = self._tasks[lane.request]
        task.cancel()
        await asyncio.wait([task])
        gone = Outcome(lane.request, lane.name, lane.session, None, (), None, finished=False, fault="cancel")
        self._outcomes[lane.request] = gone
        lane.due = 0
        # A service that notices gives up its call to the LLM; one that does not is answered when it is its turn.
        while lane.ready and await self._something(self._limits.settle_s):
            pass
        await self._others_go_on()

    def _expect(self, lane: Traffic) -> None:
        """How many calls the lane's request is to have made before it stands again."""
        lane.due = 0 if self._alone else self._profile.get(lane.request, {}).get(lane.given, 0)

    async def _connected(self, request: Request) -> Connection:
        now = self._sessions.sent(request)
        try:
            made = http_request(now.to_json())
        except ValueError as error:
            raise HandlerError(str(error)) from None
        names = {name for name, _ in made.headers}
        mark, trace = marks_of(request)
        added = [(LANE_HEADER, mark)]
        if "traceparent" not in names:
            added.append(("traceparent", f"00-{trace}-{mark}-01"))
        return await Connection.opened(self._address, on_the_wire(made, self._address, added))

    async def _exchange(self, lane: Traffic, request: Request, connection: Connection) -> None:
        """Wait for the answer to one request, and note it."""

        def part(text: str) -> None:
            self._event("chunk", lane, text=self._sessions.recorded(text))
            self._changed.set()

        try:
            received = await asyncio.wait_for(connection.answer(part), self._limits.answer_s)
            issued = Answered(received.headers, decoded(received.body, received.content_type))
            self._sessions.received(request, issued)
            self._note(lane, request, received)
        except asyncio.CancelledError:
            connection.close()
            raise
        except TimeoutError:
            connection.close()
            self.stopped = self.stopped or f"no answer to {request.id} within {self._limits.answer_s:g} s"
        finally:
            lane.in_flight = False
            self._changed.set()

    def _note(self, lane: Traffic, request: Request, received: Received) -> None:
        back = self._sessions.recorded
        body = back(decoded(received.body, received.content_type)) if received.body else None
        # A service that ends a connection without an answer has failed, as a handler that raises has.
        error = f"ConnectionError: {received.cut}" if received.cut else None
        self._outcomes[request.id] = Outcome(
            request.id,
            lane.name,
            request.session,
            received.status,
            tuple((name, back(value)) for name, value in received.headers),
            body,
            tuple(back(part) for part in received.parts),
            error,
            fault=self._faulted.get(request.id, ""),
        )
        kind = "response" if error is None else "error"
        self._event(kind, lane, text=error or body_text(body), status=received.status)

    # ---- standing still

    async def _stand(self, lanes: list[Traffic]) -> None:
        """Wait until each of the lanes can go no further by itself, or nothing has happened for the settle time."""
        busy_s = 0.0 if all(lane.stands for lane in lanes) else self._busy_s()
        while not self.stopped:
            if all(lane.stands for lane in lanes):
                known = all(lane.due or lane.given in self._profile.get(lane.request, ()) for lane in lanes)
                grace_s = _GRACE_ALONE_S if self._alone else _GRACE_S
                if not self._alone and known:
                    return
                if await self._something(grace_s):
                    continue
                for lane in lanes if self._alone else ():
                    most = self._profile.setdefault(lane.request, {})
                    most[lane.given] = max(most.get(lane.given, 0), lane.made)
                return
            # Where everyone under way has asked, nobody's answer will tell who asked what.
            all_asked = self._unowned and len(self._unowned) >= sum(not lane.stands for lane in self.lanes)
            if await self._something(_GRACE_S if all_asked else self._limits.settle_s):
                continue
            if self._unowned:
                held = self._unowned.pop(0)
                self.unnamed += 1
                for lane in self.lanes:
                    lane.due = 0  # one of them has made it, and it is not counted for any
                held.give(self._answer(held, ""))
                continue
            before_s, busy_s = busy_s, self._busy_s()
            if busy_s - before_s > self._limits.settle_s * _COMPUTING:
                continue  # it imports something, or the machine is slow
            if self._interrupted():
                raise Interrupted
            for lane in lanes:
                if lane.ready or not lane.in_flight:
                    lane.due = 0  # it makes fewer calls than it did alone
            silent = [lane.request for lane in lanes if not lane.stands]
            self.paused += [request for request in silent if request not in self.paused]
            if any(lane.ready or (lane.pending and not lane.in_flight) for lane in self.lanes):
                return

    async def _others_go_on(self) -> None:
        """Lanes that waited for the one which was let on may go on now, each to where it stands again."""
        while any(not lane.stands for lane in self.lanes) and await self._something(self._limits.settle_s / 4):
            pass

    async def _something(self, within_s: float) -> bool:
        """Whether anything happens within the time."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), within_s)
        except TimeoutError:
            return False
        for held in list(self._unowned):
            if (owner := self._callers.caller(held.call, self._last)) is not None:
                self._unowned.remove(held)
                self._hold(owner, held)
        return True

    # ---- calls to the LLM

    def _answer(self, held: Held, request: str) -> Any:
        """The answer that the stand-in has for a call of a request."""
        # The stand-in asks whose call it is, as it does inside a handler's process.
        token = ACTOR.set(cast("Actor", Traffic("", deque(), request=request)))
        try:
            return self._stand_in.answer(held.call)
        except UpstreamRefusedError as error:
            return refused(str(error))
        except Exception as error:
            return refused(f"the function given with --upstream failed with {type(error).__name__}")
        finally:
            ACTOR.reset(token)

    # ---- the end

    async def _end(self) -> None:
        """Nothing of this execution may come later: what is held is answered, what is open is closed."""
        self._open = False
        for held in self._unowned:
            held.give(self._answer(held, ""))
        for lane in self.lanes:
            while lane.ready:
                held = lane.ready.popleft()
                held.give(self._answer(held, lane.request))
        for connection in self._waiting.values():
            connection.close()
        for task in self._tasks.values():
            task.cancel()
        for result in await asyncio.gather(*self._tasks.values(), return_exceptions=True):
            if isinstance(result, Exception) and not self.stopped:
                raise result

    def _execution(self) -> Execution:
        outcomes: list[Outcome] = []
        by_name = {lane.name: lane for lane in self.lanes}
        for event in self.events:
            if event.kind == "request":
                never = Outcome(event.request, event.lane, event.session, None, (), None, finished=False)
                told = by_name[event.lane].told.get(event.request, ())
                outcomes.append(replace(self._outcomes.get(event.request, never), upstream=tuple(told)))
        return Execution(
            tuple(lane.name for lane in self.lanes),
            outcomes,
            self.decisions,
            self.overlapped,
            self.stopped,
            (),
            faults=tuple(self._faults),
            starts=tuple(self._starts),
            upstream=tuple(step for step in range(len(self.decisions)) if step not in set(self._starts)),
        )

    def _event(self, kind: str, lane: Traffic, text: str = "", code: str | None = None, status: Any = None) -> None:
        self.events.append(
            Event(
                len(self.events) + 1,
                len(self.decisions),
                lane.name,
                lane.session,
                lane.request,
                kind,
                text,
                code=code,
                status=status,
            )
        )
