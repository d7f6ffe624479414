"""LangSmith runs: JSONL, lists, pages of the API, and the batches that SDKs send, whose halves are joined by id.

The `session_id` of a run is the project it was logged to and never a session; sessions are in the run's metadata.
Fields: langsmith-sdk `schemas.py`, RunBase.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .assemble import imported
from .documents import objects, records, samples
from .found import Dropped, Format, Item, Reading, Source, keep_json
from .spans import Event, Kind, Span, opaque_id, time_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..trace.model import Json

_ENVELOPES = ("runs", "data", "post", "patch")
_KINDS: dict[str, Kind] = {"llm": "llm", "embedding": "llm", "tool": "tool", "retriever": "tool"}
_DOTTED = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{0,9})Z(.+)")


def detects(source: Source) -> bool:
    """Whether the head holds runs: an id with a type and inputs, or with a dotted order."""
    return any(
        "id" in value
        and (
            (isinstance(value.get("run_type"), str) and bool({"inputs", "start_time", "dotted_order"} & value.keys()))
            or _dotted(value)[0] is not None
        )
        for value in objects(samples(source), *_ENVELOPES)
    )


def read(source: Source, reading: Reading) -> Iterator[Item]:
    """Every exchange in the file, trace by trace."""
    return imported(_spans(source), source, reading)


def _spans(source: Source) -> Iterator[Span | Dropped]:
    for record in records(source, ("item", *(f"{name}.item" for name in _ENVELOPES), "")):
        if isinstance(record, Dropped):
            yield record
            continue
        where, path, value = record
        if path == "" and isinstance(value, dict) and value.keys() <= {*_ENVELOPES, "cursors", "parsed_query"}:
            continue  # an envelope with nothing in it
        waiting = [value]
        while waiting:
            run = waiting.pop()
            yield _span(run, where)
            children = run.get("child_runs") if isinstance(run, dict) else None
            waiting += children if isinstance(children, list) else ()


def _span(run: Json, where: str) -> Span | Dropped:
    if not isinstance(run, dict):
        return Dropped(where, "is no run")
    identity = opaque_id(run.get("id"))
    if identity is None:
        return Dropped(where, "a run without an id")
    began_ns, first = _dotted(run)
    end_ns = time_ns(run.get("end_time"))
    # The half of a run that its end sends may know nothing of its start; joined with the other it need not.
    start_ns = time_ns(run.get("start_time")) or began_ns or end_ns
    if start_ns is None:
        return Dropped(f"{where}#{identity[:40]}", "a run without a start time")
    extra = keep_json(run.get("extra"))
    metadata = keep_json(extra.get("metadata")) if isinstance(extra, dict) else None
    fields = metadata if isinstance(metadata, dict) else {}
    if isinstance(run.get("thread_id"), str):
        fields = {"thread_id": run["thread_id"], **fields}
    attributes = {
        name: value
        for name, value in (
            ("input.value", keep_json(run.get("inputs"))),
            ("output.value", keep_json(run.get("outputs"))),
            ("gen_ai.request.model", fields.get("ls_model_name") if run.get("run_type") == "llm" else None),
        )
        if value not in (None, "", {}, [])
    }
    return Span(
        opaque_id(run.get("trace_id")) or first or identity,
        identity,
        opaque_id(run.get("parent_run_id")),
        str(run.get("name") or ""),
        _KINDS.get(str(run.get("run_type")).lower(), ""),
        start_ns,
        end_ns,
        attributes,
        fields,
        tuple(_first_token(run.get("events"))),
        "error" if run.get("error") else "",
    )


def _dotted(run: dict[str, Json]) -> tuple[int | None, str | None]:
    """When a run began, and the id of the first of its trace, as its dotted order has them."""
    order = run.get("dotted_order")
    if not isinstance(order, str):
        return None, None
    first, last = _DOTTED.fullmatch(order.partition(".")[0]), _DOTTED.fullmatch(order.rpartition(".")[2])
    if first is None or last is None:
        return None, None
    year, month, day, hour, minute, second, fraction, _ = last.groups()
    return time_ns(f"{year}-{month}-{day}T{hour}:{minute}:{second}.{fraction or 0}Z"), first[8][:128]


def _first_token(events: Json) -> Iterator[Event]:
    """One event of a stream stands for all: there is one for each token, without its text."""
    for event in events if isinstance(events, list) else ():
        if isinstance(event, dict) and event.get("name") == "new_token":
            yield Event("new_token", time_ns(event.get("time")) or 0, {})
            return


FORMAT = Format("langsmith", detects, read)
