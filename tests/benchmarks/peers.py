"""The same bugs, and the same clean handler, for Crosslane and for frontrun (which is installed into a folder of its
own). Run by hand: python tests/benchmarks/peers.py [RUNS]

Prints for each bug after how many schedules it is found, with which switches and what is named; then executions per
second of a clean handler with two users and one await, as a ratio between the two in the same run.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job

sys.path.insert(0, str(Path(__file__).parent.parent.parent))
FRONTRUN = "frontrun==0.7.0"
USERS = (("alice", "my code is ZX-4411"), ("bob", "my code is QW-9922"), ("carol", "my code is MN-7733"))
CLEAN = """
    import asyncio
    async def handle(message):
        await asyncio.sleep(0)
        return message
    """

# The bug's handler is imported anew for each execution: frontrun leaves resetting the state to the user.
PEER = """
import asyncio, importlib.util, json, sys, time
import frontrun

USERS = {users!r}

def fresh():
    spec = importlib.util.spec_from_file_location("agent", "agent.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

class State:
    pass

def setup():
    state = State()
    state.agent, state.answers = {agent}, {{}}
    return state

def worker(name, text):
    async def run(state):
        take = state.agent.handle.__code__.co_varnames[:state.agent.handle.__code__.co_argcount]
        state.answers[name] = await state.agent.handle(**{{k: v for k, v in (("user", name), ("message", text)) if k in take}})
    return run

def isolated(state):
    return all(text not in str(state.answers.get(other, "")) for name, text in USERS for other, _ in USERS if other != name)

async def main():
    workers = [worker(name, text) for name, text in USERS]
    await frontrun.explore(setup=setup, workers=workers, invariant=isolated)  # first use loads its engine
    started = time.perf_counter()
    result = await frontrun.explore(setup=setup, workers=workers, invariant=isolated, **{options!r})
    took = time.perf_counter() - started
    print(json.dumps([result.property_holds, result.num_explored, took]))

agent = fresh()
asyncio.run(main())
"""


def exchanges(users: int) -> tuple[Exchange, ...]:
    return tuple(
        Exchange(Request(f"r{n}", f"s{n}", name, n, text, None, n)) for n, (name, text) in enumerate(USERS[:users], 1)
    )


async def ours(source: str, users: int, folder: Path, **options: object):
    (folder / "agent.py").write_text(textwrap.dedent(source))
    async with Worker(WorkerOptions(cwd=folder)) as worker:
        return await worker.run(
            Job("check", "bars", exchanges(users), "agent.py:handle", faults=False, variants=False, **options)
        )


def peer(source: str, users: int, folder: Path, packages: Path, agent: str, **options: object) -> list[float]:
    (folder / "agent.py").write_text(textwrap.dedent(source))
    script = folder / "peer.py"
    script.write_text(PEER.format(users=USERS[:users], agent=agent, options=options))
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env={"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


async def main(runs: int) -> None:
    from tests.test_bars import DEEPER

    with tempfile.TemporaryDirectory() as name:
        folder, packages = Path(name), Path(name) / "packages"
        subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--target", str(packages), FRONTRUN],
            check=True,
            capture_output=True,
        )
        print(f"{sys.version.split()[0]}, {FRONTRUN}, median of {runs}\n")
        for case, (source, users, _, _) in DEEPER.items():
            result = await ours(source, users, folder)
            first = min(result.report.crossings, key=lambda c: c.found_after)
            carrier = first.carrier.name if first.carrier else "-"
            held, explored, _ = peer(source, users, folder, packages, "fresh()")
            print(
                f"{case}\n  crosslane  schedule {first.found_after}, {first.needs.switches} switch, {carrier}, "
                f"{first.write.at if first.write else '-'} -> {first.read.at if first.read else '-'}"
            )
            print(f"  frontrun   {'missed' if held else f'execution {explored}'}, names nothing")
        print("\na clean handler, executions a second with fresh state and detection")
        ours_of = subprocess.run(
            [sys.executable, str(Path(__file__).with_name("executions.py")), str(runs)],
            capture_output=True,
            text=True,
            check=True,
        )
        print(ours_of.stdout.rstrip())
        rate = float(ours_of.stdout.splitlines()[2].split()[3].replace(",", ""))
        for strategy, options in (("random", {"strategy": "random", "seed": 42}), ("dpor", {})):
            rates = []
            for _ in range(runs):
                _, explored, took = peer(CLEAN, 2, folder, packages, "agent", **options)
                rates.append(explored / took)
            median = statistics.median(rates)
            print(f"  frontrun {strategy:<6} 2 x 1 {median:>10,.0f}   crosslane is {rate / median:.1f} times that")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
