"""Watching: an edit of the handler runs the repro and the search again, and what comes of it is a line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay.errors import HandlerError
from crosslane.replay.trace.store import load
from crosslane.replay.worker.client import WorkerOptions
from crosslane.replay.worker.pool import Pool
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.session import OpenSession
from crosslane.tui.watching import part, stamps, watched_files
from textual.pilot import Pilot

from .stand_ins import SOURCE, StandIn, result, screen_text, session, settle

SIZES = [(80, 24), (160, 45)]
SHARED = """import asyncio

context = []


async def handle(user, message):
    context.append(message)
    await asyncio.sleep(0)
    return " ".join(context)
"""
APART = SHARED.replace("    context.append(message)", "    context = [message]")
LINES = '{"session":"s1","user":"alice","message":"I am Alice Ferrante"}\n{"session":"s2","user":"bob","message":"I am Bob Okafor"}\n'


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosslane.tui.screens.watch.EVERY_S", 0.01)


def save(file: Path, source: str) -> None:
    """As editors do: a new file in the place of the old one."""
    draft = file.with_suffix(".draft")
    draft.write_text(source)
    draft.replace(file)


async def until(app: CrosslaneApp, pilot: Pilot[None], said: Callable[[str], bool]) -> str:
    async with asyncio.timeout(25):
        while not said(text := "\n".join(screen_text(app))):
            await pilot.pause(0.02)
    return text


async def test_an_edit_runs_the_repro_and_then_the_search_and_both_outcomes_stay(tmp_path: Path) -> None:
    runner = StandIn(result())
    app = CrosslaneApp(session(tmp_path, runner))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        await pilot.press("w")
        await until(app, pilot, lambda text: "watching 1 file: save an edit, w stops" in text)
        runner.answer = result("clean")
        save(tmp_path / "agent.py", SOURCE + "# fixed\n")
        await until(app, pilot, lambda text: "● repro clean" in text and "● search clean" in text)
        repro, search = runner.jobs[-2:]
        assert (repro.action, repro.best_effort, search.action) == ("replay", True, "check")
        assert [exchange.request.id for exchange in repro.exchanges] == ["r1", "r2"]
        assert runner.closed, "the processes that hold the old program are gone"
        main = app.screen
        assert isinstance(main, MainScreen)
        assert main.known.result is not None
        assert main.known.result.report.verdict == "clean"
        runner.answer = result()
        save(tmp_path / "agent.py", SOURCE)
        text = await until(app, pilot, lambda text: "✗ search contaminated" in text)
        assert "✗ repro contaminated" in text, "the repro of a fixed finding runs on"
        assert "round 1" in text
        assert "round 2" in text
        await pilot.press("w")
        await pilot.pause()
        assert "round" not in "\n".join(screen_text(app))
        asked = len(runner.jobs)
        save(tmp_path / "agent.py", SOURCE + "\n\n")
        for _ in range(5):
            await pilot.pause(0.01)
        assert len(runner.jobs) == asked


async def test_an_edit_amid_a_round_ends_it_and_begins_the_next(tmp_path: Path) -> None:
    runner = StandIn(result())
    app = CrosslaneApp(session(tmp_path, runner))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("w")
        await until(app, pilot, lambda text: "watching" in text)
        runner.gate = asyncio.Event()
        save(tmp_path / "agent.py", SOURCE + "# one\n")
        await until(app, pilot, lambda text: "repro …" in text)
        save(tmp_path / "agent.py", SOURCE + "# one more\n")
        await until(app, pilot, lambda text: "round 2" in text)
        runner.gate.set()
        text = await until(app, pilot, lambda text: "✗ search contaminated" in text)
        assert "✗" not in next(line for line in text.splitlines() if "round 1" in line)


async def test_red_turns_green_over_a_syntax_error_in_the_running_program(tmp_path: Path) -> None:
    handler, file = tmp_path / "mine.py", tmp_path / "t.jsonl"
    handler.write_text(SHARED)
    file.write_text(LINES)
    app = CrosslaneApp(
        OpenSession(load(file), "mine.py:handle", WorkerOptions(cwd=tmp_path), runner=lambda o: Pool(o, 1))
    )
    async with app.run_test(size=(160, 45)) as pilot:
        await until(app, pilot, lambda text: "✗ 1 crossing" in text)
        await pilot.press("w")
        await until(app, pilot, lambda text: "watching 1 file" in text)
        save(handler, "async def handle(\n")
        text = await until(app, pilot, lambda text: "round 1" in text and "✖" in text)
        assert "mine.py:1" in text
        save(handler, APART)
        text = await until(app, pilot, lambda text: "● search clean" in text)
        assert "● repro" in text
        save(handler, SHARED)
        await until(app, pilot, lambda text: "✗ repro contaminated" in text and "✗ search contaminated" in text)


async def test_without_a_watch_a_replay_runs_what_is_on_disk_and_says_that_the_program_was_reloaded(
    tmp_path: Path,
) -> None:
    handler, file = tmp_path / "mine.py", tmp_path / "t.jsonl"
    handler.write_text(SHARED)
    file.write_text(LINES)
    app = CrosslaneApp(
        OpenSession(load(file), "mine.py:handle", WorkerOptions(cwd=tmp_path), runner=lambda o: Pool(o, 1))
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await until(app, pilot, lambda text: "✗ 1 crossing" in text)
        main = app.screen
        assert isinstance(main, MainScreen)
        save(handler, APART)
        await pilot.press("r", "down", "enter")
        text = await until(app, pilot, lambda text: "reloaded mine.py" in text)
        assert "crossing" not in text.splitlines()[0]
        assert [tried.origin for group in main.known.tried.groups for tried in group.tried] == ["lockstep"]
        await pilot.press("r", "down", "down", "enter")
        await until(app, pilot, lambda text: "schedule serial" in text and "reloaded" not in text)


async def test_a_file_that_is_gone_is_said_and_there_is_no_verdict_without_it(tmp_path: Path) -> None:
    handler, file = tmp_path / "mine.py", tmp_path / "t.jsonl"
    handler.write_text(APART)
    file.write_text(LINES)
    app = CrosslaneApp(
        OpenSession(load(file), "mine.py:handle", WorkerOptions(cwd=tmp_path), runner=lambda o: Pool(o, 1))
    )
    async with app.run_test(size=(120, 40)) as pilot:
        await until(app, pilot, lambda text: "● clean" in text.partition("\n")[0])
        handler.unlink()
        await pilot.press("w")
        text = await until(app, pilot, lambda text: "gone" in text)
        assert "mine.py is gone: no verdict until it is back" in text
        assert "watching" not in text
        await pilot.press("r", "down", "enter")
        text = await until(app, pilot, lambda text: "no verdict" in text.splitlines()[0])
        assert "clean" not in text.splitlines()[0]
        assert "mine.py" in text
        handler.write_text(SHARED)
        await until(app, pilot, lambda text: "✗ search contaminated" in text and "gone" not in text)


def test_the_files_are_those_that_the_run_names_and_the_module_of_the_handler(tmp_path: Path) -> None:
    made = session(tmp_path, StandIn(result()))
    package = tmp_path / "shop"
    package.mkdir()
    (package / "app.py").write_text("")
    assert watched_files(replace(made, handler="shop.app:handle"), None) == (package / "app.py",)
    assert watched_files(replace(made, handler="shop.app:handle"), result()) == (
        package / "app.py",
        tmp_path / "agent.py",
    )
    assert watched_files(replace(made, handler="http://127.0.0.1:1"), None) == ()


def test_the_handlers_file_counts_where_it_is_gone(tmp_path: Path) -> None:
    made = session(tmp_path, StandIn(result()))
    agent = tmp_path / "agent.py"
    agent.unlink()
    assert watched_files(made, None) == (agent,)
    assert watched_files(replace(made, handler="agent:handle"), result()) == (agent,), "a run was in it"
    assert watched_files(replace(made, handler="agent:handle"), None) == (), "it may be anywhere"
    assert watched_files(replace(made, handler="shop.app:handle"), result()) == ()


def test_a_file_that_is_gone_or_of_another_size_has_another_stamp(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    assert stamps([file]) == {file: None}
    file.write_text("x")
    os.utime(file, ns=(5, 5))
    before = stamps([file])
    file.write_text("xy")
    os.utime(file, ns=(5, 5))
    assert stamps([file]) != before


def test_an_error_is_one_harmless_line() -> None:
    assert part("repro", HandlerError("bad\x1b[2J\nname", "a.py:1"), 1.0) == "✖ a.py:1: bad␛[2J⏎name"


def test_a_repro_that_no_longer_fits_the_edited_program_says_so() -> None:
    clean = result("clean")
    part_way = replace(clean, report=replace(clean.report, warnings=("followed as far as it goes: step 2",)))
    assert part("repro", part_way, 0.25) == "● repro clean, diverged 0.2 s"
