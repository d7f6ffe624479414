"""Recorded traffic on the screen: a file with what the audit finds in it, and lanes that grow while they are recorded."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from crosslane.replay.trace.store import load
from crosslane.replay.worker.client import WorkerOptions
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.start import StartScreen
from crosslane.tui.screens.traffic import RecordingScreen, TrafficScreen
from crosslane.tui.session import OpenSession
from textual.pilot import Pilot

from .stand_ins import screen_text

SIZES = [(80, 24), (160, 45)]


def application(folder: Path, screen: TrafficScreen) -> CrosslaneApp:
    return CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=folder)), screen)


async def until(pilot: Pilot[None], app: CrosslaneApp, said: str) -> str:
    """The screen, once it shows something."""
    for _ in range(200):
        await pilot.pause(0.05)
        text = "\n".join(screen_text(app))
        if said in " ".join(text.split()):
            return text
    raise AssertionError(f"{said!r} never came:\n{text}")


def written(path: Path) -> Path:
    lines = [{"k": "header", "v": 1}]
    for n, (user, said, reply) in enumerate(
        [("alice", "order ORD-88231-A", "ok"), ("bob", "hi \x1b[31m", "your order ORD-88231-A")], 1
    ):
        lines += [
            {
                "k": "req",
                "id": f"r{n}",
                "t": n * 10,
                "session": f"s{n}",
                "user": user,
                "method": "POST",
                "path": "/chat",
                "json": {"message": said},
            },
            {"k": "res", "id": f"r{n}", "t": n * 10 + 5, "status": 200, "json": {"reply": reply}},
        ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


async def test_a_trace_shows_its_lanes_and_what_crossed_in_them(tmp_path: Path) -> None:
    app = application(tmp_path, TrafficScreen(written(tmp_path / "t.jsonl")))
    async with app.run_test(size=(80, 24)) as pilot:
        text = await until(pilot, app, "alice -> bob")
        assert "ORD-88231-A" in text
        assert "2 requests recorded" in text
        assert "alice" in text
        assert "\x1b[31m" not in text


async def test_o_goes_on_to_replay_the_trace_on_a_handler(tmp_path: Path) -> None:
    app = application(tmp_path, TrafficScreen(written(tmp_path / "t.jsonl")))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, app, "alice -> bob")
        await pilot.press("o")
        await until(pilot, app, "t.jsonl")
        assert any(isinstance(screen, StartScreen) for screen in app.screen_stack)


async def test_lanes_grow_while_traffic_is_recorded_and_the_audit_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    last = {}

    async def chat(request: web.Request) -> web.Response:
        data = await request.json()
        last.setdefault("order", data["message"])
        return web.json_response({"reply": last["order"]})

    service = web.Application()
    service.router.add_post("/chat", chat)
    async with TestServer(service) as server:
        screen = RecordingScreen(str(server.make_url("/")), 0, tmp_path / "t.jsonl")
        app = application(tmp_path, screen)
        async with app.run_test(size=(160, 45)) as pilot:
            await until(pilot, app, "waiting for traffic")
            async with aiohttp.ClientSession() as client:

                async def say(user: str, message: str) -> None:
                    url = f"http://127.0.0.1:{screen.port}/chat"
                    async with client.post(url, json={"user_id": user, "message": message}) as answer:
                        await answer.read()

                await say("alice", "order ORD-88231-A please")
                await until(pilot, app, "1 request")
                await say("bob", "hello")
                await until(pilot, app, "alice -> bob")
            await pilot.press("escape")
            await until(pilot, app, "2 requests recorded")
    trace = load(tmp_path / "t.jsonl")
    assert trace.closed
    assert [request.user for request in trace.requests] == ["alice", "bob"]


async def test_a_port_that_is_taken_is_said_where_the_lanes_would_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    async with TestServer(web.Application()) as server:
        app = application(tmp_path, RecordingScreen("http://127.0.0.1:1", server.port, tmp_path / "t.jsonl"))
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, app, f"port {server.port} of 127.0.0.1 is taken")
    assert not (tmp_path / "t.jsonl").exists()


async def test_whatever_fails_while_a_trace_is_read_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OverflowError("int too big [red]to convert")

    monkeypatch.setattr("crosslane.replay.detect.audit.audit", fail)
    app = application(tmp_path, TrafficScreen(written(tmp_path / "t.jsonl")))
    async with app.run_test(size=(160, 45)) as pilot:
        text = await until(pilot, app, "please report this")
        assert "OverflowError" in text
        assert "[red]" in text


async def test_a_trace_with_an_impossible_time_is_shown_without_that_line(tmp_path: Path) -> None:
    path = written(tmp_path / "t.jsonl")
    with path.open("a") as stream:
        stream.write('{"k":"req","id":"r9","t":99999999999999999999,"user":"carol","message":"hi"}\n')
    app = application(tmp_path, TrafficScreen(path))
    async with app.run_test(size=(160, 45)) as pilot:
        text = await until(pilot, app, "audit: 1 found")
    assert "carol" not in text
