"""Calls to the LLM as services make them: streamed, several at once, of other APIs; and whose call it is."""

from __future__ import annotations

import json

import pytest
from crosslane.replay.errors import ExportError
from crosslane.replay.export.findings import ExportSource
from crosslane.replay.export.script import script
from crosslane.replay.service.callers import LANE_HEADER, marks_of
from crosslane.replay.service.client import Address
from crosslane.replay.service.drive import Drive, Limits
from crosslane.replay.service.llm import Held, canonical
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.trace.sessions import Recorded, Sessions
from crosslane.replay.upstream.stand_in import StandIn
from crosslane.replay.upstream.wire import Call

from .services import GLOBAL, TWO, Stand

RAW = """
def raw(path, data, base=None):
    request = urllib.request.Request((base or LLM) + path, json.dumps(data).encode())
    try:
        return urllib.request.urlopen(request).read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode()}"

async def later(*arguments):
    return await asyncio.get_running_loop().run_in_executor(pool, raw, *arguments)
"""


async def test_several_calls_at_once_belong_to_the_request_that_made_them(stand: Stand) -> None:
    source = """
    async def handle(path, headers, body):
        made = await asyncio.gather(ask("one"), ask("two"))
        return {"reply": sorted(made), "user": body["user"]}
    """
    result = await stand.run(source, action="replay", settle_s=2.0)
    assert result.report.verdict == "clean"
    assert result.report.coverage.interior_points == {"alice": 2, "bob": 2}
    assert [len(outcome.upstream) for outcome in result.run.outcomes] == [2, 2]
    assert result.run.outcomes[0].body == {"reply": ["one", "two"], "user": "alice"}


async def test_the_stub_speaks_the_apis_of_llms(stand: Stand) -> None:
    message = {"messages": [{"role": "user", "content": "hi"}]}
    calls = [
        ("/v1/chat/completions", {**message, "stream": True}, "chat.completion.chunk"),
        ("/v1/messages", {**message, "stream": True}, "message_stop"),
        ("/v1/messages", message, '"type": "message"'),
        ("/v1/responses", {"input": "hi"}, '"object": "response"'),
        ("/v1/embeddings", {"input": "hi", "model": "m"}, '"object": "list"'),
    ]
    source = f"""{RAW}
CALLS = {[call[:2] for call in calls]!r}

async def handle(path, headers, body):
    return {{"got": [await later(*call, os.environ["ANTHROPIC_BASE_URL"]) for call in CALLS]}}
"""
    result = await stand.run(source, TWO[:1], action="replay", keep_state=True)
    for (path, _, held), got in zip(calls, result.run.outcomes[0].body["got"], strict=True):
        assert held in got, path
    assert result.report.coverage.interior_points == {"alice": len(calls)}


async def test_a_call_that_nothing_stands_in_for_gets_a_clear_text_and_is_no_clean_verdict(stand: Stand) -> None:
    source = f"{RAW}\nasync def handle(path, headers, body):\n    return {{'got': await later('/moderations', {{}})}}"
    result = await stand.run(source, action="replay", keep_state=True)
    assert "404" in result.run.outcomes[0].body["got"]
    assert "crosslane: nothing stands in for POST api.openai.com/v1/moderations" in result.run.outcomes[0].body["got"]
    assert result.report.verdict == "inconclusive"
    assert any("call to api.openai.com refused" in what for what in result.report.coverage.uncontrolled)


async def test_the_parts_of_a_streamed_answer_are_rows_of_the_lane(stand: Stand) -> None:
    source = """
    async def handle(path, headers, body):
        return {"unused": True}

    async def connected(reader, writer):
        await reader.readuntil(b"\\r\\n\\r\\n")
        await ask("hi")
        writer.write(b"HTTP/1.1 200 OK\\r\\ncontent-type: text/event-stream\\r\\n\\r\\ndata: a\\n\\ndata: b\\n\\n")
        writer.close()
    """
    result = await stand.run(source, TWO[:1], action="replay", keep_state=True)
    assert result.run.outcomes[0].chunks == ("data: a\n\n", "data: b\n\n")
    assert [event.kind for event in result.run.events] == ["request", "await", "chunk", "chunk", "response"]


async def test_a_finding_of_a_service_is_not_exported_as_a_script_that_could_not_work(stand: Stand) -> None:
    crossing = (await stand.run(GLOBAL, action="replay", keep_state=True)).report.crossings[0]
    with pytest.raises(ExportError, match=r"repeat it with: crosslane replay TRACE http://127.0.0.1:1"):
        script(ExportSource(crossing, "http://127.0.0.1:1", None, "."))


# ---- whose call it is


def drive() -> Drive:
    """An execution with both lanes under way."""
    lanes = lanes_of(exchange.request for exchange in TWO)
    stand_in = StandIn("echo", lambda *_: None, lambda _: None, lambda _: None, lambda: None)  # type: ignore[arg-type]
    made = Drive(lanes, Address("127.0.0.1", 1), stand_in, Limits(), Sessions(Recorded({}, ())), lambda: False)
    for lane in made.lanes:
        lane.in_flight = True
        lane.request = lane.pending.popleft().id
    return made


def held(said: str, *headers: tuple[str, str]) -> Held:
    body = json.dumps({"messages": [{"role": "user", "content": said}]}).encode()
    return Held(Call("POST", canonical("/v1/chat/completions"), headers, body))


def owners(made: Drive) -> list[str]:
    return [lane.name for lane in made.lanes if lane.ready]


@pytest.mark.parametrize("name", [LANE_HEADER, "traceparent"])
async def test_a_header_that_the_service_passed_on_says_whose_call_it_is(name: str) -> None:
    made = drive()
    mark, trace = marks_of(TWO[1].request)
    # Contaminated prompts hold the other's words: what was passed on is to be believed.
    made.called(held("my code is ZX-4411", (name, mark if name == LANE_HEADER else f"00-{trace}-0123456789abcdef-01")))
    assert owners(made) == ["bob"]


async def test_the_only_lane_under_way_made_the_call_whatever_words_are_in_it() -> None:
    made = drive()
    made.lanes[0].in_flight = False
    made.called(held("my code is ZX-4411"))
    assert owners(made) == ["bob"]


async def test_the_words_of_one_lane_alone_say_whose_call_it_is_and_those_of_two_do_not() -> None:
    made = drive()
    made.called(held("the code is ZX-4411"))
    assert owners(made) == ["alice"]
    made = drive()
    made.called(held("codes ZX-4411 and QW-9922"))
    made.called(held("hello"))
    assert owners(made) == []


async def test_calls_go_to_the_host_that_they_would_have_gone_to() -> None:
    assert canonical("/v1/messages?beta=true") == "https://api.anthropic.com/v1/messages?beta=true"
    assert canonical("/v1/chat/completions") == "https://api.openai.com/v1/chat/completions"
