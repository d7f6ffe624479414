"""Small services that ask an LLM over HTTP: the classic bug, a global kept across the call, and what is right."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosslane.replay.report import Result
from crosslane.replay.service.options import ServiceOptions
from crosslane.replay.service.runner import ServiceRunner
from crosslane.replay.trace.model import Exchange, Request, Response
from crosslane.replay.worker.job import Job

PYTHON = """
import asyncio, json, os, sys, urllib.request
from concurrent.futures import ThreadPoolExecutor

LLM = os.environ.get("OPENAI_BASE_URL", "")
pool = ThreadPoolExecutor(8)

def ask_now(text):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(LLM + "/chat/completions", body, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]

async def ask(text):
    return await asyncio.get_running_loop().run_in_executor(pool, ask_now, text)

async def connected(reader, writer):
    try:
        head = (await reader.readuntil(b"\\r\\n\\r\\n")).decode()
        lines = head.split("\\r\\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        answer = await handle(lines[0].split()[1], headers, json.loads(body) if body else {})
        extra = ""
        if isinstance(answer, tuple):
            answer, extra = answer
        data = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\n{extra}content-length: {len(data)}\\r\\n\\r\\n".encode()
        )
        writer.write(data)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()

async def main():
    server = await asyncio.start_server(connected, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()
"""

GLOBAL = """
current = {}

async def handle(path, headers, body):
    current["user"], current["note"] = body["user"], body["message"]
    await ask("greet the customer")
    return {"reply": f"{current['user']} said {current['note']}"}
"""
LOCAL = """
async def handle(path, headers, body):
    user, note = body["user"], body["message"]
    await ask("greet the customer")
    return {"reply": f"{user} said {note}"}
"""
LOCKED = """
lock = asyncio.Lock()
current = {}

async def handle(path, headers, body):
    async with lock:
        current["user"], current["note"] = body["user"], body["message"]
        await ask("greet the customer")
        return {"reply": f"{current['user']} said {current['note']}"}
"""
LEFTOVER = """
last = {}

async def handle(path, headers, body):
    before = last.get("note", "nothing")
    last["note"] = body["message"]
    await ask("hello")
    return {"reply": f"the note before was {before}"}
"""
IN_PROMPT = """
seen = []

async def handle(path, headers, body):
    seen.append(body["message"])
    await ask("summarise: " + " / ".join(seen))
    return {"reply": "done"}
"""
SLEEPING = """
current = {}

async def handle(path, headers, body):
    current["note"] = body["message"]
    await asyncio.sleep(0.12)
    return {"reply": f"noted {current['note']}"}
"""
HALF_DONE = """
slot = {}

async def handle(path, headers, body):
    found = slot.get("note")
    slot["note"] = body["message"]
    try:
        await ask("greet the customer")
    except Exception:
        return {"reply": "try again later"}
    slot.pop("note", None)
    return {"reply": "hello" if found is None else f"you were saying: {found}"}
"""
"""Forgets to empty the slot when the LLM fails. Overlapping requests would meet in it too, but for the lock."""
HALF_DONE = HALF_DONE.replace("slot = {}", "slot = {}\nlock = asyncio.Lock()").replace("async def handle(", "async def handle(path, headers, body):\n    async with lock:\n        return await locked(path, headers, body)\n\nasync def locked(", 1)  # fmt: skip
UNDONE = HALF_DONE.replace('return {"reply": "try again later"}', 'slot.pop("note", None)\n        return {"reply": "try again later"}')  # fmt: skip
POOLED = """
import asyncio, os
from aiohttp import ClientSession, web

class Connection:
    lock = asyncio.Lock()
    sent = []

async def chat(request):
    body = await request.json()
    async with Connection.lock:
        Connection.sent.append(body["user"])
        try:
            made = {"model": "m", "messages": [{"role": "user", "content": "greet the customer"}]}
            async with ClientSession() as session:
                async with session.post(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json=made) as answer:
                    await answer.json()
        except asyncio.CancelledError:
            RESET
            raise
        return web.json_response({"reply": f"the answer to {Connection.sent.pop(0)}"})

app = web.Application()
app.router.add_post("/chat", chat)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]), handler_cancellation=True, print=None)
"""
"""One connection on which answers are taken in the order of the questions, as redis-py 4.5.1 has it."""
DIRTY, RESET = POOLED.replace("RESET", "pass"), POOLED.replace("RESET", "Connection.sent.clear()")
NODE = """
const http = require('http');
let current = {};
http.createServer((req, res) => {
  let raw = '';
  req.on('data', (piece) => { raw += piece; });
  req.on('end', async () => {
    const body = JSON.parse(raw || '{}');
    STATE
    const made = JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'greet the customer' }] });
    const answer = await fetch(process.env.OPENAI_BASE_URL + '/chat/completions',
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: made });
    await answer.json();
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ reply: mine.user + ' said ' + mine.message }));
  });
}).listen(Number(process.env.PORT), '127.0.0.1');
"""
NODE_GLOBAL = NODE.replace("STATE", "current.user = body.user; current.message = body.message; const mine = current;")
NODE_LOCAL = NODE.replace("STATE", "const mine = body;")


def posts(*lines: tuple[str, str, str]) -> tuple[Exchange, ...]:
    """Exchanges from (session, user, message), as JSON posts."""
    return tuple(
        posted(f"r{n}", session, user, {"user": user, "message": message}, at=n)
        for n, (session, user, message) in enumerate(lines, 1)
    )


def posted(
    name: str,
    session: str,
    user: str,
    body: Any,
    at: int = 0,
    path: str = "/chat",
    headers: dict[str, str] | None = None,
    answered: Any = None,
    answered_headers: tuple[tuple[str, str], ...] = (),
) -> Exchange:
    request = {"method": "POST", "path": path, "headers": headers or {}, "json": body}
    response = None if answered is None else Response(at, 200, answered_headers, answered, (), "ok")
    return Exchange(Request(name, session, user, at, None, request, at), response)


TWO = posts(("s1", "alice", "my code is ZX-4411"), ("s2", "bob", "my code is QW-9922"))


@dataclass
class Stand:
    """Runs jobs against a service that is written into a folder and launched."""

    folder: Path
    port: int

    def command(self, source: str) -> str:
        (self.folder / "service.py").write_text(PYTHON + textwrap.dedent(source) + "\nasyncio.run(main())\n")
        return f"{sys.executable} service.py {{port}}"

    async def run(
        self,
        source: str = "",
        exchanges: tuple[Exchange, ...] = TWO,
        launch: str | None = None,
        action: Any = "check",
        job: dict[str, Any] | None = None,
        **options: Any,
    ) -> Result:
        launch = launch if launch is not None or not source else self.command(source)
        runner = ServiceRunner(ServiceOptions(self.folder, launch=launch, **options))
        url = f"http://127.0.0.1:{self.port}"
        return await runner.run(Job(action, "trace.jsonl", exchanges, url, **{"budget_s": 6.0, **(job or {})}))
