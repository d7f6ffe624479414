"""The two ends of the line that is drawn through an observed run, and the place where it surfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..detect.verbatim import Candidate
    from ..run import Event, Run


def ends(run: Run, candidate: Candidate) -> tuple[int | None, int | None, int | None]:
    """The write, the read and the sink of the drawn line, as `Event.seq`."""
    answers = [e for e in run.events if e.request == candidate.request and e.kind in ("response", "error", "chunk")]
    shown = [e for e in answers if _tells(e, candidate)]
    sink = shown[0] if shown else (answers[-1] if answers else None)
    until = sink.seq if sink is not None else len(run.events) + 1
    foreign = [e for e in run.events if e.kind == "write" and e.lane == candidate.source and e.seq < until]
    mine = [e for e in run.events if e.lane == candidate.sink and e.request == candidate.request and e.seq < until]
    # A task that belongs to no lane works for whom it carries the data of.
    ownerless = [e for e in run.events if e.lane not in run.lanes and e.seq < until]
    foreign = foreign or [e for e in ownerless if e.kind == "write" and _tells(e, candidate)]
    reads = [e for e in mine if e.kind == "read"] or [e for e in mine if e.kind == "write"]
    reads = reads or [e for e in ownerless if e.kind == "read"]
    # The last read before the answer is the one whose result was shown; a write that it followed was the source's. A
    # line that writes may have looked only for where to put something.
    writing = {e.at for e in mine if e.kind == "write"}
    reads = [*(e for e in reads if e.at in writing), *(e for e in reads if e.at not in writing)]
    # What takes a thing out of a queue changes that, too.
    taking = [e for e in mine if e.kind == "write"]
    read = next((e for e in (*reversed(reads), *reversed(taking)) if any(w.seq < e.seq for w in foreign)), None)
    before = [w for w in foreign if read is None or w.seq < read.seq]
    telling = [w for w in before if _tells(w, candidate)] or before
    # Where the source put it, rather than where it then took something else from beside it.
    while len(telling) > 1 and len(telling[-1].text) < len(telling[-2].text):
        telling.pop()
    write = telling[-1] if telling else None
    return (
        write.seq if write is not None else None,
        read.seq if read is not None else None,
        sink.seq if sink is not None else None,
    )


def _tells(event: Event, candidate: Candidate) -> bool:
    return any(token in event.text.casefold() for token in candidate.tokens)
