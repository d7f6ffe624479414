"""What answers for the LLM: through every client library, in the lane that called, as switch point, sink and fault."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from crosslane.replay.errors import CrosslaneError
from crosslane.replay.export.findings import ExportSource
from crosslane.replay.export.script import script
from crosslane.replay.trace.model import Exchange, Request, Upstream

from ..conftest import Bench, turns

SECRETS = turns(("s1", "alice", "my code is ZX-4411"), ("s2", "bob", "my code is QW-9922"))
URL = "https://api.openai.com/v1/chat/completions"

ASYNC = {
    "httpx": "async with httpx.AsyncClient() as c: return (await c.post(URL, json=body)).json()",
    "httpx2": "async with httpx2.AsyncClient() as c: return (await c.post(URL, json=body)).json()",
    "aiohttp": "async with aiohttp.ClientSession() as c, c.post(URL, json=body) as r: return await r.json()",
}
THREADED = {
    "httpx": "return httpx.post(URL, json=body).json()",
    "requests": "return requests.post(URL, json=body).json()",
}


def agent(library: str, threaded: bool, leaking: bool) -> str:
    call = (THREADED if threaded else ASYNC)[library]
    words = "", "" if threaded else "async ", "" if threaded else "await "
    return f"""
import {library}
URL = {URL!r}
notes = []
{words[1]}def ask(messages):
    body = {{"model": "m", "messages": messages}}
    {call}
{words[1]}def handle(message):
    global notes
    mine = []
    {"notes" if leaking else "mine"}.append(message)
    answer = {words[2]}ask([{{"role": "user", "content": m}} for m in {"notes" if leaking else "mine"}])
    notes = []
    return answer["choices"][0]["message"]["content"]
"""


CASES = [(name, False) for name in ASYNC] + [(name, True) for name in THREADED]


@pytest.mark.parametrize(("library", "threaded"), CASES)
async def test_a_prompt_that_holds_anothers_words_is_found_through_every_client(
    bench: Bench, library: str, threaded: bool
):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    leaking = await bench.run(agent(library, threaded, True), SECRETS, budget_s=10, most_executions=60)
    assert leaking.report.verdict == "contaminated"
    crossing = leaking.report.crossings[0]
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.notes"
    assert crossing.upstream == "echo"
    clean = await bench.run(agent(library, threaded, False), SECRETS, budget_s=20, most_executions=60)
    assert clean.report.verdict == "clean", clean.report.reason
    assert min(clean.report.coverage.interior_points.values()) >= 1


async def test_the_prompt_itself_is_a_sink(bench: Bench):
    source = agent("httpx", False, True).replace('return answer["choices"][0]["message"]["content"]', "return 'ok'")
    result = await bench.run(source, SECRETS, most_executions=60)
    crossing = result.report.crossings[0]
    assert crossing.sink.where == "upstream"
    assert crossing.sink.path.startswith("upstream.openai.chat[0].json.messages")


def recorded(*answers: tuple[str, str, str, str]) -> tuple[Exchange, ...]:
    """(user, message, what was asked, what the LLM answered then)."""
    return tuple(
        Exchange(
            Request(f"r{n}", f"s{n}", user, n, message, None, n),
            None,
            (
                Upstream(
                    n,
                    1,
                    "POST api.openai.com/v1/chat/completions",
                    {
                        "method": "POST",
                        "url": URL,
                        "json": {"model": "m", "messages": [{"role": "user", "content": asked}]},
                    },
                    {
                        "status": 200,
                        "content_type": "application/json",
                        "json": {"choices": [{"message": {"content": said}}]},
                    },
                ),
            ),
        )
        for n, (user, message, asked, said) in enumerate(answers, 1)
    )


async def test_the_trace_answers_as_it_did_when_it_was_recorded(bench: Bench):
    trace = recorded(("alice", "hi", "hi", "your balance is 4711-03"), ("bob", "ho", "ho", "your balance is 9922-17"))
    result = await bench.run(agent("httpx", False, False), trace, action="replay", order="serial")
    assert [e.text for e in result.run.events if e.kind == "response"] == [
        "your balance is 4711-03",
        "your balance is 9922-17",
    ]
    assert not result.report.warnings


async def test_an_answer_of_the_llm_that_reaches_another_user_is_found(bench: Bench):
    """The value is in no request at all, only in what the LLM said to its own user."""
    source = agent("httpx", False, False).replace(
        'return answer["choices"][0]["message"]["content"]',
        "notes.append(answer['choices'][0]['message']['content'])\n    await __import__('asyncio').sleep(0)\n    return notes[-1]",
    )
    trace = recorded(("alice", "hi", "hi", "your balance is 4711-03"), ("bob", "ho", "ho", "your balance is 9922-17"))
    result = await bench.run(source, trace, most_executions=200)
    assert result.report.verdict == "contaminated", result.report.reason
    assert result.report.crossings[0].upstream == "recorded"
    clean = await bench.run(
        source.replace("return notes[-1]", "return answer['choices'][0]['message']['content']"),
        trace,
        most_executions=200,
    )
    assert clean.report.verdict == "clean", clean.report.reason


async def test_a_call_that_is_not_the_recorded_one_is_said(bench: Bench):
    trace = recorded(("alice", "hi", "something else", "x"), ("bob", "ho", "ho", "y"))
    result = await bench.run(agent("httpx", False, False), trace, most_executions=40)
    assert any("r1: call 1 of openai.chat differs" in w and "messages[0].content" in w for w in result.report.warnings)
    assert not any("r2" in warning for warning in result.report.warnings)


async def test_spans_of_a_tracing_product_answer_too(bench: Bench):
    """They keep messages, but no URL and no wire format."""
    said = [{"role": "assistant", "parts": [{"type": "text", "content": "as recorded"}]}]
    trace = tuple(
        Exchange(Request(f"r{n}", f"s{n}", user, n, "hi", None, n), None, (Upstream(n, 1, "chat gpt-4o", [], said),))
        for n, user in enumerate(("alice", "bob"), 1)
    )
    result = await bench.run(agent("httpx", False, False), trace, action="replay", order="serial")
    assert {e.text for e in result.run.events if e.kind == "response"} == {"as recorded"}


async def test_a_function_of_the_users_answers(bench: Bench):
    bench.write(
        "def answer(call):\n    return f\"{call['api']} was asked {call['prompt']} by {call['request']}\"\n", "stub.py"
    )
    result = await bench.run(
        agent("httpx", False, False), SECRETS, action="replay", order="serial", upstream="stub.py:answer"
    )
    first = next(e.text for e in result.run.events if e.kind == "response")
    assert first == "openai.chat was asked my code is ZX-4411 by r1"


@pytest.mark.parametrize(
    ("stub", "spec", "what"),
    [
        ("x = 1\n", "stub.py:x", "is no plain function"),
        ("async def answer(call): ...\n", "stub.py:answer", "is no plain function"),
        ("", "nowhere.py:answer", "no such file"),
        ("", "recored", "--upstream recored: is neither recorded, echo nor pass, nor a function; name one of these"),
        ("import nothing_like_that\n", "stub.py:answer", "importing"),
    ],
)
async def test_a_stub_that_cannot_be_used_is_one_clear_line(bench: Bench, stub: str, spec: str, what: str):
    bench.write(stub, "stub.py")
    with pytest.raises(CrosslaneError, match=what):
        await bench.run(agent("httpx", False, False), SECRETS, upstream=spec)


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
async def test_a_call_to_any_other_host_is_refused_by_name_and_never_clean(bench: Bench, library: str):
    source = agent(library, False, False).replace(URL, "https://weather.example.com/today")
    result = await bench.run(source, SECRETS, most_executions=40)
    assert result.report.verdict == "inconclusive"
    assert "call to weather.example.com refused" in result.report.reason


class _Llm(BaseHTTPRequestHandler):
    asked: list[str] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body["messages"][-1]["content"])
        answer = json.dumps({"choices": [{"message": {"content": f"real {self.asked[-1]}"}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args) -> None: ...


async def test_a_function_that_answers_nothing_is_named_as_the_reason(bench: Bench):
    bench.write("def answer(call):\n    pass\n", "stub.py")
    result = await bench.run(
        agent("httpx", False, False), SECRETS, action="replay", order="serial", upstream="stub.py:answer"
    )
    assert result.report.verdict == "inconclusive"
    assert "refused: the function given with --upstream returned None for it" in result.report.reason


@pytest.mark.parametrize("library", ["httpx", "aiohttp"])
async def test_a_server_on_this_machine_is_asked_once_for_each_call_of_each_request(bench: Bench, library: str):
    _Llm.asked = []
    server = HTTPServer(("127.0.0.1", 0), _Llm)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        source = agent(library, False, False).replace(URL, f"http://127.0.0.1:{server.server_port}/v1/chat/completions")
        result = await bench.run(source, SECRETS, upstream="pass", most_executions=40)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert result.report.verdict == "clean", result.report.reason
    assert {e.text for e in result.run.events if e.kind == "response"} == {
        "real my code is ZX-4411",
        "real my code is QW-9922",
    }
    assert result.report.executions > 10


async def test_a_call_that_fails_is_tried(bench: Bench):
    source = """
import httpx
seen = []
async def handle(message):
    seen.append(message)
    async with httpx.AsyncClient() as client:
        try:
            await client.post("https://api.openai.com/v1/chat/completions", json={{"messages": []}})
        except httpx.ConnectError:
            {forget}
            return "sorry"
        except BaseException:
            seen.remove(message)
            raise
    shown = seen[0]
    seen.remove(message)
    return shown
"""
    leaking = await bench.run(source.format(forget="pass"), SECRETS, concurrency=1)
    assert leaking.report.crossings[0].needs.cls == "exception"
    clean = await bench.run(source.format(forget="seen.remove(message)"), SECRETS, concurrency=1)
    assert clean.report.verdict == "clean", clean.report.reason


async def test_a_finding_through_http_calls_is_shown_again_by_its_script(bench: Bench):
    result = await bench.run(agent("httpx", False, True), SECRETS, most_executions=60)
    text = script(ExportSource(result.report.crossings[0], "agent.py:handle", None, str(bench.folder)))
    (bench.folder / "repro.py").write_text(text)
    (bench.folder / "fixed.py").write_text(agent("httpx", False, False))

    def ran(*arguments: str) -> int:
        command = [sys.executable, "repro.py", *arguments]
        return subprocess.run(command, cwd=bench.folder, check=False, capture_output=True).returncode

    assert [ran(), ran("fixed.py:handle")] == [1, 0]


SDKS = """
from openai import AsyncOpenAI
from anthropic import AsyncAnthropic
openai, claude = AsyncOpenAI(), AsyncAnthropic()
async def handle(message):
    asked = [{"role": "user", "content": message}]
    said = []
    said.append((await openai.chat.completions.create(model="m", messages=asked)).choices[0].message.content)
    async for chunk in await openai.chat.completions.create(model="m", messages=asked, stream=True):
        said.append(chunk.choices[0].delta.content or "")
    said.append((await openai.responses.create(model="m", input=message)).output_text)
    async with openai.responses.stream(model="m", input=message) as stream:
        said.append((await stream.get_final_response()).output_text)
    said.append(str(len((await openai.embeddings.create(model="text-embedding-3-small", input=message)).data[0].embedding)))
    said.append((await claude.messages.create(model="m", max_tokens=9, messages=asked)).content[0].text)
    async with claude.messages.stream(model="m", max_tokens=9, messages=asked) as stream:
        said.append(await stream.get_final_text())
    return said
"""


async def test_the_sdks_of_openai_and_anthropic_understand_every_answer(bench: Bench):
    pytest.importorskip("openai")
    pytest.importorskip("anthropic")
    (bench.folder / "agent.py").write_text(SDKS)
    result = await bench.run(
        None, turns(("s1", "alice", "hello there you")), action="replay", order="serial", blocked_after_s=30
    )
    text = next(e.text for e in result.run.events if e.kind == "response")
    assert text.count("hello") >= 6, text
    assert "1536" in text


async def test_a_value_that_a_stream_spells_out_in_pieces_is_found(bench: Bench):
    """No event of the stream holds the other user's code, and neither does any part of it."""
    source = """
        import asyncio, json
        last = ""
        async def handle(message):
            global last
            last = message
            await asyncio.sleep(0)
            for start in range(0, len(last), 3):
                yield "data: " + json.dumps({"delta": {"text": last[start:start + 3]}}) + "\\n\\n"
        """
    result = await bench.run(source, SECRETS)
    verbatim = [crossing for crossing in result.report.crossings if crossing.kind == "verbatim"]
    assert verbatim, result.report
    assert verbatim[0].sink.path == "body.delta.text"
    assert verbatim[0].sink.evidence in ("ZX-4411", "QW-9922", "my code is ZX-4411", "my code is QW-9922")
    text = script(ExportSource(verbatim[0], "agent.py:handle", None, str(bench.folder)))
    (bench.folder / "repro.py").write_text(text)
    assert (
        subprocess.run([sys.executable, "repro.py"], cwd=bench.folder, check=False, capture_output=True).returncode == 1
    )
