"""The text in a streamed response: what a user saw is put together from many small parts, and cut anywhere.

A value that crossed may be split over several parts of a stream, each wrapped in its own JSON. So a stream is looked
at twice: as it stood on the wire, and as the text that its deltas make when they are joined. Both know where in the
wire text each character stood, so that it can be told when it arrived, and be replaced.

The deltas are those of OpenAI chat (`content`, `arguments`) and responses (`delta`), Anthropic (`text`,
`partial_json`), Vercel's UI stream (`delta`, `textDelta`) and the usual hand-made ones (`token`, `chunk`, `answer`).
"""

from __future__ import annotations

import bisect
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_DELTA = re.compile(
    r'"(content|text|delta|textDelta|partial_json|arguments|output_text|token|chunk|answer|reply|message|response)"'
    r'\s{0,4}:\s{0,4}("(?:[^"\\]|\\.)*")'
)


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of text in the wire text of a stream: where its JSON string stands, without the quotes."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Joined:
    """The text that the deltas under one key make.

    Attributes:
        starts: where each delta begins in `text`.
    """

    key: str
    text: str
    deltas: tuple[Delta, ...]
    starts: tuple[int, ...]

    def at(self, position: int) -> int:
        """Where the character at a position of `text` stood in the wire text: the start of its delta."""
        return self.deltas[bisect.bisect_right(self.starts, position) - 1].start


def joined(wire: str) -> tuple[Joined, ...]:
    """The texts that the deltas of a stream make, one for each key that occurs more than once."""
    found: dict[str, list[Delta]] = {}
    for match in _DELTA.finditer(wire):
        try:
            text = json.loads(match[2], strict=False)
        except ValueError:
            continue
        found.setdefault(match[1], []).append(Delta(match.start(2) + 1, match.end(2) - 1, text))
    result: list[Joined] = []
    for key, deltas in found.items():
        if len(deltas) < 2:
            continue
        starts: list[int] = []
        length = 0
        for delta in deltas:
            starts.append(length)
            length += len(delta.text)
        result.append(Joined(key, "".join(delta.text for delta in deltas), tuple(deltas), tuple(starts)))
    return tuple(result)


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of a text become `text`."""

    start: int
    end: int
    text: str


def edited(parts: Iterable[str], edits: Iterable[Edit]) -> list[str]:
    """The parts of a stream after edits of the text that they make. A part that is cut by an edit gets all of it.

    Of edits that overlap, the first wins.
    """
    parts = list(parts)
    wire = "".join(parts)
    ends: list[int] = []
    for part in parts:
        ends.append((ends[-1] if ends else 0) + len(part))
    pieces: list[list[str]] = [[] for _ in parts]
    at = 0

    def copy(upto: int) -> None:
        nonlocal at
        while at < upto:
            index = bisect.bisect_right(ends, at)
            stop = min(upto, ends[index])
            pieces[index].append(wire[at:stop])
            at = stop

    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if edit.start < at or not parts:
            continue
        copy(edit.start)
        pieces[min(bisect.bisect_right(ends, edit.start), len(parts) - 1)].append(edit.text)
        at = edit.end
    copy(len(wire))
    return ["".join(piece) for piece in pieces]


def edits_across(text: Joined, replacements: Iterable[Edit]) -> list[Edit]:
    """The edits of the wire text that make these replacements in a joined text."""
    changed = edited((delta.text for delta in text.deltas), replacements)
    return [
        Edit(delta.start, delta.end, json.dumps(new)[1:-1])
        for delta, new in zip(text.deltas, changed, strict=True)
        if new != delta.text
    ]
