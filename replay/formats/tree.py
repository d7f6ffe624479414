"""The spans of one trace as the tree that their parents make of them, whatever is missing or doubled in it.

Everything is iterative and ordered by time and id: a trace may be nested ten thousand deep, and what is imported must
not depend on the order of the file.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from .spans import Event, Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MISSING = "the span of the request is missing"
"""The name of a span that stands for one that others name as their parent and that is not in the file."""


class Tree:
    """The roots of a trace and what is below each span, by start.

    Attributes:
        roots: spans without a parent, or whose parent is not in the file.
        cut: of those the ones that name a parent.
    """

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = _once_each(spans)
        self._below: dict[str, list[Span]] = defaultdict(list)
        roots: list[Span] = []
        for span in self._spans.values():
            if span.parent_id is None or span.parent_id == span.span_id or span.parent_id not in self._spans:
                roots.append(span)
            else:
                self._below[span.parent_id].append(span)
        self.roots = roots + self._loops(roots)
        self.roots.sort(key=_when)
        # A parent with the name of the trace is the trace itself, which need not have a span of its own.
        self.cut = [span for span in self.roots if span.parent_id not in (None, span.trace_id)]

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans.values())

    def below(self, span: Span, enter: Callable[[Span], bool] = lambda _: True) -> Iterator[Span]:
        """The span and all below it, each before what is below it; not below those that `enter` refuses."""
        waiting = [span]
        while waiting:
            current = waiting.pop()
            yield current
            if enter(current):
                waiting += reversed(self._below.get(current.span_id, ()))

    def children(self, span: Span) -> list[Span]:
        """The spans directly below one."""
        return self._below.get(span.span_id, [])

    def topmost(self, span: Span, wanted: Callable[[Span], bool]) -> list[Span]:
        """The wanted spans at or below a span that have no wanted one above them."""
        return [found for found in self.below(span, lambda each: not wanted(each)) if wanted(found)]

    def above(self, span: Span) -> list[Span]:
        """The spans above one, the root first."""
        found: list[Span] = []
        seen = {span.span_id}
        while span.parent_id is not None and span.parent_id in self._spans and span.parent_id not in seen:
            span = self._spans[span.parent_id]
            seen.add(span.span_id)
            found.append(span)
        return found[::-1]

    def join(self, spans: list[Span]) -> Span:
        """A span over some roots that name the same missing parent, which then stands for it."""
        first = spans[0]
        ends = [span.end_ns for span in spans if span.end_ns is not None]
        joined = Span(
            first.trace_id, str(first.parent_id), None, MISSING, "", first.start_ns, max(ends) if ends else None
        )
        self._spans[joined.span_id] = joined
        self._below[joined.span_id] = spans
        return joined

    def _loops(self, roots: list[Span]) -> list[Span]:
        """Of spans that are each other's ancestors the earliest becomes a root."""
        reached = {below.span_id for root in roots for below in self.below(root)}
        found: list[Span] = []
        for span in self._spans.values():
            if span.span_id not in reached:
                siblings = self._below[str(span.parent_id)]
                self._below[str(span.parent_id)] = [each for each in siblings if each.span_id != span.span_id]
                found.append(span)
                reached |= {below.span_id for below in self.below(span)}
        return found


def _when(span: Span) -> tuple[int, str]:
    return span.start_ns, span.span_id


def _once_each(spans: Iterable[Span]) -> dict[str, Span]:
    """Each span once, by start, with the log records that belong to it among its events."""
    found: dict[str, Span] = {}
    logs: dict[str, list[Event]] = defaultdict(list)
    for span in spans:
        if span.kind == "log":
            logs[str(span.parent_id)] += span.events
        elif span.span_id not in found:
            found[span.span_id] = span
        else:
            found[span.span_id] = _merged(found[span.span_id], span)
    for name, events in logs.items():
        if name in found:
            ordered = sorted([*found[name].events, *events], key=lambda event: event.at_ns)
            found[name] = replace(found[name], events=tuple(ordered))
    return {span.span_id: span for span in sorted(found.values(), key=_when)}


def _merged(one: Span, other: Span) -> Span:
    """A span that was exported twice, such as at its start and at its end: what either knows."""
    return Span(
        one.trace_id,
        one.span_id,
        one.parent_id or other.parent_id,
        one.name or other.name,
        one.kind or other.kind,
        min(one.start_ns, other.start_ns),
        max((end for end in (one.end_ns, other.end_ns) if end is not None), default=None),
        {**other.attributes, **one.attributes},
        {**other.fields, **one.fields},
        max(one.events, other.events, key=len),
        one.status or other.status,
    )
