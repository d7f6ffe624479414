"""A line for each lane while traffic is recorded: who is there, what is in flight, what came last."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

    from ...replay.record.recorder import Note


@dataclass(slots=True)
class _Lane:
    """What is known of one lane so far."""

    sessions: set[str] = field(default_factory=set[str])
    requests: int = 0
    open: dict[str, str] = field(default_factory=dict[str, str])
    chunks: int = 0
    upstream: int = 0
    failed: int = 0
    last: str = ""
    at: float = 0.0


class LiveLanes:
    """Takes the notes of a recorder and shows them; on something that is no terminal it prints each response."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lanes: dict[str, _Lane] = {}
        self.unnamed = 0

    @property
    def count(self) -> int:
        return len(self._lanes)

    def told(self, note: Note) -> None:
        name = note.user or note.session
        lane = self._lanes.setdefault(name, _Lane())
        lane.at = time.monotonic()
        if note.what == "request":
            lane.requests += 1
            lane.sessions.add(note.session)
            lane.open[note.request] = note.title
            if note.user is None and note.session.startswith("connection-"):
                self.unnamed += 1
        elif note.what == "chunk":
            lane.chunks += 1
        elif note.what == "upstream":
            lane.upstream += 1
        else:
            lane.open.pop(note.request, None)
            lane.failed += note.end != "ok" or (note.status or 0) >= 500
            lane.last = f"{note.status or '—'} {note.title}" + (f" ({note.end})" if note.end != "ok" else "")
            if not self._console.is_terminal:
                # For a log: rendering each line would take longer than all of its recording.
                self._console.file.write(safe(f"{name}: {lane.last}", 200) + "\n")

    @contextlib.contextmanager
    def shown(self) -> Generator[None]:
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, get_renderable=self.table, refresh_per_second=8, transient=True):
            yield

    def table(self) -> Table:
        """The lanes that were busy last, as many as the terminal is high."""
        table = Table(box=None, pad_edge=False, header_style="dim")
        for title in ("lane", "sessions", "requests", "in flight", "last"):
            table.add_column(
                title,
                justify="right" if title in ("sessions", "requests") else "left",
                no_wrap=True,
                overflow="ellipsis",
            )
        room = max(3, self._console.height - 6)
        busiest = sorted(self._lanes.items(), key=lambda item: (-bool(item[1].open), -item[1].at))[:room]
        shown = {name for name, _ in busiest}
        for name, lane in self._lanes.items():  # in the order in which they came, so that lines do not jump
            if name not in shown:
                continue
            flying = next(iter(lane.open.values()), "")
            more = f" +{len(lane.open) - 1}" if len(lane.open) > 1 else ""
            streamed = f" · {lane.chunks} parts" if lane.chunks and lane.open else ""
            table.add_row(
                Text(safe(name, 24), "bold"),
                str(len(lane.sessions)),
                str(lane.requests),
                Text(f"● {safe(flying, 30)}{more}{streamed}" if flying else "·", "green" if flying else "dim"),
                Text(safe(lane.last, 40), "red" if lane.failed and lane.last[:1] in ("5", "—") else ""),
            )
        if len(self._lanes) > room:
            table.add_row(Text(f"and {len(self._lanes) - room} more", "dim"))
        return table
