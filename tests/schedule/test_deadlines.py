"""Which timers are latency, which any other lane may use, and which are time limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp.helpers
from crosslane.replay.schedule import deadlines, threads

if TYPE_CHECKING:
    import pytest


def test_a_sleeping_thread_is_latency_also_where_crosslane_is_an_installed_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadlines, "_libraries", {})
    monkeypatch.setattr(threads, "__file__", "/venv/lib/python3.12/site-packages/crosslane/replay/schedule/threads.py")
    assert not deadlines.is_deadline(threads.Controlled.resume)


def test_timers_of_other_installed_libraries_are_time_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "_libraries", {})
    assert deadlines.is_deadline(aiohttp.helpers.TimeoutHandle.__call__)
