"""Breakpoints over a recorded run: where the cursor stops when it is told to continue. No code is ever evaluated.

A breakpoint is written as one line:

    app.py:14              a line of the source
    await                  every await; `await bob` those of a lane, `await bob 2` its second
    request r7             a request by its id; `request bob 2` a lane's second
    context == "hello"     a shared variable, or a field of the row, has this value; `!=` another
    context ~ Ferrante     its text contains this
    ~ Ferrante             anything in the row does
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..replay.run import Event, Run

FIELDS = ("lane", "session", "request", "kind", "at", "code", "status", "text")
_COMPARISON = re.compile(r"^(?P<name>[^\s=!~]*)\s*(?P<how>==|!=|~)\s*(?P<value>.+)$", re.DOTALL)
_LINE = re.compile(r"^(?P<file>\S.*):(?P<line>\d+)$")


class NotABreakpoint(ValueError):  # noqa: N818 - said to the user as it stands
    """The message says what would be one."""


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """`text` is how it was written. `name` is a file, a lane, a request or a variable, by `kind`; `value` what it is
    compared with by `how`; `number` the line, or which one of a lane's (0: every one)."""

    text: str
    kind: Literal["line", "await", "request", "value"]
    name: str
    number: int = 0
    how: str = ""
    value: str = ""


def parse(text: str) -> Breakpoint:
    """The breakpoint that a line says.

    Raises:
        NotABreakpoint: it says none.
    """
    text = text.strip()
    words = text.split()
    if not words:
        raise NotABreakpoint("write app.py:14, await bob 2, request r7, name == value, or ~ text")
    if words[0] in ("await", "request") and not _COMPARISON.match(text):
        return _counted(text, words)
    compared = _COMPARISON.match(text)
    if compared is not None:
        name, how, value = compared["name"], compared["how"], compared["value"].strip()
        if not name and how != "~":
            raise NotABreakpoint(f"a name has to stand before {how}: context {how} {value[:40]}")
        return Breakpoint(text, "value", name, how=how, value=value)
    line = _LINE.match(text)
    if line is not None:
        return Breakpoint(text, "line", line["file"], int(line["line"]))
    raise NotABreakpoint(f"{text[:60]} is no breakpoint: app.py:14, await bob 2, request r7, name == value, or ~ text")


def _counted(text: str, words: list[str]) -> Breakpoint:
    kind: Literal["await", "request"] = "await" if words[0] == "await" else "request"
    rest = words[1:]
    number = 0
    if len(rest) > 1 and rest[-1].isdecimal():
        number = int(rest.pop())
        if number == 0:
            raise NotABreakpoint(f"the first one is 1: {kind} {' '.join(rest)} 1")
    return Breakpoint(text, kind, " ".join(rest), number)


def next_hit(hits: Sequence[int], row: int, by: int) -> int | None:
    """The next hit after a row, or before it."""
    return next((hit for hit in (hits if by > 0 else reversed(hits)) if (hit - row) * by > 0), None)


def rows(breakpoints: Sequence[Breakpoint], run: Run) -> list[int]:
    """The rows of a run at which one of the breakpoints hits, in order; a row is an index into its events."""
    found: set[int] = set()
    for breakpoint_ in breakpoints:
        found.update(_rows(breakpoint_, run))
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Stops:
    """Where breakpoints stop in a run: the rows in order, and which of them each breakpoint hits."""

    rows: tuple[int, ...]
    of: tuple[tuple[Breakpoint, tuple[str, ...], int], ...]
    """Each breakpoint, the places in the source of its rows, and how many rows there are."""

    def lines(self, file: str) -> dict[int, str]:
        """The lines of a file that breakpoints are on, or stop at, and what there is to say of each."""
        said: dict[int, list[str]] = {}
        for breakpoint_, places, hits in self.of:
            if breakpoint_.kind == "line":
                if file == breakpoint_.name or file.endswith(f"/{breakpoint_.name}"):
                    said.setdefault(breakpoint_.number, []).append(hits_in_words(hits))
                continue
            for place in places:
                at, _, line = place.rpartition(":")
                if at == file and line.isdecimal():
                    said.setdefault(int(line), []).append(breakpoint_.text)
        return {line: ", ".join(words) for line, words in said.items()}


def stops(breakpoints: Sequence[Breakpoint], run: Run) -> Stops:
    """Where these breakpoints stop in a run."""
    every: set[int] = set()
    of: list[tuple[Breakpoint, tuple[str, ...], int]] = []
    for breakpoint_ in breakpoints:
        hits = rows([breakpoint_], run)
        every.update(hits)
        of.append((breakpoint_, tuple(dict.fromkeys(run.events[row].at or "" for row in hits)), len(hits)))
    return Stops(tuple(sorted(every)), tuple(of))


def hits_in_words(hits: int) -> str:
    return f"{hits} row{'' if hits == 1 else 's'}" if hits else "no row of this run"


def toggled(breakpoints: tuple[Breakpoint, ...], file: str, line: int) -> tuple[Breakpoint, ...]:
    """With a breakpoint on a line, or without those that were on it."""
    left = tuple(b for b in breakpoints if (b.kind, b.name, b.number) != ("line", file, line))
    return left if len(left) < len(breakpoints) else (*breakpoints, Breakpoint(f"{file}:{line}", "line", file, line))


def _rows(breakpoint_: Breakpoint, run: Run) -> Iterator[int]:
    match breakpoint_.kind:
        case "line":
            end = f"{breakpoint_.name}:{breakpoint_.number}"
            for row, event in enumerate(run.events):
                if event.at is not None and (event.at == end or event.at.endswith(f"/{end}")):
                    yield row
        case "value":
            for row, event in enumerate(run.events):
                if _compares(breakpoint_, _values(breakpoint_.name, event)):
                    yield row
            yield from _changed(breakpoint_, run)
        case kind:
            wanted = ("await", "blocked") if kind == "await" else ("request",)
            counts: dict[str, int] = {}
            for row, event in enumerate(run.events):
                if event.kind in wanted:
                    counts[event.lane] = counts.get(event.lane, 0) + 1
                    whose = breakpoint_.name in ("", event.lane) or (
                        kind == "request" and breakpoint_.name == event.request
                    )
                    if whose and breakpoint_.number in (0, counts[event.lane]):
                        yield row


def _changed(breakpoint_: Breakpoint, run: Run) -> Iterator[int]:
    """The last row of each step that has made a shared thing what the breakpoint says."""
    if run.sight is None:
        return
    last = {event.step: row for row, event in enumerate(run.events)}
    for change in run.sight.changes:
        named = breakpoint_.name in ("", change.name) or change.name.endswith(f".{breakpoint_.name}")
        if named and change.step in last and _compares(breakpoint_, [run.sight.texts[change.after]]):
            yield last[change.step]


def _compares(breakpoint_: Breakpoint, texts: Iterable[str]) -> bool:
    if breakpoint_.how == "~":
        wanted = breakpoint_.value.casefold()
        return any(wanted in text.casefold() for text in texts)
    equal = [_equal(text, breakpoint_.value) for text in texts]
    return any(equal) if breakpoint_.how == "==" else bool(equal) and not any(equal)


def _values(name: str, event: Event) -> Iterator[str]:
    """What the row has under a name: a field of its own, or the carrier by its name or the end of it."""
    if not name:
        yield from (text for text in (event.text, event.carrier, event.code, event.at) if text)
    elif name in FIELDS:
        value = getattr(event, name)
        if value is not None:
            yield str(value)
    elif event.carrier is not None and (event.carrier == name or event.carrier.endswith(f".{name}")):
        yield event.text


def _equal(text: str, value: str) -> bool:
    """As texts, or as the JSON or the quoted text that they say: `"a"` and `'a'` are a, and `1.0` is 1."""
    return text == value or _meaning(text) == _meaning(value)


def _meaning(text: str) -> object:
    """What a JSON text means; the words of JSON are texts like any other."""
    if len(text) > 1 and text[0] == text[-1] == "'" and "\\" not in text:
        return text[1:-1]
    try:
        return text if text in ("true", "false", "null") else json.loads(text)
    except (ValueError, RecursionError):
        return text
