"""How long another choice at a step takes, from the key to the new run: `python -m tests.benchmarks.branching`.

Every choice that the sample's runs leave open is taken once, in a worker that is warm, as it is in the interface. The
timeline is there first; what came of it follows, once it is confirmed, made small and explained.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

from crosslane.replay.schedule.branching import branched, others
from crosslane.replay.trace.store import load
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Progress
from crosslane.tui import samples
from crosslane.tui.session import OpenSession

SAMPLES = (
    ("shared_list.jsonl", "shared_list.py:handle_message"),
    ("shared_list.jsonl", "fixed_contextvar.py:handle_message"),
    ("overlap.jsonl", "overlap.py:handle_message"),
    ("overlap.jsonl", "overlap_fixed.py:handle_message"),
    ("fastapi_app.jsonl", "fastapi_app.py:app"),
)


async def milliseconds(trace: str, handler: str) -> list[tuple[float, float]]:
    """Of each branch of the sample's lockstep run, until its timeline is there and until its verdict is."""
    folder = samples.folder()
    session = OpenSession(load(folder / trace), handler, WorkerOptions(cwd=folder))
    taken: list[tuple[float, float]] = []
    async with Worker(session.options) as worker:
        await worker.run(session.job("check"))
        run = (await worker.run(session.job("replay"))).run
        for step, decision in enumerate(run.decisions):
            for lane in others(decision):
                seen: list[float] = []

                def on_progress(progress: Progress, seen: list[float] = seen) -> None:
                    seen += [time.perf_counter()] if progress.run is not None else []

                began = time.perf_counter()
                schedule, then = branched(run.decisions, step, lane)
                job = session.job("replay", schedule=schedule, then=then, timeline_first=True)
                await worker.run(job, on_progress)
                taken.append(((seen[0] - began) * 1e3, (time.perf_counter() - began) * 1e3))
    return taken


def main() -> None:
    for trace, handler in SAMPLES:
        taken = asyncio.run(milliseconds(trace, handler))
        sys.stdout.write(f"{handler:<36} {len(taken):>3} branches\n")
        for what, each in zip(("timeline", "verdict"), zip(*taken, strict=True), strict=True):
            line = f"    {what:<9} least {min(each):6.1f} ms"
            sys.stdout.write(f"{line}   median {statistics.median(each):6.1f} ms   most {max(each):6.1f} ms\n")


if __name__ == "__main__":
    main()
