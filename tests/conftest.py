"""Shared by all tests: a worker's insides without the process, and small handlers written to a temporary folder."""

from __future__ import annotations

import gc
import os
import textwrap
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.report import Result
from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job
from hypothesis import HealthCheck, settings

from . import forked_workers

# How fast a machine is, is nothing that a test can be about.
settings.register_profile("crosslane", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("crosslane")

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_traces"


def _keep_bytecode() -> None:
    """Where the environment forbids to write bytecode, it is kept aside: thousands of processes are started here, and
    each would spend half its start on compiling us."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(ROOT / ".pytest_cache" / "bytecode"))


_keep_bytecode()
forked_workers.install()


def pytest_xdist_auto_num_workers() -> int:
    """Of `-n auto`: more than there are cores, for a good part of a test's time it waits for a process or a limit."""
    return max(2, (os.cpu_count() or 1) * 3 // 2)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What the tests have imported stays. To search it for garbage again and again is a tenth of what they take."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def turns(*lines: tuple[str, str, str]) -> tuple[Exchange, ...]:
    """Exchanges from (session, user, message)."""
    return tuple(
        Exchange(Request(f"r{n}", session, user, n, message, None, n))
        for n, (session, user, message) in enumerate(lines, 1)
    )


# A search goes on for a while after a finding. What a test says of one is decided by then.
ENOUGH = 300

TWO_USERS = turns(("s1", "alice", "My name is Alice Ferrante"), ("s2", "bob", "My name is Bob Okafor"))


@dataclass
class Bench:
    """Writes agents into a folder and runs jobs against them in a real worker process."""

    folder: Path

    def write(self, source: str, name: str = "agent.py") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    async def run(
        self,
        source: str | None = None,
        exchanges: tuple[Exchange, ...] = TWO_USERS,
        handler: str = "agent.py:handle",
        action: Any = "check",
        python: str | None = None,
        **options: Any,
    ) -> Result:
        if source is not None:
            self.write(source)
        if action == "check" and "budget_s" not in options:
            options.setdefault("most_executions", ENOUGH)
        async with Worker(WorkerOptions(python, self.folder)) as worker:
            return await worker.run(Job(action, "trace.jsonl", exchanges, handler, **options))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def write(bench: Bench) -> Callable[..., Path]:
    return bench.write
