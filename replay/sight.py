"""What could be seen at each row of an observed run: the user's frames with their locals, and how shared state changed.

Plain data. Texts, frames and stacks are kept once each and referred to by number: a step changes few of them, and a run
has many steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame of the user's code. `locals` are names with the numbers of their texts."""

    function: str
    at: str
    locals: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Change:
    """In the scheduler's step `step` (counted from 1, as in `Event.step`) `lane` changed a shared thing. `before` and
    `after` are numbers of texts."""

    step: int
    lane: str
    name: str
    kind: str
    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Held:
    """A shared thing as it is at some step: its value, who wrote it last and when, and what it was before if this step
    changed it, else None."""

    name: str
    kind: str
    value: str
    writer: str
    written_at: int
    before: str | None


@dataclass(frozen=True, slots=True)
class Sight:
    """See the module.

    Attributes:
        stacks: numbers of frames, innermost first.
        rows: for each event of the run the number of its stack, or -1.
        remark: what is left out, in words.
    """

    texts: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    stacks: tuple[tuple[int, ...], ...] = ()
    rows: tuple[int, ...] = ()
    changes: tuple[Change, ...] = ()
    remark: str = ""

    def stack(self, row: int) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """Function, place and locals of each frame at a row of the run, innermost first."""
        number = self.rows[row] if 0 <= row < len(self.rows) else -1
        frames = [self.frames[n] for n in self.stacks[number]] if number >= 0 else []
        return [(f.function, f.at, [(name, self.texts[text]) for name, text in f.locals]) for f in frames]

    def state(self, step: int) -> list[Held]:
        """Every shared thing that was written up to the end of a step, the latest first. One that this run writes later
        is not there yet."""
        held: dict[str, Held] = {}
        for change in self.changes:
            if change.step > step:
                break
            before = self.texts[change.before] if change.step == step else None
            held.pop(change.name, None)
            held[change.name] = Held(
                change.name, change.kind, self.texts[change.after], change.lane, change.step, before
            )
        return list(held.values())[::-1]

    def to_json(self) -> dict[str, Any]:
        return {
            "texts": list(self.texts),
            "frames": [[frame.function, frame.at, [list(pair) for pair in frame.locals]] for frame in self.frames],
            "stacks": [list(stack) for stack in self.stacks],
            "rows": list(self.rows),
            "changes": [[c.step, c.lane, c.name, c.kind, c.before, c.after] for c in self.changes],
            "remark": self.remark,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Sight:
        return cls(
            tuple(data["texts"]),
            tuple(Frame(function, at, tuple((name, n) for name, n in found)) for function, at, found in data["frames"]),
            tuple(tuple(stack) for stack in data["stacks"]),
            tuple(data["rows"]),
            tuple(Change(*change) for change in data["changes"]),
            data["remark"],
        )
