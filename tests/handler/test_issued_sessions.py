"""Sessions that an application issues at a login: what it issues in a replay takes the place of what was recorded."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from crosslane.replay.export.findings import ExportSource
from crosslane.replay.export.script import script
from crosslane.replay.repro import repro_schedule, repro_trace
from crosslane.replay.trace.model import Exchange, Request, Response

from ..conftest import Bench

APP = """
    import asyncio, uuid
    from fastapi import FastAPI, Request, Response
    from fastapi.responses import JSONResponse
    app = FastAPI()
    sessions = {{}}
    current = None

    @app.post("/login")
    async def login(request: Request, response: Response):
        sid = uuid.uuid4().hex
        sessions[sid] = (await request.json())["user"]
        response.set_cookie("sid", sid)
        return {{"token": "t-" + sid}}

    @app.post("/chat")
    async def chat(request: Request):
        global current
        user = sessions.get(request.cookies.get("sid"))
        if user is None or request.headers.get("x-token") != "t-" + request.cookies["sid"]:
            return JSONResponse({{"error": "who are you"}}, 401)
        {keep} = user
        await asyncio.sleep(0)
        return {{"reply": f"hello {{{keep}}}, {{(await request.json())['text']}}"}}
"""
ALICE, BOB = "3f2a9c51d7e84b06", "b7715e02c9aa4d18"


def visit(user: str, sid: str, at: int) -> list[Exchange]:
    """A login and a turn of one user, as recorded."""
    ids = [f"{user}-login", f"{user}-chat"]
    login = {"method": "POST", "path": "/login", "json": {"user": f"{user} of Trieste"}}
    headers = [["cookie", f"sid={sid}"], ["x-token", f"t-{sid}"]]
    chat = {"method": "POST", "path": "/chat", "headers": headers, "json": {"text": "hi"}}
    given = (("set-cookie", f"sid={sid}; Path=/"),)
    return [
        Exchange(Request(ids[0], sid, user, at, None, login, at), Response(at + 1, 200, given, {"token": f"t-{sid}"}, (), "ok")),
        Exchange(Request(ids[1], sid, user, at + 2, None, chat, at + 2), Response(at + 3, 200, (), {"reply": "hello"}, (), "ok")),
    ]  # fmt: skip


TRACE: Any = tuple(visit("alice", ALICE, 0) + visit("bob", BOB, 10))


async def test_turns_after_a_login_are_sent_with_the_session_of_this_execution(bench: Bench) -> None:
    result = await bench.run(APP.format(keep="mine"), TRACE, "agent.py:app", budget_s=60.0, most_executions=120)
    assert result.report.verdict == "clean"
    answers = {outcome.request: outcome for outcome in result.run.outcomes}
    assert answers["bob-chat"].body == {"reply": "hello bob of Trieste, hi"}
    # What is compared has the recorded ids again.
    assert answers["bob-login"].body == {"token": f"t-{BOB}"}
    assert dict(answers["alice-login"].headers)["set-cookie"].startswith(f"sid={ALICE}")


async def test_what_crosses_behind_a_login_is_found(bench: Bench) -> None:
    result = await bench.run(APP.format(keep="current"), TRACE, "agent.py:app", budget_s=60.0, most_executions=120)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.needs.cls, crossing.needs.switches) == ("agent.current", "interleaved", 1)
    # The repro by itself, as a trace and as a script, goes through the login too.
    trace = repro_trace(crossing)
    again = await bench.run(
        None, trace.exchanges, "agent.py:app", "replay", schedule=repro_schedule(crossing), best_effort=True
    )
    assert [found.sink.evidence for found in again.report.crossings] == [crossing.sink.evidence]
    text = script(ExportSource(crossing, "agent.py:app", None, str(bench.folder), result.findings[0]))
    bench.write(text, "repro.py")
    assert run_script(bench) == 1
    bench.write(APP.format(keep="mine"), "fixed.py")
    assert run_script(bench, "fixed.py:app") == 0
    assert {json.dumps(request["id"]) for request in crossing.requests} >= {'"bob-login"', '"bob-chat"'}


def run_script(bench: Bench, *arguments: str) -> int:
    command = [sys.executable, "repro.py", *arguments]
    return subprocess.run(command, cwd=bench.folder, capture_output=True, check=False, timeout=120).returncode


async def test_an_id_that_is_not_issued_this_time_is_said(bench: Bench) -> None:
    source = APP.format(keep="mine").replace('response.set_cookie("sid", sid)', "pass")
    result = await bench.run(source, TRACE, "agent.py:app", budget_s=60.0, most_executions=60)
    assert any("alice-login: cookie sid" in warning for warning in result.report.warnings)
