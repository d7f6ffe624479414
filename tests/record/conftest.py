"""What the recording tests share: a trace file, and the events in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(folder))
    return folder


@pytest.fixture
def trace(tmp_path: Path, state: Path) -> Path:
    return tmp_path / "trace.jsonl"


def events(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]
