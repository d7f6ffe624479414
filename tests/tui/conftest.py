"""The interface keeps recent work; tests keep it in their own folder."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(folder))
    monkeypatch.setenv("CROSSLANE_CONFIG_DIR", str(folder / "config"))
    return folder
