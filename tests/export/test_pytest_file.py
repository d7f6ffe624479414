"""The exported test: plain pytest collects it, it fails while the bug is there, passes once fixed, and needs no Crosslane."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crosslane.replay.export.findings import ExportSource
from crosslane.replay.export.pytest_file import pytest_file

from ..conftest import Bench, turns
from .examples import crossing, found, source_of

FUNCTION = {
    "bug": "seen = []\nasync def app(message):\n    seen.append(message)\n    return list(seen)\n",
    "fix": "async def app(message):\n    return [message]\n",
}
ASGI = {
    "bug": """
        seen = []
        async def app(scope, receive, send):
            if scope["type"] != "http":
                return
            seen.append((await receive())["body"].decode())
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": str(seen).encode()})
        """,
    "fix": """
        async def app(scope, receive, send):
            if scope["type"] != "http":
                return
            said = (await receive())["body"]
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": said})
        """,
}
AIOHTTP = {
    "bug": """
        from aiohttp import web
        seen = []
        async def chat(request):
            seen.append(await request.text())
            return web.json_response(seen)
        app = web.Application()
        app.router.add_post("/chat", chat)
        """,
    "fix": """
        from aiohttp import web
        async def chat(request):
            return web.json_response([await request.text()])
        app = web.Application()
        app.router.add_post("/chat", chat)
        """,
}
WSGI = {
    "bug": """
        seen = []
        def app(environ, start_response):
            seen.append(environ["wsgi.input"].read().decode())
            start_response("200 OK", [])
            return [str(seen).encode()]
        """,
    "fix": """
        def app(environ, start_response):
            said = environ["wsgi.input"].read()
            start_response("200 OK", [])
            return [said]
        """,
}


def run_pytest(path: Path) -> subprocess.CompletedProcess[str]:
    """Plain pytest, isolated from the packages of this folder and from its own plugins."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(path.parent), str(path)]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=path.parent, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kind", ["function", "asgi", "aiohttp", "wsgi"])
async def test_it_fails_while_the_bug_is_there_and_passes_on_the_fix(bench: Bench, kind: str) -> None:
    agent = {"function": FUNCTION, "asgi": ASGI, "aiohttp": AIOHTTP, "wsgi": WSGI}[kind]
    requests = turns(("s1", "alice", "I am Alice Ferrante"), ("s2", "bob", "I am Bob Okafor"))
    if kind != "function":
        requests = tuple(_posted(exchange) for exchange in requests)
    result = await bench.run(agent["bug"], requests, "agent.py:app", kind=kind, most_executions=40)
    (bench.folder / "tests").mkdir()
    path = bench.folder / "tests" / "test_leak.py"
    path.write_text(pytest_file(ExportSource(result.report.crossings[0], "agent.py:app", kind, "/gone")))
    failed = run_pytest(path)
    assert (failed.returncode, "1 failed" in failed.stdout) == (1, True), failed.stdout
    assert "bob was shown alice's data" in failed.stdout
    bench.write(agent["fix"])
    passed = run_pytest(path)
    assert (passed.returncode, "1 passed" in passed.stdout) == (0, True), passed.stdout


def _posted(exchange):
    from dataclasses import replace

    request = {"method": "POST", "path": "/chat", "headers": [], "text": exchange.request.message}
    return replace(exchange, request=replace(exchange.request, message=None, request=request))


def test_a_handler_that_is_gone_fails_the_test_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "test_leak.py"
    path.write_text(pytest_file(ExportSource(crossing(), "gone.py:handle", None, "/gone")))
    done = run_pytest(path)
    assert done.returncode == 1
    assert "cannot run gone.py:handle" in done.stdout


async def test_it_explains_itself_in_plain_words() -> None:
    result = await found("overlap.jsonl", "overlap.py:handle_message")
    lines = pytest_file(source_of(result, "overlap.py:handle_message")).splitlines()
    text = "\n".join(lines[: lines.index("from __future__ import annotations")])
    for said in (
        "bob was answered with alice's data.",
        "bob: When is my next payment due?",
        "overlap.py:28",
        "passes once",
    ):
        assert said in text
    assert "def test_bob_is_not_shown_what_belongs_to_alice_" in "\n".join(lines)
    assert "rosslane" not in text
