"""Bugs where they really lived: a cancelled redis command, a cookie jar for all, a scoped_session scoped to the thread."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Bench, turns

USERS = turns(("s1", "alice", "hello"), ("s2", "bob", "hi"))

REDIS = """
    import asyncio, sys
    sys.path.insert(0, {path!r})
    import redis.asyncio as redis

    DATA = {{b"alice": b"code ZX-4411", b"bob": b"code QW-9922"}}
    client = None

    async def serve(reader, writer):
        while line := await reader.readline():
            parts = []
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                parts.append((await reader.readexactly(size + 2))[:-2])
            await asyncio.sleep(0.01)
            value = DATA.get(parts[-1], b"OK")
            writer.write(b"$%d\\r\\n%s\\r\\n" % (len(value), value) if parts[0].upper() == b"GET" else b"+OK\\r\\n")
            await writer.drain()

    async def handle(user, message):
        global client
        if client is None:
            await asyncio.start_server(serve, "127.0.0.1", 6379)
            client = redis.Redis(max_connections=1)
            await client.ping()
        return (await client.get(user)).decode()
    """


@pytest.mark.parametrize(("version", "verdict"), [("redis==4.5.1", "contaminated"), ("redis>=5.2,<6", "clean")])
async def test_a_cancelled_command_leaves_its_reply_on_the_pooled_connection(
    bench: Bench, version: str, verdict: str
) -> None:
    target = bench.folder / "site-packages"
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--target",
        str(target),
        version,
        "async-timeout",
    ]
    subprocess.run(command, check=True, capture_output=True)
    result = await bench.run(REDIS.format(path=str(target)), USERS, switches=0, variants=False, most_executions=300)
    assert result.report.verdict == verdict, result.report.reason
    if verdict == "contaminated":
        crossing = result.report.crossings[0]
        assert (crossing.needs.cls, crossing.needs.switches) == ("cancellation", 0)
        assert crossing.carrier is not None
        assert crossing.carrier.name.startswith("agent.client.connection_pool.")
        assert crossing.carrier.kind.endswith("in redis 4.5.1")


COOKIES = """
    import asyncio
    import aiohttp
    from aiohttp import web

    session = None

    async def login(request):
        response = web.Response(text="welcome")
        response.set_cookie("who", await request.text())
        return response

    async def me(request):
        return web.Response(text="account of " + request.cookies.get("who", "nobody"))

    async def handle(user, message):
        global session
        if session is None:
            session = aiohttp.ClientSession()
            app = web.Application()
            app.add_routes([web.post("/login", login), web.get("/me", me)])
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "localhost", 8080).start()
        own = {session}
        async with own.post("http://localhost:8080/login", data=user) as answer:
            await answer.text()
        await asyncio.sleep(0)
        async with own.get("http://localhost:8080/me") as answer:
            text = await answer.text()
        if own is not session:
            await own.close()
        return text
    """


@pytest.mark.parametrize(("session", "verdict"), [("session", "contaminated"), ("aiohttp.ClientSession()", "clean")])
async def test_the_cookie_jar_of_a_shared_client_session_mixes_users(bench: Bench, session: str, verdict: str) -> None:
    result = await bench.run(
        COOKIES.format(session=session), USERS, switches=1, faults=False, variants=False, most_executions=100
    )
    assert result.report.verdict == verdict, result.report.reason
    if verdict == "contaminated":
        assert result.report.crossings[0].carrier is not None
        assert result.report.crossings[0].carrier.name.startswith("agent.session._cookie_jar.")


SQLALCHEMY = """
    import asyncio
    from sqlalchemy.orm import scoped_session, sessionmaker
    Session = scoped_session(sessionmaker(){scope})
    async def handle(user, message):
        Session().info["user"] = user + " account"
        await asyncio.sleep(0)
        text = Session().info["user"]
        Session.remove()
        return text
    """


@pytest.mark.parametrize(("scope", "verdict"), [("", "contaminated"), (", scopefunc=asyncio.current_task", "clean")])
async def test_a_scoped_session_is_one_for_all_coroutines_of_a_thread(bench: Bench, scope: str, verdict: str) -> None:
    pytest.importorskip("sqlalchemy")
    result = await bench.run(SQLALCHEMY.format(scope=scope), USERS)
    assert result.report.verdict == verdict, result.report.reason
    if verdict == "contaminated":
        assert result.report.crossings[0].carrier is not None
        assert "Session" in result.report.crossings[0].carrier.name


async def test_a_user_kept_on_self_by_a_starlette_middleware_is_found(bench: Bench) -> None:
    from .handler.test_applications import posts

    source = """
        import asyncio
        from starlette.applications import Starlette
        from starlette.middleware.base import BaseHTTPMiddleware
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        class Who(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                {keep} = (await request.json())["text"]
                response = await call_next(request)
                response.headers["x-who"] = {keep}
                return response

        async def chat(request):
            await asyncio.sleep(0)
            return PlainTextResponse("ok")

        app = Starlette(routes=[Route("/chat", chat, methods=["POST"])])
        app.add_middleware(Who)
        """
    leaking = await bench.run(source.format(keep="self.text"), posts(), "agent.py:app", switches=1)
    (crossing,) = leaking.report.crossings
    assert (crossing.sink.path, crossing.needs.cls) == ("headers.x-who", "interleaved")
    assert crossing.carrier is not None
    assert crossing.carrier.name.endswith(".text") or "middleware" in crossing.carrier.name
    clean = await bench.run(source.format(keep="text"), posts(), "agent.py:app", switches=1)
    assert clean.report.verdict == "clean", clean.report.reason


def test_nothing_of_these_is_committed() -> None:
    assert not list(Path(__file__).parent.parent.glob("**/redis-*.dist-info"))
