"""What comes or waits by the clock on the wall is said, and nothing is called clean beside it."""

from __future__ import annotations

import re

import pytest

from ..conftest import Bench

ASKED = """
    import asyncio, ctypes, signal
    from signal import setitimer
    libc = ctypes.CDLL(None)
    AT_IMPORT
    last = {}
    async def handle(user, message):
        IN_A_REQUEST
        last[user] = last["user"] = message
        await asyncio.sleep(0)
        return last[SHOWN]
    """
OWN = {"AT_IMPORT": "", "SHOWN": "user"}
TIMERS = {
    "signal.alarm(60); signal.alarm(0)": "timer signal set at agent.py:8",
    "setitimer(signal.ITIMER_REAL, 60); setitimer(signal.ITIMER_REAL, 0)": "timer signal set at agent.py:8",
    "signal.setitimer(signal.ITIMER_VIRTUAL, 60)": "timer signal set at agent.py:8",
    "libc.usleep(1)": "waits in C (usleep by ctypes), where nothing else can run, at agent.py:8",
}


def source(**words: str) -> str:
    text = ASKED
    for word, code in {**OWN, "IN_A_REQUEST": "pass", **words}.items():
        text = text.replace(word, code)
    return text


@pytest.mark.parametrize(("code", "said"), TIMERS.items())
async def test_a_timer_signal_and_a_sleep_in_c_are_no_part_of_the_schedule(bench: Bench, code: str, said: str) -> None:
    result = await bench.run(source(IN_A_REQUEST=code), switches=1, most_executions=40)
    assert result.report.verdict == "inconclusive"
    assert result.report.reason == f"control escaped: {said}"


async def test_so_is_what_is_set_at_import(bench: Bench) -> None:
    timer = await bench.run(source(AT_IMPORT="signal.alarm(60)"), switches=0, most_executions=10)
    assert timer.report.coverage.uncontrolled == ("timer signal set at agent.py:5",)
    sleep = await bench.run(source(AT_IMPORT="nap = libc.nanosleep"), switches=0, most_executions=10)
    assert sleep.report.reason.endswith("(nanosleep by ctypes), where nothing else can run, at agent.py:5")


async def test_what_crosses_beside_a_timer_is_still_found(bench: Bench) -> None:
    result = await bench.run(source(IN_A_REQUEST="signal.alarm(60)", SHOWN='"user"'), switches=1, most_executions=40)
    assert result.report.verdict == "contaminated"


async def test_a_handler_without_a_timer_hears_nothing_of_the_watchdogs(bench: Bench) -> None:
    handler = "signal.signal(signal.SIGALRM, lambda number, frame: last.clear())"
    tick = "last[user] = 1; signal.raise_signal(signal.SIGALRM); last[user]"
    result = await bench.run(source(AT_IMPORT=handler, IN_A_REQUEST=tick), switches=0, most_executions=6)
    assert not result.report.coverage.uncontrolled
    assert [outcome.error for outcome in result.run.outcomes] == [None, None]


async def test_the_watchdog_keeps_its_signal(bench: Bench) -> None:
    code = "signal.alarm(60)\n        while user == 'bob': pass"
    result = await bench.run(source(IN_A_REQUEST=code), action="replay", blocked_after_s=0.3)
    assert re.search(r"did not give control back for .* at agent.py:9", result.report.reason)
