"""One lane of a running service as strategies see it: what it has sent, and which of its calls are held."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .llm import Held

if TYPE_CHECKING:
    from ..trace.model import Request


@dataclass(slots=True, eq=False)
class Traffic:
    """One lane as strategies see it: the members of an `Actor` that they ask for.

    Attributes:
        ready: its calls that are held, in order. `pending`: its requests that are not yet sent.
        made: calls of the latest request so far. `due`: how many it had made here when it was alone.
        given: how many of them were answered.
    """

    name: str
    pending: deque[Request]
    ready: deque[Held] = field(default_factory=deque[Held])
    in_flight: bool = False
    background: bool = False
    fault: str = ""
    request: str = ""
    session: str = ""
    sent: bool = False
    made: int = 0
    due: int = 0
    given: int = 0
    told: dict[str, list[tuple[str, Any]]] = field(default_factory=dict[str, "list[tuple[str, Any]]"])

    @property
    def stands(self) -> bool:
        """Whether it can go no further by itself."""
        return (not self.in_flight or bool(self.ready)) and self.made >= self.due
