"""From what a caller names to a job: a trace, a handler and options, with the project's settings in their place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .errors import CrosslaneError, TraceError
from .option_types import shortly
from .trace.model import Exchange, Trace

if TYPE_CHECKING:
    from .settings import Settings

TraceLike: TypeAlias = str | Path | Trace | Sequence[Mapping[str, Any]]
"""A path, a loaded trace, or requests as in a trace file: `{"user": "alice", "message": "I am Alice"}`."""

_REQUESTS = 'give a path, or a list of requests such as {"user": "alice", "message": "I am Alice"}'


def trace_of(trace: TraceLike) -> Trace:
    """The trace that is meant.

    Raises:
        TraceError: it cannot be read, or one of the given requests is none.
    """
    from .trace.store import load, of_events

    if isinstance(trace, Trace):
        return trace
    if isinstance(trace, (str, Path)):
        return load(trace)
    given = cast("object", trace)  # nothing has looked at its type
    if not isinstance(given, Iterable):
        raise TraceError(f"{shortly(given)} is no trace", remedy=_REQUESTS)
    requests = list(cast("Iterable[object]", given))
    for number, request in enumerate(requests, 1):
        if not isinstance(request, Mapping):
            raise TraceError(
                f"is {shortly(request)}, which is no request", f"request {number} of those given", _REQUESTS
            )
    try:
        events = cast(
            "list[dict[str, Any]]",
            json.loads(json.dumps([dict(cast("Mapping[str, Any]", request)) for request in requests])),
        )
    except (TypeError, ValueError) as error:
        raise TraceError(f"cannot be written as JSON: {error}", "the requests") from None
    made = of_events(events, "requests")
    if made.problems:
        first = made.problems[0]
        raise TraceError(first.message, f"request {first.line} of those given")
    return made


def replayable(trace: Trace) -> tuple[Exchange, ...]:
    """The exchanges whose requests were recorded in full.

    Raises:
        TraceError: there is none.
    """
    kept = tuple(exchange for exchange in trace.exchanges if exchange.request.grade == "replayable")
    if not kept:
        raise TraceError(
            "holds no request that can be replayed: the content of all of them was not recorded",
            trace.path,
            "record it with bodies, or look at it with crosslane audit",
        )
    return kept


def left_out(trace: Trace, kept: Sequence[Exchange]) -> str:
    """A remark on the requests that are not there to be replayed; "" where all are."""
    left = len(trace.exchanges) - len(kept)
    of = len(trace.exchanges)
    return f"{left} of {of} requests are left out: their content was not recorded" if left else ""


def nothing_recorded(exchanges: Iterable[Exchange], upstream: str) -> str:
    """A remark where recorded answers of LLMs and tools were asked for and there are none; else ""."""
    if upstream != "recorded" or any(exchange.upstream for exchange in exchanges):
        return ""
    return (
        "the trace has no upstream calls, so --upstream recorded repeats none: LLMs answer with their whole prompt, as "
        "with --upstream echo"
    )


def handler_or_set(handler: str | None, settings: Settings) -> str:
    """The handler that was named, else that of the settings.

    Raises:
        CrosslaneError: there is neither.
    """
    if handler is not None:
        return handler
    if settings.handler is None:
        raise CrosslaneError("no handler is given, and none is set", remedy="name one, or run crosslane init")
    return settings.handler


def trace_or_set(trace: TraceLike | None, settings: Settings) -> TraceLike:
    """The trace that was named, else that of the settings.

    Raises:
        CrosslaneError: there is neither.
    """
    if trace is not None:
        return trace
    if settings.trace is None:
        raise CrosslaneError(
            "no trace is given, and none is set",
            remedy="name one, or set trace in crosslane.toml or [tool.crosslane]",
        )
    return settings.trace
