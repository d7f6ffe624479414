"""The line at the top: whatever the paths and the room are, the verdict is the last thing to go."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.title import shortened, title
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from .stand_ins import StandIn, result, screen_text, session, settle

VERDICT = "✗ 2 crossings"
HOW = ("concurrency all", "schedule of the finding")
TEXT = st.text(alphabet="ab/日👍.>", max_size=80)


@given(TEXT, st.integers(14, 200), st.booleans())
def test_the_verdict_is_there_whole_in_any_room_that_holds_it(paths: str, width: int, how: bool) -> None:
    line = title(paths, HOW if how else (), VERDICT, ("reloaded a.py", "42 executions"), width)
    assert VERDICT in line
    assert cell_len(line) <= width


@given(TEXT, st.integers(0, 60))
def test_what_is_shortened_keeps_both_its_ends(text: str, width: int) -> None:
    short = shortened(text, width)
    assert cell_len(short) <= width
    if short != text and width >= 3:
        start, end = short.split("…")
        assert text.startswith(start)
        assert text.endswith(end)


def test_paths_are_shortened_before_anything_else_goes() -> None:
    paths = f"trace.jsonl > {'deep/' * 20}app.py:handle_message"
    line = title(paths, HOW, VERDICT, ("42 executions",), 130)
    assert line.startswith(" crosslane  trace.jsonl > deep/")
    assert "handle_message   concurrency all   schedule of the finding   ✗ 2 crossings   42 executions" in line


def test_what_goes_then_goes_from_the_end() -> None:
    line = title("trace.jsonl > app.py:handle_message", HOW, VERDICT, ("42 executions",), 80)
    assert line.endswith("concurrency all   ✗ 2 crossings")


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 30)])
async def test_a_long_handler_leaves_the_verdict_on_the_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    made = session(tmp_path, StandIn(result()))
    folder = tmp_path / "services" / "conversation" / "handlers"
    folder.mkdir(parents=True)
    app = CrosslaneApp(made.__class__(made.trace, f"{folder}/agent.py:handle", made.options, runner=made.runner))
    async with app.run_test(size=size) as pilot:
        await settle(app, pilot)
        top, *_, bottom = screen_text(app)
        assert "✗ 1 crossing" in top
        assert "…" in top
        assert bottom.endswith("^p palette"), "nothing stands behind the last key"
