"""Where the threads of executions run: on one core, but for now and then."""

from __future__ import annotations

import os
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest
from crosslane.replay.worker import one_core
from crosslane.replay.worker.one_core import OneCore

CORES = frozenset({0, 1, 2, 3})


@pytest.fixture
def stays(monkeypatch: pytest.MonkeyPatch) -> list[set[int]]:
    """Where the process may run, each time that this changes."""
    seen: list[set[int]] = []

    def setting(pid: int, cores: Collection[int]) -> None:
        assert pid == 0
        seen.append(set(cores))

    monkeypatch.setattr(one_core, "_get_affinity", lambda pid: CORES)
    monkeypatch.setattr(one_core, "_set_affinity", setting)
    monkeypatch.setattr(one_core, "_asks_for_core", lambda: lambda: 2)
    return seen


def baton(workers: int) -> Any:
    return SimpleNamespace(workers=[object()] * workers)


def test_executions_with_threads_stay_on_a_core_and_may_leave_it_now_and_then(stays: list[set[int]]) -> None:
    here = OneCore()
    for _ in range(45):
        here.begin(baton(2))
    assert stays == [{2}, CORES, {2}, CORES, {2}]


def test_executions_without_threads_run_anywhere(stays: list[set[int]]) -> None:
    here = OneCore()
    for workers in (0, 0, 2, 0, 0):
        here.begin(baton(workers))
    assert stays == [{2}, CORES]


def test_a_forked_process_is_not_kept_where_its_parent_was(
    stays: list[set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = OneCore()
    here.begin(baton(2))
    here.begin(baton(2))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    here.begin(baton(2))
    assert stays == [{2}, CORES]


def test_a_program_is_shown_all_cores(stays: list[set[int]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {2}, raising=False)
    OneCore().install()
    assert os.sched_getaffinity(0) == CORES


def test_where_a_process_may_not_be_kept_anywhere_it_is_not(
    stays: list[set[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pid: int, cores: Collection[int]) -> None:
        stays.append(set(cores))
        raise PermissionError

    monkeypatch.setattr(one_core, "_set_affinity", refuse)
    here = OneCore()
    for _ in range(5):
        here.begin(baton(2))
    assert stays == [{2}]
