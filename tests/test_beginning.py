"""A long trace is searched in its beginning first, within its budget, and the result says of how much it tells."""

from __future__ import annotations

import textwrap
from dataclasses import replace

from crosslane.replay.beginning import LONG, beginning_of, first_requests
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.trace.model import Exchange, Request
from crosslane.replay.worker.job import LEAST_BUDGET_S, NO_LIMIT, NO_LIMIT_S, Job
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import Bench, turns

MANY = turns(*((f"s{n % 30}", f"user{n % 30}", f"message number {n} of user{n % 30}") for n in range(LONG)))

LEAKY = """
    import asyncio
    latest = ""
    async def handle(user, message):
        global latest
        latest = message
        await asyncio.sleep(0)
        return f"{user}: {latest}"
"""


async def test_what_crosses_in_the_beginning_of_a_long_trace_is_found_without_executing_all_of_it(bench: Bench) -> None:
    report = (await bench.run(LEAKY, MANY, budget_s=2)).report
    assert report.verdict == "contaminated"
    assert report.coverage.statement.startswith("60 of the trace's 1,000 requests, the first of some lanes")
    assert "and no further because something was found" in report.coverage.statement


async def test_a_beginning_that_shows_nothing_is_no_verdict_on_a_long_trace(bench: Bench) -> None:
    late = LEAKY.replace("{latest}", "{latest if int(message.split()[2]) > 900 else message}")
    report = (await bench.run(late, MANY, budget_s=0.01)).report
    assert report.verdict == "inconclusive"
    assert "the budget ended" in report.reason
    assert "; before that, of 60 of the trace's 1,000 requests" in report.coverage.statement


async def test_what_there_was_no_time_to_look_into_is_never_clean(bench: Bench) -> None:
    # As on a machine on which the lanes alone take all the time there is.
    hurried = """
import crosslane.replay.pursuit
crosslane.replay.pursuit.Pursuit.nearly_in_time = lambda self: self.program.executions < 5
"""
    bench.write(hurried + textwrap.dedent(LEAKY))
    report = (await bench.run(variants=False, faults=False)).report
    assert report.verdict == "inconclusive"
    assert "the budget ended while what may have crossed was being looked into" in report.reason


@settings(max_examples=10)
@given(st.lists(st.integers(0, 40), min_size=LONG, max_size=LONG + 50), st.integers(2, NO_LIMIT))
def test_a_beginning_is_the_first_requests_of_lanes_in_the_order_of_the_trace(users: list[int], most: int) -> None:
    exchanges = tuple(Exchange(Request(f"r{n}", f"s{u}", f"u{u}", n, "hi", None, n)) for n, u in enumerate(users))
    job = Job("check", "t", exchanges, "a.py:h", most_executions=most)
    beginning = beginning_of(job)
    assert beginning is not None
    kept = [int(exchange.request.id[1:]) for exchange in beginning.exchanges]
    assert kept == sorted(kept)
    assert beginning.most_executions <= most
    whole = {lane.name: lane.requests for lane in lanes_of((e.request for e in exchanges), "user")}
    for lane in lanes_of((e.request for e in beginning.exchanges), "user"):
        assert lane.requests == whole[lane.name][: len(lane.requests)]


def test_a_short_trace_has_no_beginning_of_its_own() -> None:
    job = Job("check", "t", MANY[:-1], "a.py:h")
    lanes = lanes_of(exchange.request for exchange in job.exchanges)
    assert beginning_of(job) is None
    assert first_requests(lanes) == lanes


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_loading_took_is_no_more_there_to_search(budget_s: float, spent_s: float) -> None:
    left = replace(Job("check", "t", (), "a.py:h"), budget_s=budget_s).less(spent_s)
    assert left.budget_s <= budget_s
    assert left.budget_s == max(budget_s - spent_s, min(budget_s, LEAST_BUDGET_S))
    assert replace(left, budget_s=NO_LIMIT_S).less(spent_s).budget_s == NO_LIMIT_S
