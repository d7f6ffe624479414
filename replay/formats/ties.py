"""Which recorded exchanges came in and which the service made itself, and whose request each of those was made for.

A capture between services holds both kinds side by side. Calls of LLM interfaces are told by host, others by the trace
id that they share with a request to another host. A call belongs to the request with its trace id, else to the only
one that was in flight all the while. Where several were, it is left out: a guess would be evidence against a user.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from .found import Dropped
from .record import found, trace_id, upstream_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..trace.model import Upstream
    from .found import Item, Reading
    from .record import Recorded

Records: TypeAlias = "Callable[[], Iterator[Recorded | Dropped]]"
"""Reads the records of a source from its start; called twice, and both times the same come in the same order."""

SEVERAL = "upstream call could belong to several requests"
ONLY_CALLS = "calls of an LLM read as requests: the file has no others"
_HOSTS = re.compile(
    r"(?:.+\.)?(?:api\.openai\.com|api\.anthropic\.com|openai\.azure\.com|generativelanguage\.googleapis\.com|"
    r"[\w-]*aiplatform\.googleapis\.com|bedrock-runtime\.[\w-]+\.amazonaws\.com|api\.mistral\.ai|api\.cohere\.(?:ai|com)|"
    r"api\.groq\.com|api\.together\.(?:ai|xyz)|api\.deepseek\.com|api\.x\.ai|api\.perplexity\.ai|api\.fireworks\.ai|"
    r"openrouter\.ai|api\.voyageai\.com|api-inference\.huggingface\.co|router\.huggingface\.co|api\.replicate\.com)"
)
_PATHS = re.compile(r"(?:/[\w.-]+)*/v1/(?:chat/completions|completions|messages|responses|embeddings)")
_SLACK_NS = 5_000_000  # clocks of two places in one capture, and times in whole milliseconds
_FROM_LLM_HOST, _LIKE_LLM, _OTHER = 2, 1, 0


@dataclass(slots=True)
class _Ties:
    """By the number of a record. `parent` has the upstream calls, None where there is no telling; the rest came in."""

    parent: dict[int, int | None] = field(default_factory=dict[int, "int | None"])
    why: dict[int, str] = field(default_factory=dict[int, str])
    awaited: Counter[int] = field(default_factory=Counter[int])
    doubtful: set[int] = field(default_factory=set[int])
    only_calls: bool = False


@dataclass(frozen=True, slots=True)
class _Span:
    number: int
    start_ns: int
    end_ns: int
    host: str
    likeness: int
    trace: str


def exchanges(records: Records, reading: Reading) -> Iterator[Item]:
    """The requests that came in, each with its upstream calls; one is held back only until its last call was read."""
    ties = _ties(records)
    waiting: dict[int, Recorded] = {}
    calls: dict[int, list[Upstream]] = defaultdict(list)

    def finished(number: int, record: Recorded) -> Item:
        made = sorted(calls.pop(number, ()), key=lambda call: call.at_ns)
        notes = ((SEVERAL,) if number in ties.doubtful else ()) + ((ONLY_CALLS,) if ties.only_calls else ())
        return _item(record, reading, made, notes)

    for number, record in enumerate(records()):
        if isinstance(record, Dropped):
            yield record
        elif number not in ties.parent:
            if ties.awaited[number]:
                waiting[number] = record
            else:
                yield finished(number, record)
        elif (parent := ties.parent[number]) is None:
            yield Dropped(record.source, ties.why[number])
        else:
            ties.awaited[parent] -= 1
            try:
                calls[parent].append(upstream_of(record))
            except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
                yield Dropped(record.source, f"is not usable ({type(error).__name__})")
            if not ties.awaited[parent] and parent in waiting:
                yield finished(parent, waiting.pop(parent))
    for number, record in waiting.items():
        yield finished(number, record)


def _item(record: Recorded, reading: Reading, calls: list[Upstream], lossy: tuple[str, ...]) -> Item:
    try:
        return found(record, reading, calls, lossy)
    except (ValueError, TypeError, ArithmeticError, AttributeError, IndexError, RecursionError) as error:
        return Dropped(record.source, f"is not usable ({type(error).__name__})")


def _ties(records: Records) -> _Ties:
    spans = [_span(number, record) for number, record in enumerate(records()) if not isinstance(record, Dropped)]
    calls = _calls(spans)
    ties = _Ties()
    if len(calls) == len(spans):
        ties.only_calls = bool(calls)
        return ties
    if not calls:
        return ties
    # A sweep over time: what is in flight when a call begins are the few that it could belong to.
    open_: list[_Span] = []
    for span in sorted(spans, key=lambda span: (span.start_ns, span.number in calls)):
        open_ = [other for other in open_ if other.end_ns + _SLACK_NS >= span.start_ns]
        if span.number not in calls:
            open_.append(span)
            continue
        around = [other for other in open_ if other.end_ns + _SLACK_NS >= span.end_ns]
        traced = [other for other in around if span.trace and other.trace == span.trace]
        candidates = traced or [other for other in around if not (span.trace and other.trace)]
        if not candidates and span.likeness != _FROM_LLM_HOST:
            # It only looked like a call: nothing of the file can have made it.
            open_.append(span)
            continue
        if len(candidates) == 1:
            ties.parent[span.number] = candidates[0].number
            ties.awaited[candidates[0].number] += 1
            continue
        ties.parent[span.number] = None
        ties.why[span.number] = SEVERAL if candidates else "upstream call that belongs to no request of the file"
        ties.doubtful.update(other.number for other in candidates)
    return ties


def _calls(spans: list[_Span]) -> set[int]:
    """The numbers of the exchanges that the service made itself.

    A service may speak an LLM's protocol, and then all that came in looks like a call: it counts only where another
    host of the same file does not.
    """
    calls = {span.number for span in spans if span.likeness == _FROM_LLM_HOST}
    others = {span.host for span in spans if span.likeness == _OTHER}
    calls |= {span.number for span in spans if span.likeness == _LIKE_LLM and others - {span.host}}
    first: dict[str, _Span] = {}
    for span in sorted(spans, key=lambda span: (span.start_ns, -span.end_ns)):
        if not span.trace or span.number in calls:
            continue
        root = first.setdefault(span.trace, span)
        if root is not span and root.host != span.host and root.end_ns + _SLACK_NS >= span.end_ns:
            calls.add(span.number)
    return calls


def _span(number: int, record: Recorded) -> _Span:
    try:
        url = urlsplit(record.url)
        name, host, path = (url.hostname or "").lower(), url.netloc.lower(), url.path
    except ValueError:
        name, host, path = "", "", ""
    likeness = _FROM_LLM_HOST if _HOSTS.fullmatch(name) else _LIKE_LLM if _PATHS.fullmatch(path) else _OTHER
    end_ns = record.end_ns if record.end_ns is not None else record.start_ns
    return _Span(number, record.start_ns, end_ns, host, likeness, trace_id(record.headers))
