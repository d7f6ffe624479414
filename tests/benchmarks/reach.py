"""How far "all N interleavings" reaches: whole checks of clean handlers in a worker, faults and variants off.

    python tests/benchmarks/reach.py [BUDGET_S]

For each number of users and awaits, a handler that keeps nothing and one that keeps a dict entry for each user: the
number of interleavings, how many executions the check made in all, its time, and what its verdict covers.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
import time
from math import factorial
from pathlib import Path

from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job

STATELESS = """
import asyncio
async def handle(user, message):
    seen = []
    for turn in range({awaits}):
        seen.append((turn, message))
        await asyncio.sleep(0.1)
    return f"{{user}} {{len(seen)}}"
"""
PER_SESSION = """
import asyncio
sessions = {{}}
async def handle(user, message):
    history = sessions.setdefault(user, [])
    for turn in range({awaits}):
        history.append((turn, message))
        await asyncio.sleep(0.1)
    return list(history)
"""
SIZES = ((2, 20), (4, 3), (8, 2))


async def measure(name: str, source: str, users: int, awaits: int, budget_s: float) -> None:
    exchanges = tuple(
        Exchange(Request(f"r{n}", f"s{n}", f"user{n}", n, f"my code is {n * 7919 + 10_000}", None, n))
        for n in range(users)
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "agent.py").write_text(source.format(awaits=awaits))
        job = Job("check", "reach", exchanges, "agent.py:handle", budget_s=budget_s, faults=False, variants=False)
        async with Worker(WorkerOptions(None, Path(folder))) as worker:
            start = time.perf_counter()
            report = (await worker.run(job)).report
            elapsed_s = time.perf_counter() - start
    count = factorial(users * (awaits + 1)) // factorial(awaits + 1) ** users
    shape = f"{users} x {awaits}"
    print(f"{shape:>7}  {name:<11} {count:>26,} {report.executions:>10,} {elapsed_s:>6.1f} s  {report.verdict}")
    print(f"         {report.coverage.statement}")


async def main() -> None:
    budget_s = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, budget {budget_s:g} s")
    print(f"{'size':>7}  {'handler':<11} {'interleavings':>26} {'executed':>10}   time")
    for users, awaits in SIZES:
        for name, source in (("stateless", STATELESS), ("per session", PER_SESSION)):
            await measure(name, source, users, awaits, budget_s)


if __name__ == "__main__":
    asyncio.run(main())
