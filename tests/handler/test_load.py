"""Loading handlers: what can be named, how parameters are filled, and one clear line for everything that is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from crosslane.replay.errors import CrosslaneError, HandlerError
from crosslane.replay.handler.bind import arguments, roles_of
from crosslane.replay.handler.load import locate
from crosslane.replay.trace.model import Exchange, Request

from ..conftest import Bench, turns

RECORD: dict[str, Any] = {"id": "r1", "session": "s1", "user": "alice", "message": "hi"}


def bound(function: Any, record: dict[str, Any] = RECORD) -> dict[str, Any]:
    return arguments(roles_of(function), record)


def test_parameters_are_bound_by_name() -> None:
    whole = {"session": "s1", "user": "alice", "message": "hi"}
    for name in ("session_id", "session", "conversation_id", "thread_id"):
        assert bound(eval(f"lambda {name}: 0")) == {name: "s1"}
    for name in ("user_id", "user", "tenant_id"):
        assert bound(eval(f"lambda {name}: 0")) == {name: "alice"}
    for name in ("message", "text", "prompt", "query", "input"):
        assert bound(eval(f"lambda {name}: 0")) == {name: "hi"}
    for name in ("request", "payload", "body", "event", "anything"):
        assert bound(eval(f"lambda {name}: 0")) == {name: whole}


def test_other_parameters_keep_their_defaults_and_one_unknown_gets_the_request() -> None:
    assert bound(lambda user, data, depth=3, *rest, **more: 0) == {
        "user": "alice",
        "data": {"session": "s1", "user": "alice", "message": "hi"},
    }


def test_the_recorded_request_object_is_passed_as_it_is_but_as_a_copy() -> None:
    record = {"id": "r1", "session": "s1", "request": {"question": {"deep": [1]}}}
    given = bound(lambda payload: 0, record)["payload"]
    assert given == {"question": {"deep": [1]}}
    given["question"]["deep"].append(2)
    assert record["request"] == {"question": {"deep": [1]}}


def test_the_message_of_an_http_request_is_found_in_its_body() -> None:
    record = {
        "id": "r1",
        "session": "s1",
        "request": {"method": "POST", "path": "/", "query": {"a": "b"}, "json": {"prompt": "hi"}},
    }
    assert bound(lambda message: 0, record) == {"message": "hi"}


def test_two_unknown_parameters_are_refused_with_the_names_that_would_do() -> None:
    with pytest.raises(TypeError, match="cannot tell what to pass for a, b; parameters are bound by name: session_id"):
        roles_of(lambda a, b: 0)


@pytest.mark.parametrize("spec", ["agent.py", "agent.py:", ":handle", "agent:a/b"])
def test_a_spec_that_names_no_attribute_is_refused(spec: str, tmp_path: Any) -> None:
    with pytest.raises(HandlerError, match=r"file\.py:attribute"):
        locate(spec, str(tmp_path))


@pytest.mark.parametrize("spec", ["agents", "agents/", "./agents:handle"])
def test_a_directory_is_told_as_one_and_not_given_an_attribute(spec: str, tmp_path: Any) -> None:
    (tmp_path / "agents").mkdir()
    with pytest.raises(HandlerError, match=r"is a directory, and no handler; name a file in it") as raised:
        locate(spec, str(tmp_path))
    assert "try" not in str(raised.value)


def test_an_empty_spec_is_told_as_empty(tmp_path: Any) -> None:
    with pytest.raises(HandlerError, match=r"^the name of the handler is empty; write it like file\.py:attribute$"):
        locate("", str(tmp_path))


WORKING = "async def handle(message):\n    return message\n"


@pytest.mark.parametrize(
    ("source", "handler", "said"),
    [
        (WORKING, "nope.py:handle", "no such file"),
        (WORKING, "agnet.py:handle", "did you mean agent.py?"),
        (WORKING, "agent.py:handel", "did you mean 'handle'?"),
        (WORKING, "no_such_package.app:handle", "no module named 'no_such_package'"),
        (
            "x = 1\nimport not_installed_anywhere\n",
            "agent.py:handle",
            "agent.py:2: importing the handler failed with ModuleNotFoundError",
        ),
        ("def broken(:\n", "agent.py:handle", "agent.py:1: importing the handler failed with SyntaxError"),
        ("\n\n1 / 0\n", "agent.py:handle", "agent.py:3: importing the handler failed with ZeroDivisionError"),
        ("import sys\nsys.exit(3)\n", "agent.py:handle", "SystemExit"),
        ("handle = 3\n", "agent.py:handle", "is a int, which cannot be called"),
        ("class handle: ...\n", "agent.py:handle", "is a class"),
        ("def handle(a, b): ...\n", "agent.py:handle", "cannot tell what to pass for a, b"),
        ("def handle(message, /): ...\n", "agent.py:handle", "positional-only"),
        ("async def handle(): ...\n", "agent.py:handle", "takes no parameters"),
        ("def handle(): return 3\n", "agent.py:handle", "takes no parameters"),
        (
            "def handle(): raise ValueError('no key')\n",
            "agent.py:handle",
            "calling the factory failed with ValueError: no key",
        ),
        (WORKING, "http://127.0.0.1:8000", "is a running service"),
    ],
)
async def test_what_cannot_be_loaded_is_said_in_one_line(bench: Bench, source: str, handler: str, said: str) -> None:
    with pytest.raises(CrosslaneError) as raised:
        await bench.run(source, handler=handler)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_kind_that_is_not_there_yet_is_refused_by_name(bench: Bench) -> None:
    with pytest.raises(HandlerError, match="kind http are not supported yet"):
        await bench.run(WORKING, kind="http")
    with pytest.raises(HandlerError, match="unknown kind 'cobol'"):
        await bench.run(WORKING, kind="cobol")


async def test_modules_packages_methods_and_factories_can_be_named(bench: Bench) -> None:
    bench.write("", "shop/__init__.py")
    bench.write("NAME = 'bot'\n", "shop/names.py")
    bench.write(
        """
        import asyncio
        from .names import NAME
        class Bot:
            async def chat(self, text):
                await asyncio.sleep(0)
                return f"{NAME}: {text}"
        bot = Bot()
        def make():
            return bot.chat
        """,
        "shop/agent.py",
    )
    for handler in ("shop.agent:bot.chat", "shop/agent.py:bot.chat", "shop.agent:make()"):
        result = await bench.run(handler=handler)
        assert result.solo["alice"].outcomes[0].body == "bot: My name is Alice Ferrante", handler


async def test_a_file_named_like_a_module_of_the_library_loads(bench: Bench) -> None:
    bench.write("async def handle(message):\n    return message\n", "code.py")
    bench.write("async def handle(message):\n    return message\n", "json.py")
    for name in ("code", "json"):
        result = await bench.run(handler=f"{name}.py:handle")
        assert result.solo["bob"].outcomes[0].body == "My name is Bob Okafor"


async def test_answers_of_every_shape_become_plain_values(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, dataclasses, enum
        class Mood(str, enum.Enum):
            good = "fine"
        @dataclasses.dataclass
        class Reply:
            text: str
            mood: Mood
            def __repr__(self): raise RuntimeError("looked at me")
        async def handle(message):
            await asyncio.sleep(0)
            return {"reply": Reply(message, Mood.good), "raw": b"\\xffx", "tags": {"b", "a"}, 1: (1, None, 2.5)}
        """
    )
    assert result.solo["bob"].outcomes[0].body == {
        "reply": {"<Reply>": {"text": "My name is Bob Okafor", "mood": "fine"}},
        "raw": "\\xffx",
        "tags": ["a", "b"],
        "1": [1, None, 2.5],
    }


async def test_streams_are_collected_chunk_by_chunk_and_are_switch_points(bench: Bench) -> None:
    result = await bench.run(
        """
        last = []
        async def handle(user, message):
            last[:] = [message]
            yield "you said "
            yield last[0]
        """
    )
    assert result.solo["alice"].outcomes[0].chunks == ("you said ", "My name is Alice Ferrante")
    (crossing,) = result.report.crossings
    assert (crossing.needs.cls, crossing.needs.switches) == ("interleaved", 1)


async def test_a_plain_asgi_application_runs_its_lifespan_and_sees_the_request(bench: Bench) -> None:
    request = {"method": "PUT", "path": "/a%20b?x=1", "headers": {"X-User": "alice"}, "json": {"q": "ä"}}
    trace = tuple(Exchange(Request(f"r{n}", u, u, n, None, request, n)) for n, u in enumerate(("alice", "bob"), 1))
    result = await bench.run(
        """
        import asyncio, json
        async def app(scope, receive, send):
            if scope["type"] == "lifespan":
                while True:
                    message = await receive()
                    if message["type"] == "lifespan.startup":
                        scope["state"]["model"] = "ready"
                        await send({"type": "lifespan.startup.complete"})
                    else:
                        await send({"type": "lifespan.shutdown.complete"})
                        return
            body = (await receive())["body"]
            await asyncio.sleep(0)
            headers = {k.decode(): v.decode() for k, v in scope["headers"]}
            answer = [scope["method"], scope["path"], scope["query_string"].decode(), headers["x-user"],
                      json.loads(body), headers["content-length"], scope["state"]["model"]]
            await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"application/json")]})
            await send({"type": "http.response.body", "body": json.dumps(answer).encode()})
        """,
        trace,
        "agent.py:app",
    )
    outcome = result.solo["alice"].outcomes[0]
    assert outcome.status == 201
    assert outcome.body == ["PUT", "/a b", "x=1", "alice", {"q": "ä"}, "11", "ready"]


async def test_a_start_up_that_fails_is_said(bench: Bench) -> None:
    trace = (Exchange(Request("r1", "s", "u", 1, None, {"path": "/"}, 1)),)
    with pytest.raises(HandlerError, match="start-up failed: no database"):
        await bench.run(
            """
            async def app(scope, receive, send):
                await receive()
                await send({"type": "lifespan.startup.failed", "message": "no database"})
            """,
            trace,
            "agent.py:app",
        )


async def test_an_application_needs_a_path(bench: Bench) -> None:
    with pytest.raises(HandlerError, match="request r1 has no path"):
        await bench.run("async def app(scope, receive, send): ...\n", turns(("s", "u", "hi")), "agent.py:app")
