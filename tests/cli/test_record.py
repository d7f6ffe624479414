"""`crosslane record` as its user meets it: a real process in front of a real service."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from crosslane.replay.trace.store import load

CLI = [sys.executable, "-c", "import sys; from crosslane.tui.cli import main; sys.argv[0] = 'crosslane'; main()"]


@contextlib.asynccontextmanager
async def recording(tmp_path: Path, to: str, *more: str):
    """(process, the port that it listens on, what it has said so far)."""
    process = await asyncio.create_subprocess_exec(
        *CLI, "record", "--to", to, "--port", "0", "-o", str(tmp_path / "trace.jsonl"), *more,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path / "state"), "COLUMNS": "200"},
    )  # fmt: skip
    first = (await asyncio.wait_for(process.stderr.readline(), 20)).decode()
    found = re.search(r"recording http://127\.0\.0\.1:(\d+) -> ", first)
    assert found is not None, first
    try:
        yield process, int(found[1])
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def chat(request: web.Request) -> web.Response:
    data = await request.json()
    return web.json_response({"reply": f"hello {data['user_id']}"})


async def test_ctrl_c_closes_the_file_in_order_and_says_what_is_in_it(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_post("/chat", chat)
    async with TestServer(app) as server, recording(tmp_path, str(server.make_url("/"))) as (process, port):
        async with aiohttp.ClientSession() as client:
            for user in ("alice", "bob"):
                headers = {"Authorization": f"Bearer tok-0123456789-{user}"}
                async with client.post(
                    f"http://127.0.0.1:{port}/chat", json={"user_id": user}, headers=headers
                ) as answer:
                    assert (await answer.json()) == {"reply": f"hello {user}"}
        process.send_signal(signal.SIGINT)
        said = (await asyncio.wait_for(process.stderr.read(), 20)).decode()
        assert await process.wait() == 0
    assert "recorded 2 exchanges of 2 lanes" in said
    assert "alice: 200 POST /chat" in said
    trace = load(tmp_path / "trace.jsonl")
    assert trace.closed
    assert [request.user for request in trace.requests] == ["alice", "bob"]
    assert "tok-0123456789" not in (tmp_path / "trace.jsonl").read_text()
    assert trace.header["redaction"]["key_id"]


async def test_a_rule_that_replaced_nothing_is_named_when_the_recording_ends(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_post("/chat", chat)
    rules = ("--redact", "json:$.user_id", "--redact", "header:X-Tenant", "--redact", "pattern:ACC-[0-9]+")
    async with TestServer(app) as server, recording(tmp_path, str(server.make_url("/")), *rules) as (process, port):
        async with aiohttp.ClientSession() as client:
            await client.post(f"http://127.0.0.1:{port}/chat", json={"user_id": "alice-ferrante"})
        process.send_signal(signal.SIGINT)
        said = (await asyncio.wait_for(process.stderr.read(), 20)).decode()
    unmet = [line for line in said.splitlines() if "nothing matched" in line]
    assert unmet == [f"warning: nothing matched --redact {rule}" for rule in ("header:X-Tenant", "pattern:ACC-[0-9]+")]


async def test_kill_9_keeps_every_exchange_that_a_client_has_seen(tmp_path: Path) -> None:
    app = web.Application()
    app.router.add_post("/chat", chat)
    seen: list[str] = []
    async with TestServer(app) as server, recording(tmp_path, str(server.make_url("/"))) as (process, port):
        async with aiohttp.ClientSession() as client:

            async def one(lane: int) -> None:
                with contextlib.suppress(aiohttp.ClientError):
                    for number in range(1000):
                        user = f"u{lane}-{number}"
                        async with client.post(f"http://127.0.0.1:{port}/chat", json={"user_id": user}) as answer:
                            await answer.read()
                        seen.append(user)
                        if len(seen) == 300:
                            process.kill()

            await asyncio.gather(*(one(lane) for lane in range(8)))
    trace = load(tmp_path / "trace.jsonl")
    answered = {e.request.user for e in trace.exchanges if e.response is not None}
    assert len(seen) >= 300
    assert set(seen) <= answered
    assert len(trace.problems) <= 1  # the last line may be torn


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "127.0.0.1:8000"], "cannot record in front of"),
        (["--to", "http://127.0.0.1:8000", "--session", "nowhere"], "cannot read the place 'nowhere'"),
        (["--to", "http://127.0.0.1:8000", "--redact", "nonsense"], "nonsense"),
        (["--to", "http://127.0.0.1:8000", "--redact", "kind:email", "--no-redact"], "exclude each other"),
        (["--to", "http://127.0.0.1:8000", "-o", "nowhere/trace.jsonl"], "no such folder"),
        (["--to", "http://127.0.0.1:8000", "-o", "there.jsonl"], "is there already"),
    ],
)
async def test_bad_input_is_one_line_and_exit_code_two(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "there.jsonl").write_text('{"session":"s","message":"kept"}\n')
    process = await asyncio.create_subprocess_exec(
        *CLI, "record", "--port", "0", *arguments, cwd=tmp_path, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "CROSSLANE_STATE_DIR": str(tmp_path / "state")},
    )  # fmt: skip
    error = (await asyncio.wait_for(process.stderr.read(), 20)).decode()
    assert await process.wait() == 2
    assert said in error
    assert error.count("\n") == 1
    assert (tmp_path / "there.jsonl").read_text().count("kept") == 1
    assert not (tmp_path / "trace.jsonl").exists()
