"""A script shows again what no answer holds: records, prompts, what an exception was raised from; and sees the fix."""

from __future__ import annotations

import pytest
from crosslane.replay.export.findings import ExportSource
from crosslane.replay.export.script import script

from ..conftest import Bench
from .test_script import run

AGENT = """
    import asyncio, base64, logging
    log = logging.getLogger("agent.audit")
    last = {}
    async def think(prompt):
        await asyncio.sleep(0)
        return "fine"
    async def handle(user, message):
        before = last.get(user, "")
        last[user] = message
        await asyncio.sleep(0)
        SHOW
        return {"done": True}
    """


@pytest.mark.parametrize(
    "show",
    [
        "log.info('after %s', before)",
        "log.info('served', extra={'after': before})",
        "log.info(base64.b64encode(before.encode()).decode())",
        "await think(before[::-1])",
        "[await think('') for _ in before]",
        "return {'known': 'alice' in before.lower() or len(before) % 2 == 0 and bool(before)}",
        "if before: raise RuntimeError('failed') from KeyError(before)",
    ],
    ids=["INFO", "extra fields", "base64 in a log", "a prompt", "the number of calls", "a truth value", "a cause"],
)
async def test_what_surfaces_beside_the_answer_is_shown_again_and_seen_to_be_fixed(bench: Bench, show: str) -> None:
    fixed = AGENT.replace("SHOW", show)
    bench.write(fixed, "fixed.py")
    shared = fixed.replace("last.get(user", "last.get('all'").replace("last[user]", "last['all']")
    crossing = (await bench.run(shared, upstream_calls=("think",))).report.crossings[0]
    path = bench.folder / "repro.py"
    path.write_text(script(ExportSource(crossing, "agent.py:handle", None, str(bench.folder))), encoding="utf-8")
    shown = run(path, cwd=bench.folder)
    assert shown.returncode == 1, shown.stdout + shown.stderr
    mended = run(path, "fixed.py:handle", cwd=bench.folder)
    assert mended.returncode == 0, mended.stdout + mended.stderr
