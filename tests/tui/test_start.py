"""The start screen: a newcomer finds each way in, and who comes back finds what was open."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay.export.findings import save
from crosslane.replay.report import Carrier
from crosslane.replay.worker.client import WorkerOptions
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.folders import findings_folder, state_folder
from crosslane.tui.recent import KEPT, Work, ago, recent_findings, recent_work, remember
from crosslane.tui.screens.dialogs import HelpScreen
from crosslane.tui.screens.files import FilePicker, completed
from crosslane.tui.screens.form import Form
from crosslane.tui.screens.main import MainScreen
from crosslane.tui.screens.start import StartScreen
from crosslane.tui.session import OpenSession
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from .stand_ins import StandIn, crossing, result, screen_text, settle

SIZES = [(80, 24), (160, 45)]
LINE = '{"session":"s1","user":"alice","message":"hello"}\n'


def words(app: CrosslaneApp) -> str:
    """What is on the screen without its frames, so that a wrapped line reads as one."""
    return " ".join(
        "".join(" " if character in "│╭╮╰╯─" else character for character in "\n".join(screen_text(app))).split()
    )


@asynccontextmanager
async def started(
    folder: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[CrosslaneApp, Pilot[None], StandIn]]:
    monkeypatch.chdir(folder)
    runner = StandIn(result())
    app = CrosslaneApp(OpenSession(None, None, WorkerOptions(cwd=folder), runner=lambda options: runner))
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        yield app, pilot, runner


@pytest.mark.parametrize("size", SIZES)
async def test_every_way_in_is_on_the_screen_and_a_line_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int]
) -> None:
    async with started(tmp_path, monkeypatch, size) as (app, pilot, _):
        text = "\n".join(screen_text(app))
        for said in ("Demo", "Open a trace", "Record traffic", "Import traffic", "recent traces", "recent findings",
                     "none yet", "needs nothing"):  # fmt: skip
            assert said in text, said
        for needs in (
            "needs a trace (JSON lines) and the handler",
            "needs the URL of a running",
            "needs a file of another",
        ):
            await pilot.press("j")
            await pilot.pause()
            assert needs in "\n".join(screen_text(app))
        await pilot.press("k")
        await pilot.pause()
        assert "needs the URL" in "\n".join(screen_text(app))


async def test_what_is_typed_is_opened_and_what_is_wrong_with_it_is_said_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with started(tmp_path, monkeypatch, (80, 24)) as (app, pilot, runner):
        await pilot.press("o")
        await pilot.pause()
        await pilot.press(*"no.jsonl", "enter")
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        assert "is needed" in words(app)
        await pilot.press(*"a.py:b", "enter")
        await pilot.pause()
        assert any("no.jsonl: no such file" in line for line in screen_text(app))
        (tmp_path / "t.jsonl").write_text(LINE)
        app.screen.query_one("#trace", Input).value = "t.jsonl"
        await pilot.press("enter")
        await settle(app, pilot)
        assert isinstance(app.screen, MainScreen)
        assert runner.jobs[0].handler == "a.py:b"
        assert [(Path(w.trace).name, w.handler) for w in recent_work(state_folder())] == [("t.jsonl", "a.py:b")]


async def test_a_trace_that_cannot_be_read_leaves_the_start_screen_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.jsonl").write_text("no trace\n")
    remember(Work(str(tmp_path / "t.jsonl"), "a.py:b", str(tmp_path), None, 1.0), state_folder())
    remember(Work(str(tmp_path / "gone.jsonl"), "a.py:b", str(tmp_path), None, 2.0), state_folder())
    async with started(tmp_path, monkeypatch) as (app, pilot, _):
        for said in ("no such file", "holds no usable request"):
            app.screen.query_one(OptionList).highlighted = 5 if "such" in said else 6
            await pilot.press("enter")
            await settle(app, pilot)
            assert isinstance(app.screen, StartScreen)
            assert said in words(app), said


async def test_recent_work_and_findings_are_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.jsonl").write_text(LINE)
    elsewhere = tmp_path / "project"
    elsewhere.mkdir()
    remember(Work(str(tmp_path / "t.jsonl"), "mine.py:handle", str(elsewhere), "asgi", 1.0), state_folder())
    save((crossing(),), "agent.py:handle", None, tmp_path, findings_folder())
    async with started(tmp_path, monkeypatch) as (app, pilot, runner):
        text = "\n".join(screen_text(app))
        assert "t.jsonl > mine.py:handle" in text
        assert "✗ bob was answered with alice's data, through agent.context" in text
        await pilot.press("down", "down", "down", "down", "enter")
        await settle(app, pilot)
        job = runner.jobs[-1]
        assert (job.handler, job.kind, app.session.options.cwd) == ("mine.py:handle", "asgi", elsewhere)
        app.action_start()
        await settle(app, pilot)
        kept = [(found.source.crossing.id, found.source.handler) for found in recent_findings(findings_folder())]
        assert kept == [("id0", "mine.py:handle"), ("0123456789", "agent.py:handle")], "what was just found comes first"
        app.screen.query_one(OptionList).highlighted = app.screen.query_one(OptionList).get_option_index("finding:1")
        await pilot.press("enter")
        await settle(app, pilot)
        job = runner.jobs[-1]
        assert job.handler == "agent.py:handle"
        assert [e.request.message for e in job.exchanges] == ["I am Alice Ferrante", "I am Bob Okafor"]


async def test_recent_work_is_one_line_each_and_its_age_is_never_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = replace(
        crossing(), carrier=Carrier("agent.a_name_that_goes_on_for_long.and_on", "module global", "agent.py:1")
    )
    save((long,), "agent.py:handle", None, tmp_path, findings_folder())
    async with started(tmp_path, monkeypatch) as (app, _, _):
        line = next(line for line in screen_text(app) if "✗ bob was answered" in line)
        assert "…" in line
        assert "just now" in line


async def test_a_trace_alone_asks_for_its_handler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from .stand_ins import trace

    monkeypatch.chdir(tmp_path)
    app = CrosslaneApp(
        OpenSession(trace(), None, WorkerOptions(cwd=tmp_path), runner=lambda options: StandIn(result()))
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert isinstance(app.screen, Form)
        assert app.screen.query_one("#trace", Input).value == "trace.jsonl"
        assert app.focused is app.screen.query_one("#handler", Input)


async def test_a_file_is_picked_from_a_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "picked.jsonl").write_text(LINE)
    (tmp_path / ".hidden").write_text("")
    async with started(tmp_path, monkeypatch) as (app, pilot, _):
        await pilot.press("o")
        await pilot.pause()
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        assert isinstance(app.screen, FilePicker)
        text = "\n".join(screen_text(app))
        assert "picked.jsonl" in text
        assert ".hidden" not in text
        await pilot.press("j", "enter")
        await settle(app, pilot)
        assert app.screen.query_one("#trace", Input).value == "picked.jsonl"
        await pilot.press("ctrl+o")
        await settle(app, pilot)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, StartScreen)


async def test_another_tools_file_is_imported_and_then_asked_for_its_handler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.jsonl").write_text('{"session_id":"s1","user_id":"alice","prompt":"hello there"}\n')
    (tmp_path / "bad.bin").write_bytes(b"\0\1\2")
    async with started(tmp_path, monkeypatch) as (app, pilot, _):
        await pilot.press("i")
        await pilot.pause()
        await pilot.press(*"bad.bin", "enter")
        await settle(app, pilot)
        assert isinstance(app.screen, StartScreen)
        assert any("bad.bin" in line for line in screen_text(app)), "the reason is on the screen"
        await pilot.press("i")
        await pilot.pause()
        await pilot.press(*"log.jsonl", "enter")
        await settle(app, pilot)
        assert (tmp_path / "trace.jsonl").is_file()
        assert isinstance(app.screen, Form)
        assert app.screen.query_one("#trace", Input).value == str(tmp_path / "trace.jsonl")


async def test_help_lists_the_keys_of_the_focused_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with started(tmp_path, monkeypatch, (160, 45)) as (app, pilot, _):
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        text = "\n".join(screen_text(app))
        for said in ("this screen", "d  Demo", "o  Open", "r  Record", "i  Import", "q  Quit"):
            assert said in text, said


async def test_names_in_recent_work_cannot_reach_the_terminal_raw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = "[red]\x1b[2J\u202e.jsonl"
    remember(Work(str(tmp_path / evil), "a.py:\x1bb", str(tmp_path), None, 1.0), state_folder())
    bad = replace(crossing(), carrier=replace(crossing().carrier, name="x\x1b[31m[b]"))  # type: ignore[type-var]
    save((bad,), "a.py:b", None, tmp_path, findings_folder())
    async with started(tmp_path, monkeypatch) as (app, pilot, _):
        await pilot.press("down", "down", "down", "down")
        await pilot.pause()
        text = "\n".join(screen_text(app))
        assert not set(text) & {"\x1b", "\u202e"}
        assert "[red]␛[2J⟨202E⟩.jsonl" in text


def test_the_last_work_comes_first_once_and_no_more_is_kept_than_fits_a_list(tmp_path: Path) -> None:
    for number in (*range(KEPT + 5), 3):
        remember(Work(f"t{number}", "h", "/", None, float(number)), tmp_path)
    names = [work.trace for work in recent_work(tmp_path)]
    assert names[:2] == ["t3", f"t{KEPT + 4}"]
    assert len(names) == len(set(names)) == KEPT
    assert (tmp_path / "recent.json").stat().st_mode & 0o077 == 0


@given(st.one_of(st.binary(max_size=200), st.recursive(st.none() | st.text() | st.floats(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["trace", "handler", "cwd", "at"]), inner)).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))))  # fmt: skip
def test_a_damaged_list_of_recent_work_is_no_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.mktemp("recent")
    (folder / "recent.json").write_bytes(data)
    assert all(isinstance(work, Work) for work in recent_work(folder))
    (folder / "finding.json").write_bytes(data)
    assert recent_findings(folder) == []


def test_work_is_remembered_only_where_that_is_possible(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    remember(Work("t", "h", "/"), tmp_path / "file" / "below")


def test_a_path_is_completed_to_the_first_entry_that_begins_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "one.jsonl").write_text("")
    (tmp_path / "traces" / "t\x1b.jsonl").write_text("")
    assert completed("tr") == f"traces{os.sep}"
    assert completed("traces/o") == "traces/one.jsonl"
    assert completed("traces/t") is None, "a name with an escape is not put into a field"
    assert completed("traces/one.jsonl") is None
    assert completed("nowhere/x") is None
    assert completed("\0") is None
    assert completed("") is None


def test_times_are_said_in_one_unit() -> None:
    assert [ago(0.0, now) for now in (5.0, 60.0, 7_200.0, 200_000.0)] == ["just now", "1 min ago", "2 h ago", "2 d ago"]
