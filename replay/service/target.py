"""A running service in the place of a loaded program: the same `execute`, over the wire.

The event loop belongs to the thread that runs the job, and turns only during an execution, so that everything above it
is the same straight code as for handlers in a worker.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..errors import HandlerError
from ..handler.load import load_function
from ..pause import Pause
from ..schedule.execute import run_of
from ..state.files import UserFiles
from ..trace.sessions import Recorded, Sessions
from ..upstream.stand_in import MODES, StandIn
from ..worker.job import Progress
from .client import Address, address_of
from .drive import Drive, Limits
from .launch import Launched, free_port, ready_s_of
from .llm import Held, StubLlm, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from ..run import Run
    from ..schedule.execute import Execution
    from ..schedule.strategies import Strategy
    from ..trace.lanes import Lane
    from ..worker.job import Job
    from .options import ServiceOptions


_CHANCES = 4
"""Which of the requests that are released together a busy machine brings first differs now and then."""


@dataclass(slots=True)
class Target:
    """The service, with the members that the search, the confirming and the minimising ask of a `Program`.

    Attributes:
        interrupted: whether to make an end, for whatever reason. `asked`: whether the user asked for it.
        pause: executions wait while it lasts.
        meeting: whether requests are released together, see `Drive`.
        paused: requests in which the service was silent for long while it was alone with them.
        waited: the same for requests that were not alone, and were silent in no solo run.
        unnamed: calls to the LLM that belonged to nobody.
        profile: see `Drive`.
        ready_s: how long the service may take to listen. `told` hears that it is waited for.
    """

    address: Address
    options: ServiceOptions
    limits: Limits
    asked: Callable[[], bool]
    interrupted: Callable[[], bool]
    stand_in: str
    upstream_calls: tuple[str, ...] = ()
    upstream_allow: tuple[str, ...] = ()
    executions: int = 0
    pause: Pause = field(default_factory=Pause)
    cancels: bool = True
    repeatable: bool = False
    meeting: bool = False
    paused: dict[str, None] = field(default_factory=dict[str, None])
    waited: dict[str, None] = field(default_factory=dict[str, None])
    unnamed: int = 0
    profile: dict[str, dict[int, int]] = field(default_factory=dict[str, dict[int, int]])
    ready_s: float = 0.0
    told: Callable[[Progress], None] = lambda _progress: None
    remarks: dict[str, None] = field(default_factory=dict[str, None])
    refusals: dict[str, None] = field(default_factory=dict[str, None])
    fresh: Any = field(default_factory=lambda: SimpleNamespace(forking=True))
    handler: Any = field(default_factory=lambda: SimpleNamespace(kind="http", module=""))
    recorded: Recorded = field(default_factory=lambda: Recorded({}, ()))
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _llm: StubLlm = field(init=False)
    _launched: Launched | None = None
    _started: bool = False
    _drive: Drive | None = None
    _guessed: dict[bool, dict[str, None]] = field(default_factory=lambda: {False: {}, True: {}})
    _answers: StandIn = field(init=False)

    @classmethod
    def of(cls, job: Job, options: ServiceOptions, asked: Callable[[], bool]) -> Self:
        """The target that a job names.

        Raises:
            HandlerError: its address, or what is to answer for the LLM, cannot be used.
        """
        address = address_of(job.handler, options.allow_remote)
        if options.launch is not None and address.port == 0:
            address = Address(address.host, free_port(), address.tls, address.path)
        mode = job.upstream or ("recorded" if any(e.upstream for e in job.exchanges) else "echo")
        if mode == "pass":
            raise HandlerError(
                "a service's calls cannot be passed on", "--upstream pass", "use recorded, echo or FILE.py:function"
            )
        target = cls(address, options, Limits(options.settle_s, options.answer_s), asked, asked, mode)
        cwd = str(options.cwd)
        answering = mode if mode in MODES else load_function(mode, UserFiles(cwd, (cwd,)))
        target.recorded = Recorded.of(job.exchanges, job.boundary)
        target.ready_s = ready_s_of(job.budget_s)
        target._answers = StandIn(
            answering,
            lambda _name, _told: None,
            target.refusals.setdefault,
            target.remarks.setdefault,
            contextlib.nullcontext,
        )
        return target

    @property
    def chances(self) -> int:
        """How many executions of one schedule it may take to show again what one of them has shown."""
        return _CHANCES if self.meeting else 1

    @property
    def guessed(self) -> dict[str, None]:
        """See `Callers`. Of requests that were released together it is told apart: it says nothing of the others."""
        return self._guessed[self.meeting]

    @property
    def keeps_state(self) -> bool:
        """Whether what one execution leaves behind is there in the next."""
        return self._launched is None or self.options.keep_state

    def open(self) -> None:
        """Start the stub LLM, and get ready to start the service.

        Raises:
            CrosslaneError: the stub's port is taken.
        """
        self._llm = StubLlm(self.options.llm_port, self._called, self._dropped)
        self._loop.run_until_complete(self._llm.start())
        if self.options.launch is not None:
            self._launched = Launched(
                self.options.launch,
                self.options.cwd,
                self.address.host,
                self.address.port,
                self._llm.port,
                self.ready_s,
            )

    def close(self) -> None:
        if self._launched is not None:
            self._launched.stop()
        try:
            self._loop.run_until_complete(self._llm.stop())
        finally:
            self._loop.close()

    def execute(self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None = None) -> Execution:
        """One execution, on fresh state where the service is started here. Counts it.

        Raises:
            HandlerError: the service cannot be started or reached.
        """
        return self._execute(lanes, strategy, max_in_flight)[0]

    def why_unstable(self, lanes: Sequence[Lane], strategy: Strategy) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing: what varies inside another process cannot be seen from here."""
        return ()

    def observed(
        self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None = None
    ) -> tuple[Execution, Run]:
        """The same with its timeline."""
        execution, drive = self._execute(lanes, strategy, max_in_flight)
        return execution, run_of(execution, drive.events, cancels=self.cancels)

    def _execute(self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None) -> tuple[Execution, Drive]:
        self.pause.wait(self.interrupted)
        self.executions += 1
        return self._loop.run_until_complete(self._on_loop(lanes, strategy, max_in_flight))

    async def _on_loop(
        self, lanes: Sequence[Lane], strategy: Strategy, max_in_flight: int | None
    ) -> tuple[Execution, Drive]:
        await self._fresh()
        # A salt for each execution where state is kept: what an earlier one left in its sessions is not met again.
        salt = None if self.options.identity == "recorded" else str(self.executions if self.keeps_state else 0)
        sessions = Sessions(self.recorded, salt)
        busy_s = self._launched.busy_s if self._launched is not None else lambda: 0.0
        drive = Drive(
            lanes,
            self.address,
            self._answers,
            self.limits,
            sessions,
            self.asked,
            self.meeting,
            self.profile,
            busy_s,
        )
        self._drive = drive
        try:
            execution = await drive.run(strategy, max_in_flight)
        except HandlerError as error:
            if self._launched is not None and await self._launched.ended():
                raise HandlerError(f"the service ended ({self._launched.how_it_ended()})", "--launch") from None
            raise error from None
        finally:
            self._drive = None
        alone = len(lanes) == 1
        for request in drive.paused:
            if alone or request not in self.paused:
                (self.paused if alone else self.waited).setdefault(request)
        self.guessed.update(drive.guessed)
        if not self.meeting:  # whoever comes first there is not controlled anyway
            self.unnamed += drive.unnamed
        for remark in sessions.remarks():
            self.remarks.setdefault(remark)
        failed = execution.stopped or any(outcome.error is not None for outcome in execution.outcomes)
        if failed and self._launched is not None and await self._launched.ended():
            execution.stopped = f"the service ended ({self._launched.how_it_ended()})"
        return execution, drive

    async def _fresh(self) -> None:
        if self._launched is None or (self._started and self.options.keep_state):
            return
        self._launched.stop()
        if not self._started:
            phase = f"waiting for the service to listen on port {self.address.port}"
            self.told(Progress(phase, 0, 0.0, 0))
        await self._launched.start(self.asked)
        self._started = True

    def _called(self, held: Held) -> None:
        if self._drive is not None:
            self._drive.called(held)
            return
        self.unnamed += 1
        held.give(refused("no request is under way"))

    def _dropped(self, held: Held) -> None:
        if self._drive is not None:
            self._drive.dropped(held)
