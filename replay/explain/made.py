"""Objects that a request makes, uses and then puts where all reach them, such as a connection that goes into a pool.

By the time such an object can be reached by a name it holds what its maker has left in it. So it is watched from the
end of its constructor on, known by how many objects of the program's classes had been made before it.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..state import content
from ..state.content import identity
from .places import MADE, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from types import FrameType

    from ..handler.reply import Reply
    from ..program import Program
    from ..schedule.actors import Actor
    from ..schedule.loop import ControlledLoop
    from ..trace.model import Request


class Constructions:
    """Calls `built` with the number and the object whenever a constructor of one of these modules' classes is done."""

    def __init__(self, modules: Container[str], built: Callable[[int, Any], None]) -> None:
        self._modules = modules
        self._built = built
        self._count = 0

    def trace(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002
        """A trace function, which goes on within constructors alone. That of a dataclass is in no file."""
        if frame.f_code.co_name != "__init__":
            return None
        if event == "return":
            made = _constructed(frame)
            if type(made).__module__ in self._modules and _constructed(frame.f_back) is not made:
                self._count += 1
                self._built(self._count, made)
        return self.trace


def _constructed(frame: FrameType | None) -> Any:
    if frame is None or frame.f_code.co_name != "__init__" or not frame.f_code.co_argcount:
        return None
    return frame.f_locals.get(frame.f_code.co_varnames[0])


class Members:
    """Observer: which members a container has that were made since, as places from which on to watch them."""

    def __init__(self, program: Program, container: Place) -> None:
        self.found: dict[Place, None] = {}
        self._graph = program.graph_now(container.wide)
        self._container = container
        self._made: dict[int, tuple[int, Any]] = {}
        self._constructions = Constructions(self._graph.user_modules, self._built)

    def _built(self, number: int, made: Any) -> None:
        self._made[identity(made)] = (number, made)

    def begin(self, loop: ControlledLoop) -> None:
        def before(actor: Actor) -> None:  # noqa: ARG001
            loop.line_hook = self._constructions.trace
            sys.settrace(self._constructions.trace)

        loop.before_step, loop.after_step = before, self._after

    def _after(self, actor: Actor) -> None:  # noqa: ARG002
        sys.settrace(None)
        place = self._container
        node = place.node_in(self._graph)
        for key, value in content.members(node.form, node.target):
            number, made = self._made.get(identity(value), (0, None))
            # A key that a request brought along is nobody's name for anything.
            if made is value and (key.isdigit() or key[1:-1] in self._graph.texts):
                name = f"{place.name}[{key}]"
                self.found[Place(-1, str(number), name, place.kind, MADE, place.owner, place.file)] = None

    def started(self, request: Request, lane: str) -> None: ...
    def chunk(self, request: Request, lane: str, text: str) -> None: ...
    def answered(self, request: Request, lane: str, reply: Reply) -> None: ...
    def end(self, loop: ControlledLoop) -> None: ...
