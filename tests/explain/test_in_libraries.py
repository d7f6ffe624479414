"""What the user keeps in an object of a library goes by the user's name for it, and is no affair of the library."""

from __future__ import annotations

import textwrap

import pytest
from crosslane.replay.trace.model import Exchange, Request

from ..conftest import TWO_USERS, Bench

STARLETTE = """
    import asyncio
    from contextlib import asynccontextmanager
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    class Service:
        def __init__(self):
            self.user = None

    @asynccontextmanager
    async def lifespan(app):
        app.state.service = Service()
        yield

    async def chat(request):
        kept = request.app.state.service
        kept.user = request.query_params["name"]
        await asyncio.sleep(0.01)
        return PlainTextResponse("hi " + kept.user)

    app = Starlette(routes=[Route("/chat", chat)], lifespan=lifespan)
    """
AIOHTTP = """
    import asyncio
    from aiohttp import web

    async def chat(request):
        request.app["state"]["name"] = request.query["name"]
        await asyncio.sleep(0.01)
        answer = request.app["state"]["name"]
        return web.Response(text="hi " + answer)

    app = web.Application()
    app["state"] = {}
    app.router.add_get("/chat", chat)
    """
KEYED = """
    import asyncio
    from aiohttp import web

    class Service:
        user = ""

    SERVICE = web.AppKey("service", Service)

    async def chat(request):
        kept = request.app[SERVICE]
        kept.user = request.query["name"]
        await asyncio.sleep(0.01)
        return web.Response(text="hi " + kept.user)

    def make_app():
        app = web.Application()
        app[SERVICE] = Service()
        app.router.add_get("/chat", chat)
        return app
    MADE
    """
MIDDLEWARE = """
    import asyncio
    from aiohttp import web

    def greeting():
        users = []
        @web.middleware
        async def greet(request, handler):
            users.append(request.query["name"])
            await asyncio.sleep(0.01)
            return web.Response(text="hi " + " ".join(users))
        return greet

    async def chat(request):
        return web.Response(text="hi")

    app = web.Application(middlewares=[greeting()])
    app.router.add_get("/chat", chat)
    """
BARE = STARLETTE.replace("kept = request.app.state.service", "kept = request.app.state")


def asks(*users: str) -> tuple[Exchange, ...]:
    return tuple(
        Exchange(Request(f"r{n}", f"s{n}", user, n, None, {"method": "GET", "path": f"/chat?name={user}-4417"}, n))
        for n, user in enumerate(users, 1)
    )


@pytest.mark.parametrize(
    ("library", "source", "name", "write", "read"),
    [
        ("starlette", STARLETTE, "agent.app.state.service.user", "agent.py:19", "agent.py:21"),
        ("starlette", BARE, "agent.app.state.user", "agent.py:19", "agent.py:21"),
        ("aiohttp", AIOHTTP, "agent.app['state']", "agent.py:6", "agent.py:8"),
    ],
    ids=["an object in the application's state", "a name in the application's state", "an application's mapping"],
)
async def test_what_the_user_keeps_in_an_application_goes_by_the_users_name(
    bench: Bench, library: str, source: str, name: str, write: str, read: str
) -> None:
    pytest.importorskip(library)
    result = await bench.run(source, asks("alice", "bob"), "agent.py:app", switches=1, most_executions=120)
    crossing = result.report.crossings[0]
    assert crossing.carrier is not None
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == (name, "instance attribute")
    assert (crossing.write.at, crossing.read.at) == (write, read)
    assert "belongs to" not in crossing.fix


@pytest.mark.parametrize(
    ("source", "handler", "name", "kind", "defined"),
    [
        (
            KEYED.replace("MADE", "app = make_app()"),
            "app",
            "agent.app[SERVICE].user",
            "instance attribute",
            "agent.py:21",
        ),
        (KEYED.replace("MADE", ""), "make_app", "agent.make_app()[SERVICE].user", "instance attribute", "agent.py:16"),
        (MIDDLEWARE, "app", "greeting.greet.users", "closure cell", "agent.py:6"),
    ],
    ids=["under a key that is an object", "in what a factory makes", "in a closure"],
)
async def test_what_aiohttp_holds_for_the_user_goes_by_the_users_name(
    bench: Bench, source: str, handler: str, name: str, kind: str, defined: str
) -> None:
    pytest.importorskip("aiohttp")
    result = await bench.run(source, asks("alice", "bob"), f"agent.py:{handler}", switches=1, most_executions=60)
    crossing = result.report.crossings[0]
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind, crossing.carrier.defined_at) == (name, kind, defined)


async def test_a_key_alone_is_no_use_of_the_mapping_that_has_it(bench: Bench) -> None:
    source = """
        import asyncio
        store = {"last": []}
        other = {"last": "nothing"}
        async def handle(user, message):
            kept = store["last"]
            kept.append(message)
            await asyncio.sleep(0)
            first = other["last"]
            seen = store["last"]
            return first + " | ".join(seen)
        """
    result = await bench.run(source, switches=1, most_executions=120)
    crossing = result.report.crossings[0]
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.store['last']"
    rows = [(event.kind, event.at) for event in result.run.events if event.kind in ("read", "write")]
    assert ("read", "agent.py:10") in rows
    assert ("read", "agent.py:9") not in rows


KEEPING = """
    import time

    class Kept:
        def __init__(self):
            self.said = []

    def keep(wanted, text):
        kept = wanted()
        time.sleep(0.1)
        kept.said.append(text)
        time.sleep(0.1)
    """
KEPT_BY_A_LIBRARY = """
    import sys
    sys.path.insert(0, FOLDER)
    import keeping
    history = keeping.Kept()
    def handle(user, message):
        keeping.keep(lambda: history, message)
        return f"{user} {history.said}"
    """


async def test_what_a_library_writes_after_it_has_waited_is_written_by_the_line_that_led_there(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "keeping.py").write_text(textwrap.dedent(KEEPING))
    result = await bench.run(KEPT_BY_A_LIBRARY.replace("FOLDER", repr(str(folder))), TWO_USERS, switches=0)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.history.said"
    assert crossing.write is not None
    assert crossing.write.code == "keeping.keep(lambda: history, message)"
    assert crossing.read is not None
    assert crossing.read.at in ("agent.py:7", "agent.py:8")
    waits = [event.code for event in result.run.events if event.kind == "await"]
    assert "keeping.keep(lambda: history, message)" in waits


IN_A_SHARED_PACKAGE = """
    import asyncio, sys
    sys.path.insert(0, FOLDER)
    from talks.memory import Saver
    saver = Saver()
    async def handle(user, message):
        saver.said.append(message)
        await asyncio.sleep(0)
        return " ".join(saver.said)
    """


@pytest.mark.parametrize(
    ("recorded", "kind"),
    [
        ({"talks-graph": "talks/graph.py", "talks-memory": "talks/memory.py"}, "talks-memory 2.1"),
        ({"talks-graph": "talks/memory.py", "talks-memory": "talks/graph.py"}, "talks-graph 2.1"),
        ({"talks-graph": "talks/graph.py", "talks-web": "talks/web.py"}, "the library talks.memory"),
        ({"talks-graph": "talks/graph.py"}, "talks-graph 2.1"),
    ],
    ids=["recorded by one of several", "recorded by another", "recorded by none of several", "the only one"],
)
async def test_the_distribution_is_the_one_that_has_the_file_where_several_share_a_package(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, recorded: dict[str, str], kind: str
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "talks").mkdir()
    (folder / "talks" / "memory.py").write_text("class Saver:\n    def __init__(self):\n        self.said = []\n")
    for name, file in recorded.items():
        (folder / file).touch()
        info = folder / f"{name.replace('-', '_')}-2.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 2.1\n")
        (info / "RECORD").write_text(f"{file},,\n")
    result = await bench.run(IN_A_SHARED_PACKAGE.replace("FOLDER", repr(str(folder))), switches=0)
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == (
        "agent.saver.said",
        f"instance attribute in {kind}",
    )
