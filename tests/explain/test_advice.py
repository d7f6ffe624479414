"""The advice beside a finding."""

from __future__ import annotations

from crosslane.replay.explain.advice import fix_for


def test_advice_for_what_overlaps_holds_for_threads_which_await_nothing() -> None:
    assert "await" not in fix_for("desk._last['user']", "module global", "interleaved")
