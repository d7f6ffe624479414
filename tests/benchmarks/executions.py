"""Executions per second in the worker, fresh state and detection on, beside plain `asyncio.gather` of the same handler.

    python tests/benchmarks/executions.py [RUNS]

Everything is measured in this one process with the worker's own pieces: patches, audit hook and watchdog included. The
baseline is what a hand-written test does: `asyncio.gather` on one loop that is kept. Each figure is the median of RUNS
rounds (default 5), each about a second.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CLOCK = time.perf_counter  # before the worker makes time virtual

HANDLER = """
import asyncio

async def handle(user, message):
    for _ in range({awaits}):
        await asyncio.sleep(0)
    return f"{{user}} said {{message}}"
"""


def rounds(work: Callable[[], None], count: int) -> float:
    """Calls of `work` a second, median of `count` rounds."""
    work()
    rates: list[float] = []
    for _ in range(count):
        start, calls = CLOCK(), 0
        while CLOCK() - start < 1.0:
            for _ in range(50):
                work()
            calls += 50
        rates.append(calls / (CLOCK() - start))
    return statistics.median(rates)


def measure(users: int, awaits: int, count: int) -> tuple[float, float]:
    """(executions a second, gathers a second)."""
    from crosslane.replay.investigation import Investigation
    from crosslane.replay.schedule.strategies import Lockstep
    from crosslane.replay.trace.lanes import lanes_of
    from crosslane.replay.trace.model import Exchange, Request
    from crosslane.replay.worker import serve
    from crosslane.replay.worker.capture import Capture
    from crosslane.replay.worker.determinism import Determinism
    from crosslane.replay.worker.job import Job
    from crosslane.replay.worker.watchdog import Interrupt

    class Deaf:
        def send(self, message: object) -> None: ...

        def beat(self) -> None: ...

    with tempfile.TemporaryDirectory() as folder:
        name = f"bench_{users}_{awaits}"
        Path(folder, f"{name}.py").write_text(HANDLER.format(awaits=awaits))
        os.chdir(folder)
        exchanges = tuple(
            Exchange(Request(f"r{n}", f"s{n}", f"user{n}", n, f"my code is {n * 7919 + 10_000}", None, n))
            for n in range(users)
        )
        job = Job("check", "bench", exchanges, f"{name}.py:handle")
        program = serve.assemble(job, Deaf(), Capture(), Determinism(), Interrupt())  # type: ignore[arg-type]
        lanes = lanes_of(exchange.request for exchange in exchanges)
        program.prepare(lanes, Lockstep())
        investigation = Investigation(program, lanes, exchanges, None)
        investigation.run_alone()

        def execute() -> None:
            investigation.look(program.execute(lanes, Lockstep()), lanes)

        executions = rounds(execute, count)
        program.execute(lanes, Lockstep())
        handle = program.handler.target
        loop = asyncio.new_event_loop()

        async def gather() -> None:
            await asyncio.gather(*(handle(user=e.request.user, message=e.request.message) for e in exchanges))

        gathers = rounds(lambda: loop.run_until_complete(gather()), count)
        loop.close()
    return executions, gathers


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, median of {count} rounds")
    print(f"{'users x awaits':>15} {'executions/s':>13} {'gather/s':>10} {'ratio':>6}")
    for users, awaits in ((2, 1), (2, 3), (8, 3)):
        executions, gathers = measure(users, awaits, count)
        print(f"{f'{users} x {awaits}':>15} {executions:>13,.0f} {gathers:>10,.0f} {executions / gathers:>6.2f}")
    signal.setitimer(signal.ITIMER_REAL, 0.0)  # the watchdog's, which would end an interpreter that shuts down slowly


if __name__ == "__main__":
    main()
