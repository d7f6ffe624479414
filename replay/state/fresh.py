"""Fresh state for every execution: put back what can be proven to be everything, fork where it cannot.

A fork costs two to three milliseconds, putting back a few microseconds. Both start from the state after import.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import CrosslaneError, HandlerBlockedInC, HandlerError, StateEscaped
from . import content

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from .graph import StateGraph

T = TypeVar("T")
_LOOK_S = 0.2
_GRACE_S = 2.0


class Interrupted(Exception):  # noqa: N818 - a request of the user, no error
    """The user asked to stop while an execution was under way."""


class Pulse(Protocol):
    """What keeps a process from hanging unnoticed; see `worker.watchdog`."""

    limit_s: float

    def restart_in_child(self, beat: Callable[[], None]) -> None: ...
    def stop(self) -> None: ...


class Fresh:
    """Runs jobs, each on the state that the program had after import.

    Attributes:
        forking: whether executions are kept apart by fork.
    """

    def __init__(self, fork: bool, pulse: Pulse, interrupted: Callable[[], bool], keep: Collection[str] = ()) -> None:
        self.forking = fork
        self._keep = frozenset(keep)
        self._graph: StateGraph | None = None
        self._pulse = pulse
        self._interrupted = interrupted
        self._folder = os.getcwd()

    @property
    def ready(self) -> bool:
        """Whether `start` was called."""
        return self._graph is not None

    @property
    def graph(self) -> StateGraph:
        assert self._graph is not None, "start() comes first"
        return self._graph

    def start(self, graph: StateGraph) -> None:
        """From now on executions start from the state that `graph` has seen."""
        self._graph = graph
        graph.keep(self._keep)
        if self.forking or graph.unproven:
            self.fork()

    def fork(self) -> None:
        """From now on executions are kept apart by fork. None must have been made in this process before."""
        self.forking = True
        gc.collect()
        gc.freeze()  # so that collections in the children do not copy the pages of what was imported

    @property
    def escaped(self) -> bool:
        """Whether something has changed unnoticed, for which `StateEscaped` was raised."""
        return self._graph is not None and bool(self._graph.late)

    def begin_again(self, keep: Collection[str]) -> None:
        """Put back what has changed unnoticed, now and from now on. The executions so far are worth nothing."""
        self.graph.late.clear()
        self.graph.keep(keep)
        self.graph.restore()

    def prove(self) -> None:
        """Compare all state with what it was at first.

        Raises:
            StateEscaped: something changed that was not being put back.
        """
        if self._graph is not None and not self.forking:
            self._graph.prove()
            self._refuse_late(self._graph)

    def in_fork(self, job: Callable[[], T]) -> T:
        """What `job()` returns, as JSON has it; nothing that it does stays.

        Raises:
            HandlerError, Interrupted: as `run`.
        """
        return self._forked(job)

    def run(self, job: Callable[[], T], encode: Callable[[T], Any], decode: Callable[[Any], T]) -> T:
        """Return what `job()` returns.

        Args:
            encode, decode: to and from JSON, for the way back from a forked process.

        Raises:
            HandlerError: the process of the job died; the message says how.
            Interrupted: the user asked to stop.
        """
        if self.forking:
            return decode(self._forked(lambda: self._encoded(job, encode)))
        try:
            return job()
        finally:
            self.graph.restore()
            self._refuse_late(self.graph)
            if os.getcwd() != self._folder:
                os.chdir(self._folder)

    def _encoded(self, job: Callable[[], T], encode: Callable[[T], Any]) -> Any:
        try:
            return encode(job())
        finally:
            # Of what is open, a fork shares the content and the position with the process it comes from.
            for index, node in enumerate(self.graph.nodes):
                if node.form == "stream":
                    content.write(node.form, node.target, self.graph.first(index))

    def _refuse_late(self, graph: StateGraph) -> None:
        if graph.late:
            names = "" if graph.hopeless else "\n".join(graph.late)
            raise StateEscaped(f"{graph.late[0]} changed and was not put back", names)

    def _forked(self, job: Callable[[], Any]) -> Any:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _answer(writer, job, self._pulse)
        os.close(writer)
        try:
            data = self._read(reader, child)
        finally:
            os.close(reader)
            _, status = os.waitpid(child, 0)
        if not data:
            code = os.waitstatus_to_exitcode(status)
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with status {code}"
            raise HandlerError(f"the process that ran the handler {how}", remedy="the handler ended its own process")
        answer = json.loads(data)
        if "error" in answer:
            raise HandlerError(*answer["error"])
        return answer["result"]

    def _read(self, reader: int, child: int) -> bytes:
        pieces: list[bytes] = []
        silent_s = 0.0
        while True:
            if self._interrupted():
                os.kill(child, signal.SIGKILL)
                raise Interrupted
            ready, _, _ = select.select([reader], [], [], _LOOK_S)
            silent_s = 0.0 if ready else silent_s + _LOOK_S
            if silent_s > self._pulse.limit_s + _GRACE_S:
                os.kill(child, signal.SIGUSR1)  # faulthandler writes its stack, where the client looks for it
                select.select([reader], [], [], _LOOK_S)
                os.kill(child, signal.SIGKILL)
                raise HandlerBlockedInC(silent_s)
            if ready:
                piece = os.read(reader, 1 << 16)
                if not piece:
                    return b"".join(pieces).lstrip()
                pieces.append(piece)


def _answer(writer: int, job: Callable[[], Any], pulse: Pulse) -> None:
    """In the child: do the job, write the answer, and end without any clean-up of the parent's."""
    status = 0
    try:
        # White space before the answer, which JSON does not mind, says that the child is alive.
        pulse.restart_in_child(lambda: _beat(writer))
        try:
            answer = {"result": job()}
        except CrosslaneError as error:
            answer = {"error": [error.what, error.where, error.remedy]}
        pulse.stop()
        data = json.dumps(answer).encode("utf-8", "surrogatepass")
        while data:
            data = data[os.write(writer, data) :]
    except BaseException:
        status = 70
    finally:
        os._exit(status)


def _beat(writer: int) -> None:
    os.write(writer, b" ")
