"""The three views of the same lanes, and what is marked in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from crosslane.replay.report import Result
from crosslane.replay.run import Event, Outcome, Run
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.emphasis import Emphasis, Foreign, Mark, foreign_values
from crosslane.tui.grid import lay_out
from crosslane.tui.rows import row
from crosslane.tui.views import alone_run, counterpart, marks, views_of
from crosslane.tui.widgets.lanes import LanesView
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.pilot import Pilot

from .stand_ins import StandIn, result, run_of, screen_text, session, settle, trace

SIZES = [(80, 24), (160, 45)]


def outcome(request: str, lane: str, body: str) -> Outcome:
    return Outcome(request, lane, f"s{request[1]}", None, (), body)


def solo() -> dict[str, Run]:
    """What each lane gets alone, not observed."""
    return {
        "alice": Run(("alice",), (), (), (outcome("r1", "alice", "You said: I am Alice Ferrante"),)),
        "bob": Run(("bob",), (), (), (outcome("r2", "bob", "You said: I am Bob Okafor"),)),
    }


def contaminated() -> Result:
    return replace(result(), solo=solo())


def title(pilot: Pilot[None]) -> str:
    return str(pilot.app.screen.query_one(LanesView).border_title)


async def test_v_goes_through_this_run_alone_and_recorded_and_the_title_says_which(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(contaminated())))
    async with app.run_test(size=(80, 24)) as pilot:
        await settle(app, pilot)
        assert title(pilot) == "lanes  this run  1 differs"
        await pilot.press("v")
        await pilot.pause()
        assert title(pilot) == "lanes  alone  1 differs"
        text = "\n".join(screen_text(app))
        assert any("● You said: I am B" in line and "≠" in line and "▌" in line for line in text.splitlines()), (
            "the cursor's own answer, alone"
        )
        assert "┗━▶" not in text
        await pilot.press("v")
        await pilot.pause()
        assert title(pilot) == "lanes  recorded  2 differ"
        assert "● recorded I am B" in "\n".join(screen_text(app))
        await pilot.press("v")
        await pilot.pause()
        assert title(pilot) == "lanes  this run  1 differs"
        assert "┗━▶" in "\n".join(screen_text(app))


async def test_the_cursor_stays_on_the_same_answer_from_view_to_view(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(contaminated())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        for _ in range(3):
            at = next(line for line in screen_text(app) if "▌" in line)
            assert "Bob Okafor" in at or "✗" in at
            await pilot.press("v")
            await pilot.pause()


async def test_in_another_view_what_needs_the_run_says_so(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(contaminated())))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("v", "c")
        await pilot.pause()
        assert any("nobody chose who runs in the view" in note.message for note in app._notifications)


async def test_before_anything_was_executed_there_is_one_view(tmp_path: Path) -> None:
    from crosslane.replay.errors import HandlerError

    app = CrosslaneApp(session(tmp_path, StandIn(HandlerError("no such file"))))
    async with app.run_test(size=(160, 45)) as pilot:
        await settle(app, pilot)
        await pilot.press("v")
        await pilot.pause()
        assert any("as it was recorded" in note.message for note in app._notifications)


def test_the_view_of_a_run_without_solo_runs_is_compared_with_what_was_recorded() -> None:
    views = views_of(run_of(), {}, trace(), "user")
    assert [view.title for view in views] == ["this run", "recorded"]
    assert {mark.than for mark in views[0].marks.values()} == {"recorded"}


def test_what_was_observed_alone_is_shown_step_by_step() -> None:
    alone = alone_run(run_of(), {"alice": run_of(), "bob": run_of()}, trace())
    assert [event.kind for event in alone.events if event.lane == "alice"] == ["request", "write", "await", "response"]
    assert [event.seq for event in alone.events] == list(range(1, 9))


def test_answers_that_differ_are_more_or_are_missing_are_marked() -> None:
    run = run_of()
    other = replace(
        run,
        events=tuple(
            replace(event, kind="error", text="KeyError: x") if event.lane == "alice" and event.kind == "response"
            else replace(event, text="something else") if event.kind == "response" else event
            for event in run.events
        ),
    )  # fmt: skip
    found, missing = marks(run, other, "alone")
    assert found == {
        6: Mark("≠", "alone", "something else"),
        7: Mark("+", "not alone"),
        0: Mark("−", "error alone"),
    }
    assert missing == 1


def test_a_request_that_only_one_of_the_runs_has_is_no_difference() -> None:
    run = run_of()
    only_bob = replace(run, events=tuple(event for event in run.events if event.lane == "bob"))
    assert marks(run, only_bob, "alone") == ({}, 0)
    assert marks(only_bob, run, "alone") == ({}, 0)


def test_a_row_has_a_counterpart_by_its_kind_else_by_its_request() -> None:
    run = run_of()
    assert counterpart(run.events[6], run) == 6
    assert counterpart(replace(run.events[6], kind="fault"), run) == 3
    assert counterpart(replace(run.events[6], request="r9"), run) == 0


def test_a_foreign_value_is_emphasised_with_its_owner_in_the_lane_that_was_shown_it() -> None:
    finding = result().findings[0]
    emphasis = Emphasis("Alice Ferrante", foreign_values([finding]))
    grid = lay_out(finding.run, finding)
    bob = row(grid, 6, range(2), 60, emphasis)
    assert [piece.text for piece in bob if piece.role == "evidence"] == ["Alice Ferrante"]
    assert [piece.text for piece in bob if piece.role == "remark"] == [" ‹alice›"]
    alice = row(grid, 7, range(2), 60, emphasis)
    assert not [piece for piece in alice if piece.role in ("evidence", "remark")], "her own value is not foreign to her"
    own = row(grid, 3, range(2), 60, replace(emphasis, foreign=(Foreign("Bob", "alice", "bob"),)))
    assert not [piece for piece in own if piece.role == "evidence"], "what he asked himself is not foreign"


def test_the_part_of_an_answer_that_differs_is_marked_with_a_sign_beside_it() -> None:
    event = Event(1, 1, "bob", "s", "r", "response", "You said: I am Alice Ferrante")
    grid = lay_out(Run(("bob",), (), (event,), ()), None)
    pieces = row(grid, 0, range(1), 60, Emphasis(marks={0: Mark("≠", "alone", "You said: I am Bob Okafor")}))
    assert [piece.text for piece in pieces if piece.role == "changed"] == ["Alice Ferrante"]
    assert pieces[-1].text == " ≠ alone"
    narrow = row(grid, 0, range(1), 15, Emphasis(marks={0: Mark("≠", "alone", "You said: I am Bob Okafor")}))
    assert narrow[-1].text == " ≠"


TEXT = st.text(alphabet="ab日👍é[\x1b\u202e\ud800 ", max_size=60)


@given(TEXT, TEXT, TEXT, st.integers(8, 50), st.sampled_from(["≠", "+", "−"]), st.sampled_from(["response", "chunk"]))
def test_whatever_is_emphasised_a_row_keeps_its_width_and_its_text(
    text: str, value: str, other: str, width: int, sign: str, kind: str
) -> None:
    event = Event(1, 1, "bob", "s", "r", kind, text)
    grid = lay_out(Run(("bob", "eve"), (), (event,), ()), None)
    foreign = (Foreign(value, "alice", "bob"),) if value else ()
    pieces = row(
        grid, 0, range(2), width, Emphasis(foreign=foreign, marks={0: Mark(sign, "alone", other)}, query=other)
    )
    assert sum(cell_len(piece.text) for piece in pieces) == 5 + 2 * width + 3
    assert all(piece.text.isprintable() for piece in pieces)
