"""Calls to LLMs and tools are recorded in the lane that made them, however they are made."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
from aiohttp import web
from aiohttp.test_utils import TestServer
from crosslane.replay.record import upstream
from crosslane.replay.record.recorder import CURRENT, Recorder
from crosslane.replay.trace.store import load

STREAM = b'data: {"choices":[{"delta":{"content":"hel"}}]}\n\ndata: {"choices":[{"delta":{"content":"lo"}}]}\n\n'


@contextlib.asynccontextmanager
async def llm():
    async def complete(request: web.Request) -> web.StreamResponse:
        data = await request.json()
        if data.get("stream"):
            response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
            await response.prepare(request)
            for line in STREAM.splitlines(keepends=True):
                await response.write(line)
            return response
        answer = web.json_response({"echo": data["prompt"]})
        if data.get("packed"):
            answer.enable_compression(web.ContentCoding.gzip)
        return answer

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    async with TestServer(app) as server:
        yield str(server.make_url("/v1/chat/completions"))


async def with_httpx(url: str, data: dict) -> str:
    async with httpx.AsyncClient() as client:
        if not data.get("stream"):
            return (await client.post(url, json=data)).text
        async with client.stream("POST", url, json=data) as answer:
            return "".join([part async for part in answer.aiter_text()])


async def with_httpx_sync(url: str, data: dict) -> str:
    def call() -> str:
        with httpx.Client() as client:
            if not data.get("stream"):
                return client.post(url, json=data).text
            with client.stream("POST", url, json=data) as answer:
                return "".join(answer.iter_text())

    return await asyncio.to_thread(call)


async def with_requests(url: str, data: dict) -> str:
    def call() -> str:
        answer = requests.post(url, json=data, stream=bool(data.get("stream")))
        return b"".join(answer.iter_lines()).decode() if data.get("stream") else answer.text

    return await asyncio.to_thread(call)


async def with_aiohttp(url: str, data: dict) -> str:
    async with aiohttp.ClientSession() as client, client.post(url, json=data) as answer:
        if data.get("stream"):
            return "".join([part.decode() async for part in answer.content.iter_any()])
        return await answer.text()


CLIENTS = [with_httpx, with_httpx_sync, with_requests, with_aiohttp]


@pytest.fixture
def recorder(trace: Path):
    upstream.observe()
    recorder = Recorder(trace)
    yield recorder
    recorder.close()


async def serve(recorder: Recorder, user: str, call) -> None:
    recording = recorder.begin("POST", "/chat", [("X-User-Id", user)])
    recording.request()
    token = CURRENT.set(recording)
    try:
        await call()
    finally:
        CURRENT.reset(token)
        recording.respond(200, ())
        recording.finish()


@pytest.mark.parametrize("client", CLIENTS)
async def test_each_call_stands_in_its_own_lane_under_concurrency(trace: Path, recorder: Recorder, client):
    async with llm() as url:
        await asyncio.gather(
            *(serve(recorder, f"u{n}", lambda n=n: client(url + "?key=k", {"prompt": f"I am u{n}"})) for n in range(8))
        )
    for exchange in load(trace).exchanges:
        (call,) = exchange.upstream
        assert call.name == "POST 127.0.0.1/v1/chat/completions"
        assert call.sent["json"] == {"prompt": f"I am {exchange.request.user}"}
        assert call.answered["status"] == 200
        assert call.answered["json"] == {"echo": f"I am {exchange.request.user}"}
        assert call.duration_ns > 0
        assert "key=k" not in str(call)


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_stream_stays_a_stream_and_is_kept_whole(trace: Path, recorder: Recorder, client):
    async with llm() as url:
        await serve(recorder, "alice", lambda: client(url, {"prompt": "hi", "stream": True}))
    (call,) = load(trace).exchanges[0].upstream
    assert call.answered["text"].replace("\n", "") == STREAM.decode().replace("\n", "")


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_compressed_answer_is_kept_readable(trace: Path, recorder: Recorder, client):
    async with llm() as url:
        await serve(recorder, "alice", lambda: client(url, {"prompt": "hi", "packed": True}))
    (call,) = load(trace).exchanges[0].upstream
    assert call.answered["json"] == {"echo": "hi"}


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_call_that_fails_is_recorded_and_fails_as_before(trace: Path, recorder: Recorder, client):
    with pytest.raises(Exception):  # noqa: B017, PT011 - each library has its own
        await serve(recorder, "alice", lambda: client("http://127.0.0.1:1/v1", {"prompt": "hi"}))
    (call,) = load(trace).exchanges[0].upstream
    assert call.sent["json"] == {"prompt": "hi"}
    assert "error" in call.answered


async def test_a_call_outside_any_request_is_left_alone(trace: Path, recorder: Recorder):
    async with llm() as url:
        assert "hi" in await with_httpx(url, {"prompt": "hi"})
    await serve(recorder, "alice", lambda: asyncio.sleep(0))
    assert load(trace).exchanges[0].upstream == ()
