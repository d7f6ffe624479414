"""Spans of a file in no order, given back trace by trace: through a temporary SQLite file.

So memory stays bounded whatever the size of the import. The file is deleted when the reading ends, however it ends.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from .found import Dropped
from .spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BATCH = 500
_BATCH_BYTES = 4 << 20
_LARGEST_TRACE = 64 << 20


def by_trace(items: Iterable[Span | Dropped], name: str) -> Iterator[Dropped | list[Span]]:
    """What was dropped as it comes, then each trace with its spans by start; traces by start.

    Of a trace larger than 64 MB the first spans are kept. `name` is the file's, for messages.
    """
    with (
        tempfile.TemporaryDirectory(prefix="crosslane-") as folder,
        closing(sqlite3.connect(Path(folder) / "spans.db", isolation_level=None)) as database,
    ):
        for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-8000"):
            database.execute(f"PRAGMA {pragma}")
        database.execute("CREATE TABLE span (trace TEXT, start INTEGER, body TEXT)")
        yield from _filled(database, items, name)
        database.execute("CREATE INDEX of_trace ON span (trace, start)")
        traces = database.execute("SELECT trace, min(start) AS first FROM span GROUP BY trace ORDER BY first, trace")
        for trace, _ in traces:
            yield from _trace(database, trace, name)


def _filled(database: sqlite3.Connection, items: Iterable[Span | Dropped], name: str) -> Iterator[Dropped]:
    rows: list[tuple[str, int, str]] = []
    size = 0
    database.execute("BEGIN")
    for item in items:
        if isinstance(item, Dropped):
            yield item
            continue
        try:
            body = json.dumps(item.to_json())
        except (RecursionError, ValueError, TypeError):
            yield Dropped(f"{name}#{item.span_id[:40]}", "is nested too deeply")
            continue
        rows.append((_plain(item.trace_id), item.start_ns, body))
        size += len(body)
        if len(rows) >= _BATCH or size > _BATCH_BYTES:
            database.executemany("INSERT INTO span VALUES (?, ?, ?)", rows)
            rows, size = [], 0
    database.executemany("INSERT INTO span VALUES (?, ?, ?)", rows)
    database.execute("COMMIT")


def _trace(database: sqlite3.Connection, trace: str, name: str) -> Iterator[Dropped | list[Span]]:
    spans: list[Span] = []
    size = left = 0
    # The body is part of the order: a span recorded twice must not depend on which came first.
    for (body,) in database.execute("SELECT body FROM span WHERE trace = ? ORDER BY start, body", (trace,)):
        size += len(body)
        if size > _LARGEST_TRACE:
            left += 1
            continue
        spans.append(Span.from_json(json.loads(body)))
    if left:
        yield Dropped(f"{name}#{trace[:40]}", f"a trace of more than 64 MB: its last {left} spans are left out")
    if spans:
        yield spans


def _plain(text: str) -> str:
    """A lone surrogate, which JSON may escape, cannot be stored as text."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
