"""A folder and a port for services."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.service.launch import free_port

from .services import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path, free_port())
