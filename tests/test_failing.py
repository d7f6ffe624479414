"""Requests that fail even alone show nothing: of all it is inconclusive, and of one lane's beside others it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Bench
from .explain.test_in_libraries import asks
from .reference.checked import CODES, bodies, checked

HANDLER = """
    import asyncio
    async def handle(user, message):
        await asyncio.sleep(0)
        if user == "bob":
            raise ConnectionError("no database at db:5432")
        return message
    """


def test_a_lane_that_always_fails_beside_one_that_works_is_said_to_have_shown_nothing(tmp_path: Path) -> None:
    report = checked(HANDLER, tmp_path)
    assert report.verdict == "clean"
    (said,) = report.warnings
    assert said.startswith(
        "bob showed nothing, for its request r2 fails even alone: ConnectionError: no database at db:5432"
    )
    assert checked(HANDLER.replace('"bob"', '"nobody"'), tmp_path).warnings == ()


def test_a_lane_of_which_something_works_is_not(tmp_path: Path) -> None:
    asked = bodies(("alice", {"ask": 1}), ("bob", {"ask": 2}), ("bob", {"ask": 3}))
    source = """
        import asyncio
        async def handle(request):
            await asyncio.sleep(0)
            if request["ask"] in FAILING: raise ValueError("bad")
            return {"asked": f"question {request['ask']} of many"}
        """
    assert checked(source.replace("FAILING", "(2,)"), tmp_path, asked).warnings == ()
    (said,) = checked(source.replace("FAILING", "(2, 3)"), tmp_path, asked).warnings
    assert said == "bob showed nothing, for all its requests fail even alone: r2: ValueError: bad"


@pytest.mark.parametrize("other", ['raise ValueError("none")', "return 1 / 0"])
def test_where_all_fail_in_whatever_way_nothing_can_be_said(tmp_path: Path, other: str) -> None:
    report = checked(HANDLER.replace("return message", other), tmp_path)
    assert report.verdict == "inconclusive"
    assert report.reason.startswith("every request fails even alone: ")
    assert report.warnings == ()


def test_what_crosses_all_the_same_needs_no_such_warning(tmp_path: Path) -> None:
    source = """
        import asyncio
        last = []
        async def handle(user, message):
            last.append(message)
            await asyncio.sleep(0)
            if user == "bob":
                raise ConnectionError(f"no database for {last}")
            return message
        """
    report = checked(source, tmp_path, CODES)
    assert report.verdict == "contaminated"
    assert report.warnings == ()


async def test_so_is_a_lane_whose_requests_are_answered_with_failures(bench: Bench) -> None:
    pytest.importorskip("starlette")
    source = """
        import asyncio
        from starlette.responses import PlainTextResponse
        async def app(scope, receive, send):
            name = scope.get("query_string", b"").decode()
            await asyncio.sleep(0)
            answer = PlainTextResponse(name, 503 if FAILS in name else 200)
            await answer(scope, receive, send)
        """
    one = await bench.run(source.replace("FAILS", '"bob"'), asks("alice", "bob"), "agent.py:app", switches=0)
    assert "bob showed nothing, for its request r2 fails even alone: status 503" in one.report.warnings
    every = await bench.run(source.replace("FAILS", '"name"'), asks("alice", "bob"), "agent.py:app", switches=0)
    assert every.report.reason == "every request is refused even alone (status 503)"
