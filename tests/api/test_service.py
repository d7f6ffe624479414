"""check from Python against a running service, which is started by a command as on the command line."""

from __future__ import annotations

import pytest
from crosslane.replay import check_async
from crosslane.replay.errors import HandlerError
from crosslane.replay.service.launch import free_port

from ..service.services import GLOBAL, TWO, Stand


async def test_a_service_is_launched_and_its_crossing_found(tmp_path) -> None:
    stand = Stand(tmp_path, free_port())
    requests = [exchange.request.to_json() for exchange in TWO]
    url = f"http://127.0.0.1:{stand.port}"
    result = await check_async(requests, url, launch=stand.command(GLOBAL), cwd=tmp_path, budget=6)
    assert result.report.verdict == "contaminated"


async def test_a_service_that_is_not_there_is_said_in_one_line(tmp_path) -> None:
    with pytest.raises(HandlerError):
        await check_async([{"user": "a", "request": {"path": "/"}}], f"http://127.0.0.1:{free_port()}", cwd=tmp_path)
