"""What a worker's start changes: ours is kept compiled, and the program's folders and path stay as they are."""

from __future__ import annotations

import shutil
import sys

import pytest
from crosslane.replay.worker import client

from ..conftest import ROOT, Bench

AGENT = """
import os
import helper

async def handle(message):
    return [helper.ANSWER, os.environ["PYTHONDONTWRITEBYTECODE"]]
"""


async def test_ours_is_compiled_once_and_nothing_is_written_beside_the_program(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path_factory.mktemp("installed") / "replay"
    shutil.copytree(ROOT / "replay", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(client, "_LAUNCH", copy / "worker" / "launch.py")
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    bench.write("ANSWER = 'hello'\n", "helper.py")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    await bench.run(AGENT, action="replay")
    assert not list(copy.rglob("*.pyc")), "whoever wants none gets none"
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE")
    result = await bench.run(action="replay")
    assert result.run.outcomes[0].body == ["hello", "1"]
    assert not list(bench.folder.rglob("*.pyc"))
    kept = {file.name for file in copy.rglob("*.pyc")}
    tag = sys.implementation.cache_tag
    assert {f"serve.{tag}.pyc", f"execute.{tag}.pyc", f"explain.{tag}.pyc"} <= kept


async def test_our_folder_is_not_on_the_path_however_it_is_reached(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path_factory.mktemp("installed") / "link"
    link.symlink_to(ROOT / "replay")
    monkeypatch.setattr(client, "_LAUNCH", link / "worker" / "launch.py")
    result = await bench.run("import sys\n\ndef handle(message):\n    return sys.path\n", action="replay")
    assert not [path for path in result.run.outcomes[0].body if path.endswith("worker")]
