"""Executions per second of the whole `check`, with one worker process and with several.

    python tests/benchmarks/cores.py [SECONDS] [JOBS ...]

Each search gets SECONDS (default 15), which include what sharing costs: the first second alone, starting the other
processes, waiting for the last. JOBS default to 1 and 2. The handler's schedules are far more than can be executed; in
`busy` each step also computes for about 0.1 ms, as parsing a prompt would.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import tempfile
from pathlib import Path

from crosslane.replay.report import Result
from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.client import WorkerOptions
from crosslane.replay.worker.job import Job
from crosslane.replay.worker.pool import Pool

HANDLERS = {
    "plain": "await asyncio.sleep(0)",
    "busy": "sum(range(5_000)); await asyncio.sleep(0)",
}
SOURCE = """
import asyncio

async def handle(user, message):
    for _ in range(60):
        {step}
    return f"{{user}} said {{message}}"
"""


async def measure(step: str, jobs: int, seconds: float) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "agent.py").write_text(SOURCE.format(step=step))
        exchanges = tuple(
            Exchange(Request(f"r{n}", f"s{n}", f"user{n}", n, f"my code is {n * 7919 + 10_000}", None, n))
            for n in range(3)
        )
        job = Job("check", "bench", exchanges, "agent.py:handle", budget_s=seconds, faults=False, variants=False)
        async with Pool(WorkerOptions(cwd=Path(folder)), jobs) as pool:
            return await pool.run(job)


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 15.0
    counts = [int(text) for text in sys.argv[2:]] or [1, 2]
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {load} before, {seconds:.0f} s each")
    print(f"{'handler':>8} {'jobs':>5} {'executions/s':>13} {'schedules/s':>12} {'ratio':>6}")
    for name, step in HANDLERS.items():
        base = 0.0
        for jobs in counts:
            report = asyncio.run(measure(step, jobs, seconds)).report
            schedules = int(report.coverage.statement.partition(" schedules;")[0].rpartition(" ")[2])
            rate = schedules / report.elapsed_s
            base = base or rate
            executions = report.executions / report.elapsed_s
            print(f"{name:>8} {jobs:>5} {executions:>13,.0f} {rate:>12,.0f} {rate / base:>6.2f}")
    print(f"load after: {', '.join(f'{value:.1f}' for value in os.getloadavg())}")


if __name__ == "__main__":
    main()
