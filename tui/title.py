"""The line at the top, in the room that there is: the verdict is the last thing to go.

First the paths are shortened in their middle, as long as they can still be told; then goes what is beside the verdict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_NAME = "crosslane  "
_BETWEEN = "   "
_TOLD = 24
_LEAST = 9


def title(paths: str, before: Sequence[str], verdict: str, after: Sequence[str], width: int) -> str:
    """The paths, then what stands before the verdict, the verdict, and what stands after it, in `width` cells.

    All of them are safe to show already. What stands last goes first.
    """
    name, goes = _NAME, [*before, *after]
    while True:
        said = [part for part in (*before, verdict, *after) if part and (part == verdict or part in goes)]
        rest = "".join(_BETWEEN + part for part in said)
        room = width - 1 - len(name) - cell_len(rest)
        if room >= min(cell_len(paths), _TOLD if goes else _LEAST):
            return f" {name}{shortened(paths, room)}{rest}"
        if goes:
            goes.pop()
        elif name:
            name = ""
        else:
            return f" {verdict or shortened(paths, width - 1)}"


def shortened(text: str, width: int) -> str:
    """`text` in at most so many cells: its beginning and its end, which say more of a path than its middle."""
    if cell_len(text) <= width:
        return text
    if width < 3:
        return set_cell_size(text, max(0, width)).rstrip()
    end = width // 2
    start = set_cell_size(text, width - 1 - end).rstrip()
    tail = text[-end:]
    while cell_len(tail) > end:
        tail = tail[1:]
    return f"{start}…{tail}"
