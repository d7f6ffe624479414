"""Looks at the program at each row of an observed run and keeps what is to be seen there, see `sight`.

Nothing of the program runs. What is kept is bounded: a value is cut, a frame shows some of its locals, and when a run
has said enough, later rows have their places and no values.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..sight import Change, Frame, Sight
from .describe import describe
from .places import MISSING, changed_places, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from ..state.files import UserFiles
    from ..state.graph import StateGraph
    from .places import Place

_MOST_FRAMES = 12
_MOST_LOCALS = 20
_MOST_CHARACTERS = 500_000
_MOST_COMPARED = 3_000_000
_VALUE = 200
_STATE_VALUE = 1_000
_CONTENT_FORMS = ("defaults", "cache", "lock", "multidict", "frozenlist")


class Looking:
    """One run under way."""

    def __init__(self, files: UserFiles) -> None:
        self._files = files
        self._texts: dict[str, int] = {}
        self._frames: dict[Frame, int] = {}
        self._stacks: dict[tuple[int, ...], int] = {}
        self._rows: list[int] = []
        self._changes: list[Change] = []
        self._remarks: dict[str, None] = {}
        self._characters = 0
        self._compared = 0
        self._graph: StateGraph | None = None
        self._known: dict[Place, tuple[Any, int]] = {}

    def begin(self, graph: StateGraph) -> None:
        """`graph` is the state as it is before the first request."""
        self._graph = graph

    def chain(self, frame: FrameType | None) -> list[FrameType]:
        """The user's frames from this one outwards."""
        found: list[FrameType] = []
        while frame is not None and len(found) < _MOST_FRAMES:
            if frame.f_code.co_filename in self._files and frame.f_code.co_name != "<module>":
                found.append(frame)
            frame = frame.f_back
        return found

    def stack(self, chain: Sequence[FrameType], line: tuple[str, int] | None = None) -> int:
        """The number of the stack that these frames are now; -1 for none. `line` is the one of the innermost that a row
        is about, where it has gone on since."""
        if not chain:
            return -1
        numbers = tuple(self._number(self._frames, self._frame(f, None if n else line)) for n, f in enumerate(chain))
        return self._number(self._stacks, numbers)

    def row(self, stack: int) -> None:
        """The next event of the run has this stack."""
        self._rows.append(stack)

    def forget_row(self) -> None:
        """The last event is taken back: another comes in its place."""
        self._rows.pop()

    def step_done(self, step: int, lane: str) -> None:
        """Note what shared state `lane` has changed in a step."""
        graph = self._graph
        if graph is None:
            return
        self._compared += len(graph.nodes)
        if self._compared > _MOST_COMPARED:
            self._remarks.setdefault(f"shared state was not looked at after step {step - 1}")
            self._graph = None
            return
        now = [place for place in changed_places(graph) if place.form != "random" and not place.package]
        for place in dict.fromkeys((*self._known, *now)):
            value = _content(place, graph)
            mark = fingerprint(value)
            known = self._known.get(place)
            if known is None:
                before = self._text(_described(_first(place, graph)))
            elif known[0] == mark:
                continue
            else:
                before = known[1]
            after = self._text(_described(value))
            self._known[place] = (mark, after)
            self._changes.append(Change(step, lane, place.name, place.kind, before, after))

    def sight(self) -> Sight:
        return Sight(
            tuple(self._texts),
            tuple(self._frames),
            tuple(self._stacks),
            tuple(self._rows),
            tuple(self._changes),
            "; ".join(self._remarks),
        )

    # ---- once each

    def _frame(self, frame: FrameType, line: tuple[str, int] | None) -> Frame:
        file = frame.f_code.co_filename
        at = self._files.at(file, line[1] if line is not None and line[0] == file else frame.f_lineno)
        named = [(name, value) for name, value in frame.f_locals.items() if not name.startswith(".")]
        held = [(name, self._text(describe(value, _VALUE))) for name, value in named[:_MOST_LOCALS]]
        if len(named) > _MOST_LOCALS:
            held.append(("…", self._text(f"{len(named) - _MOST_LOCALS} more")))
        return Frame(frame.f_code.co_qualname, at, tuple(held))

    def _text(self, text: str) -> int:
        if text not in self._texts:
            if self._characters > _MOST_CHARACTERS:
                self._remarks.setdefault("values late in the run were not kept")
                text = "(not kept)"
            self._characters += len(text)
        return self._number(self._texts, text)

    def _number(self, kept: dict[Any, int], what: Any) -> int:
        return kept.setdefault(what, len(kept))


def _content(place: Place, graph: StateGraph) -> Any:
    if place.key is None and place.form in _CONTENT_FORMS:
        return place.read(graph)
    return place.value(graph)


def _first(place: Place, graph: StateGraph) -> Any:
    first = place.first(graph)
    return first[0] if place.form == "cell" and place.key is None and first else first


def _described(value: Any) -> str:
    return "(not set)" if value is MISSING else describe(value, _STATE_VALUE)
