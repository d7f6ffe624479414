"""The findings screen: what is found is ranked, told in full, and what can be done with it is a key away."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import CrosslaneError
from crosslane.replay.export.findings import load_finding
from crosslane.replay.report import Allowed, Critical, Finding, Known, Needs, Result
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.editor import editing
from crosslane.tui.folders import findings_folder
from crosslane.tui.kept import with_smaller
from crosslane.tui.ranking import entries, how_telling
from crosslane.tui.screens.dialogs import ExportDialog
from crosslane.tui.screens.findings import FindingsScreen
from crosslane.tui.screens.main import MainScreen
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot
from textual.widgets import Input

from .stand_ins import StandIn, crossing, result, run_of, screen_text, session, settle

SIZES = [(80, 24), (160, 45)]


def several(**changes: Any) -> Result:
    """Three findings, the least telling first, and something in each of the sections below them."""
    made = (
        replace(crossing(identity="log"), sink=replace(crossing().sink, where="log"), found_after=9),
        replace(crossing(identity="derived"), kind="derived", alone="nothing", found_after=4),
        replace(
            crossing(identity="plain"),
            found_after=3,
            critical=Critical(3, "alice", "agent.py:6", "bob", ("alice", "alice", "bob")),
            schedule=({"lane": "alice"}, {"lane": "alice"}, {"lane": "bob"}, {"lane": "alice"}),
        ),
        replace(crossing(identity="old"), source=replace(crossing().source, lane="carol")),
    )
    base = result()
    report = replace(
        base.report,
        crossings=made,
        allowed=(Allowed("alice", "bob", "headers.x-left", "agent.limits", "one rate limit for all"),),
        known=(Known("old", "ticket 12"),),
    )
    return replace(base, report=report, findings=tuple(Finding(c, run_of(), 2, 5, 7) for c in made), **changes)


@asynccontextmanager
async def listed(
    tmp_path: Path, answer: Result, size: tuple[int, int] = (160, 45)
) -> AsyncIterator[tuple[CrosslaneApp, Pilot[None], StandIn]]:
    runner = StandIn(answer)
    app = CrosslaneApp(session(tmp_path, runner))
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        await pilot.press("a", "home")
        await settle(app, pilot)
        assert isinstance(app.screen, FindingsScreen)
        yield app, pilot, runner


def text(app: CrosslaneApp) -> str:
    plain = "\n".join(screen_text(app)).translate(str.maketrans("│╭╮╰╯─", "      "))
    return " ".join(plain.split())


async def test_the_most_telling_finding_is_on_top_and_told_in_full(tmp_path: Path) -> None:
    async with listed(tmp_path, several(), (80, 24)) as (app, pilot, _):
        rows = [line for line in screen_text(app) if "alice → bob" in line or "carol → bob" in line]
        kinds = [next(word for word in ("verbatim", "derived", "known", "allowed") if word in row) for row in rows]
        assert kinds == ["verbatim", "derived", "verbatim", "known", "allowed"][: len(kinds)]
        assert len(kinds) >= 3
        for column in ("kind", "lanes", "carrier", "needs", "first seen", "schedule 3"):
            assert column in text(app), column
        await pilot.press("tab", "end")
        await pilot.pause()
        shown = text(app)
        for said in ("alice waits at agent.py:6 while bob runs", "scope agent.context to the session", "alice ×2, bob ×1, alice ×1",
                     "bob: I am Bob Okafor"):  # fmt: skip
            assert said in shown, said


async def test_the_way_of_the_data_is_a_chain_from_line_to_line(tmp_path: Path) -> None:
    async with listed(tmp_path, several()) as (app, _, _):
        shown = text(app)
        places = [
            shown.index(said)
            for said in (
                "◆ write alice agent.py:5",
                "context.append(message)",
                "┃ carrier agent.context",
                "▷ read bob agent.py:6",
                "✗ response bob body of r2",
                "“Alice Ferrante”",
            )
        ]
        assert places == sorted(places)


async def test_what_is_allowed_known_or_an_influence_stands_apart_with_its_reason(tmp_path: Path) -> None:
    async with listed(tmp_path, several()) as (app, pilot, _):
        seen: list[str] = []
        for _ in range(len(entries(several())) - 1):
            await pilot.press("j")
            await pilot.pause()
            seen.append(text(app))
        for said in (
            "ticket 12",
            "one rate limit for all",
            "a rule of the settings allows these",
            "no contamination",
            "alone “1”",
        ):
            assert any(said in shown for shown in seen), said


async def test_enter_shows_the_finding_in_the_lanes_and_esc_changes_nothing(tmp_path: Path) -> None:
    async with listed(tmp_path, several(), (80, 24)) as (app, pilot, _):
        await pilot.press("escape")
        await pilot.pause()
        main = app.screen
        assert isinstance(main, MainScreen)
        assert main.finding is not None
        assert main.finding.crossing.id == "log"
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(app.screen, FindingsScreen)
        assert app.screen._table.cursor_row == 2, "the cursor is on the finding that the lanes show"
        await pilot.press("home", "j", "enter")
        await pilot.pause()
        assert app.screen is main
        assert main.finding.crossing.id == "derived"


async def test_a_search_that_found_nothing_says_so_in_the_table(tmp_path: Path) -> None:
    bare = replace(result("clean"), report=replace(result("clean").report, influences=()))
    async with listed(tmp_path, bare) as (app, pilot, _):
        assert "nothing was found (clean)" in text(app)
        for key in ("enter", "e", "y", "o", "m", "j", "G"):
            await pilot.press(key)
        assert isinstance(app.screen, FindingsScreen)


async def test_a_finding_is_exported_and_copied_from_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with listed(tmp_path, several()) as (app, pilot, _):
        await pilot.press("y")
        assert "bob was answered with alice's data" in app.clipboard
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, ExportDialog)
        app.screen.query_one(Input).value = "x{.py"
        await pilot.press("enter")
        await settle(app, pilot)
        assert "REQUESTS" in (tmp_path / "x{.py").read_text()


async def test_names_in_a_finding_cannot_reach_the_terminal_raw(tmp_path: Path) -> None:
    evil = "[red]\x1b[2J\u202e\ud800"
    bad = replace(
        crossing(evil), source=replace(crossing().source, lane=evil), explained=evil, fix=evil, schedule=({"lane": evil},),
        write=replace(crossing().write, lane=evil, at=evil, code=evil), requests=({"lane": evil, "message": evil, "session": evil},),
        carrier=replace(crossing().carrier, name=evil, kind=evil, defined_at=evil), critical=Critical(1, evil, evil, evil, ()),
    )  # type: ignore[type-var] # fmt: skip
    base = result()
    report = replace(
        base.report, crossings=(bad,), allowed=(Allowed(evil, evil, evil, evil, evil),), known=(Known(bad.id, evil),)
    )
    made = replace(base, report=report, findings=(Finding(bad, run_of(), 2, 5, 7),))
    async with listed(tmp_path, made) as (app, pilot, _):
        for _ in range(6):
            await pilot.press("j")
            await pilot.pause()
            assert not set("\n".join(screen_text(app))) & {"\x1b", "\u202e", "\ud800"}
        assert "[red]␛[2J" in text(app)


async def test_a_clean_verdict_names_what_a_rule_allowed(tmp_path: Path) -> None:
    allowed = (
        Allowed("alice", "bob", "headers.x-left", "agent.limits", ""),
        Allowed("bob", "alice", "body", "", "one room"),
    )
    clean = replace(
        result("clean"), report=replace(result("clean").report, allowed=allowed, influences=(), warnings=())
    )
    app = CrosslaneApp(session(tmp_path, StandIn(clean)))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("tab", "end")
        await pilot.pause()
        for said in (
            "allowed alice to bob, headers.x-left through",
            "agent.limits: no reason given",
            "bob to alice, body: one room",
        ):
            assert said in text(app), said


# ---- minimising


def smaller(switches: int = 0) -> Result:
    needs = Needs("sequential", switches, 2, 2)
    made = replace(crossing(identity="small"), needs=needs)
    base = result()
    return replace(base, report=replace(base.report, crossings=(made,)), findings=(Finding(made, run_of(), 2, 5, 7),))


async def test_minimising_searches_the_requests_of_the_finding_and_shows_what_is_smaller(tmp_path: Path) -> None:
    async with listed(tmp_path, result()) as (app, pilot, runner):
        runner.answer = smaller()
        await pilot.press("m")
        await settle(app, pilot)
        job = runner.jobs[-1]
        assert (job.action, job.switches, job.variants) == ("check", 1, False)
        assert [e.request.message for e in job.exchanges] == ["I am Alice Ferrante", "I am Bob Okafor"]
        main = app.screen
        assert isinstance(main, MainScreen)
        assert main.finding is not None
        assert main.finding.crossing.id == "small"
        assert any("smaller: 2 sessions, sequential" in str(n.message) for n in app._notifications)
        assert load_finding("small", findings_folder(), tmp_path).handler == "agent.py:handle"


async def test_a_finding_that_nothing_smaller_shows_is_said_to_be_minimal_and_stays(tmp_path: Path) -> None:
    async with listed(tmp_path, result()) as (app, pilot, runner):
        await pilot.press("escape", "m")
        await settle(app, pilot)
        assert len(runner.jobs) == 2
        assert any("nothing smaller shows it, in 42 executions" in str(n.message) for n in app._notifications)
        main = app.screen
        assert isinstance(main, MainScreen)
        assert main.finding is not None
        assert main.finding.crossing.id == "id0"


def test_only_the_same_crossing_takes_the_place_of_a_finding() -> None:
    whole = result()
    other = smaller()
    elsewhere = replace(other.findings[0], crossing=replace(other.findings[0].crossing, carrier=None))
    assert with_smaller(whole, whole.findings[0], replace(other, findings=(elsewhere,))) == (whole, whole.findings[0])
    made, best = with_smaller(whole, whole.findings[0], other)
    assert best is other.findings[0]
    assert made.findings == (best,)
    assert made.report.crossings == (best.crossing,)


# ---- kept


async def test_what_the_interface_finds_is_kept_for_export(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result(findings=2))))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
    kept = load_finding("id1", findings_folder(), tmp_path)
    assert (kept.handler, kept.cwd) == ("agent.py:handle", str(tmp_path))
    assert kept.finding is not None


# ---- the order


def test_in_doubt_the_simpler_schedule_tells_more() -> None:
    simple = replace(crossing(), needs=Needs("sequential", 0, 2, 2))
    assert how_telling(simple) < how_telling(crossing())


@given(st.permutations(range(4)))
def test_the_order_of_the_table_does_not_depend_on_the_order_of_the_search(order: list[int]) -> None:
    base = several()
    mixed = replace(base, findings=tuple(base.findings[n] for n in order))
    assert [entry.row for entry in entries(mixed)] == [entry.row for entry in entries(base)]


# ---- the editor


@pytest.mark.parametrize(
    ("editor", "place"),
    [
        ("vim", ["+5", "{file}"]), ("nvim -R", ["-R", "+5", "{file}"]), ("nano", ["+5", "{file}"]), ("emacs -nw", ["-nw", "+5", "{file}"]),
        ("code --wait", ["--wait", "-g", "{file}:5"]), ("hx", ["{file}:5"]), ("subl", ["{file}:5"]), ("mine", ["{file}"]),
    ],
)  # fmt: skip
def test_each_editor_is_told_the_line_in_its_own_way(tmp_path: Path, editor: str, place: list[str]) -> None:
    source = tmp_path / "a b.py"
    source.write_text("x")
    program = tmp_path / editor.split(maxsplit=1)[0]
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    chosen = editing("a b.py:5", tmp_path, {"EDITOR": "other", "VISUAL": editor, "PATH": str(tmp_path)})
    assert list(chosen.command[1:]) == [part.replace("{file}", str(source)) for part in place]
    assert chosen.windowed == (program.name in ("code", "subl"))


@pytest.mark.parametrize(
    ("environment", "at", "said"),
    [({}, "a.py:5", "no editor is set"), ({"EDITOR": "'"}, "a.py:5", "cannot be read"), ({"EDITOR": "nowhere"}, "a.py:5", "not installed"),
     ({"EDITOR": "sh"}, "gone.py:5", "no such source file"), ({"EDITOR": "sh"}, "-c evil", "no such source file")],
)  # fmt: skip
def test_an_editor_that_cannot_be_opened_is_one_clear_line(
    tmp_path: Path, environment: dict[str, str], at: str, said: str
) -> None:
    (tmp_path / "a.py").write_text("x")
    with pytest.raises(CrosslaneError, match=said) as raised:
        editing(at, tmp_path, {"PATH": os.environ["PATH"], **environment})
    assert "\n" not in str(raised.value)


async def test_the_line_that_wrote_and_the_line_that_read_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "code"
    program.write_text(f'#!/bin/sh\necho "$@" >> {told}.part && mv {told}.part {told}\n')
    program.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(program))
    async with listed(tmp_path, several()) as (app, pilot, _):
        for key, line in (("o", 5), ("O", 6)):
            await pilot.press(key)
            await settle(app, pilot)
            while not told.exists():
                await pilot.pause()
            assert told.read_text().strip() == f"-g {tmp_path / 'agent.py'}:{line}"
            told.unlink()
        monkeypatch.delenv("VISUAL")
        monkeypatch.delenv("EDITOR", raising=False)
        await pilot.press("o")
        await pilot.pause()
        assert any("no editor is set" in str(n.message) for n in app._notifications)
