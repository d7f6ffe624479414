"""The tests' own forked workers are what started ones are."""

from __future__ import annotations

import os
import subprocess

import pytest

from ..conftest import Bench
from ..forked_workers import _Popen

# While it is imported: an execution may be in a fork of the worker.
AGENT = """
import gc, os, resource, signal, sys, threading

MAIN = sys.modules["__main__"]
SEEN = {
    "folder": os.getcwd(),
    "environment": {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"},
    "arguments": sys.argv,
    "path": list(sys.path),
    "flags": repr(sys.flags),
    "modules": sorted(name for name in sys.modules if name != "encodings.latin_1"),
    "main": [MAIN.__name__, MAIN.__file__, str(MAIN.__spec__)],
    "leads": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid(), os.getppid()],
    "hash": hash("crosslane"),
    "collects": [gc.isenabled(), gc.get_threshold()],
    "bytecode": sys.dont_write_bytecode,
    "handlers": [str(signal.getsignal(each)) for each in (signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP)],
    "limits": [sys.getrecursionlimit(), resource.getrlimit(resource.RLIMIT_NOFILE)],
    "streams": [[stream.encoding, stream.errors] for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__)],
    "descriptors": len(os.listdir("/proc/self/fd")),
    "threads": threading.active_count(),
}

def handle(message):
    return SEEN
"""


@pytest.mark.skipif(subprocess.Popen is not _Popen, reason="workers are started here")
@pytest.mark.parametrize("path", [None, "/nowhere", "/nowhere:lib"])
async def test_a_forked_worker_is_as_a_started_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, path: str | None
) -> None:
    if path is not None:
        monkeypatch.setenv("PYTHONPATH", path)
    forked = (await bench.run(AGENT, action="replay")).run.outcomes[0].body
    monkeypatch.setattr(subprocess, "Popen", _Popen.__mro__[1])
    assert (await bench.run(action="replay")).run.outcomes[0].body == forked
    assert forked["leads"] == [True, True, os.getpid()]
