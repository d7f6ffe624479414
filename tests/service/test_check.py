"""What check and replay find in a service from outside, and what they say of what they could not control."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import CrosslaneError, HandlerError
from crosslane.replay.report import Report
from crosslane.replay.schedule.execute import Execution
from crosslane.replay.schedule.schedule import Schedule
from crosslane.replay.service import checking, launch
from crosslane.replay.service.drive import _COMPUTING, Limits
from crosslane.replay.service.launch import Launched, free_port, ready_s_of
from crosslane.replay.service.options import ServiceOptions
from crosslane.replay.service.runner import ServiceRunner
from crosslane.replay.service.target import Target
from crosslane.replay.trace.model import Exchange, Request, Upstream
from crosslane.replay.worker.job import NO_LIMIT_S, Job

from .services import GLOBAL, IN_PROMPT, LEFTOVER, LOCAL, LOCKED, SLEEPING, TWO, Stand, posts

UNTIL_BOTH = """current["count"] = current.get("count", 0) + 1
    for _ in range(50):
        await asyncio.sleep(0.004 if current["count"] < 2 else 0)"""
FEW: dict[str, Any] = {"budget_s": 60.0, "most_executions": 18, "variants": False}


async def test_a_global_kept_across_a_call_to_the_llm_is_found_with_the_switch_it_takes(stand: Stand) -> None:
    result = await stand.run(GLOBAL)
    assert result.report.verdict == "contaminated"
    (crossing,) = result.report.crossings
    assert crossing.needs.to_json() == {"class": "interleaved", "switches": 1, "sessions": 2, "requests": 2}
    assert (crossing.sink.path, crossing.sink.where) == ("body.reply", "response")
    assert (crossing.carrier, crossing.write, crossing.read) == (None, None, None)
    assert "its own process" in crossing.explained
    assert crossing.critical is not None
    finding = result.findings[0]
    assert next(e for e in finding.run.events if e.seq == finding.sink_seq).text.count(crossing.sink.evidence) == 1
    assert Report.from_json(result.report.to_json()).to_json() == result.report.to_json()
    # The same schedule shows the same crossing again.
    steps = tuple(step["lane"] for step in crossing.schedule)
    result = await stand.run(GLOBAL, action="replay", job={"schedule": Schedule(steps)})
    assert tuple(decision.lane for decision in result.run.decisions) == steps
    assert result.report.crossings[0].sink.evidence == crossing.sink.evidence


async def test_the_same_choices_give_the_same_run_event_for_event(stand: Stand) -> None:
    exchanges = (*TWO, *posts(("s3", "carol", "my code is AB-1234")))
    exchanges = tuple(replace(e, request=replace(e.request, id=f"q{n}")) for n, e in enumerate(exchanges))
    first, second = [
        await stand.run(GLOBAL, exchanges, action="replay", settle_s=2.0, keep_state=True) for _ in range(2)
    ]
    assert first.run.events == second.run.events
    assert first.run.decisions == second.run.decisions


async def test_what_keeps_users_apart_is_clean_where_all_was_controlled(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counted(monkeypatch)
    report = (await stand.run(LOCAL, job=FEW, settle_s=2.0)).report
    assert (report.verdict, report.crossings) == ("clean", ())
    assert "before a client that leaves and an LLM that fails were tried at every place" in report.warnings[0]
    # Each takes a start of the service: what was made before requests are released together is not made again after it.
    assert made["alice", "bob", "alice", "bob"] == 1
    assert "in every order of arrival and of LLM answers that was tried" in report.reason
    assert "started again for each execution" in report.coverage.statement
    assert report.coverage.uncontrolled == ("scheduling inside the service",)
    assert report.coverage.interior_points == {"alice": 1, "bob": 1}


def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, ...]]:
    """How often each schedule is executed from now on; those with faults, or released together, count as one."""
    made = Counter[tuple[str, ...]]()
    execute = Target.execute

    def counting(target: Target, *arguments: Any) -> Execution:
        execution = execute(target, *arguments)
        made[() if execution.faults or target.meeting else execution.schedule.names] += 1
        return execution

    monkeypatch.setattr(Target, "execute", counting)
    return made


async def test_what_takes_too_long_is_told_with_how_long_it_takes(stand: Stand) -> None:
    report = (await stand.run(LOCAL, job={"budget_s": 60.0, "most_executions": 5})).report
    assert report.verdict == "inconclusive"
    assert re.search(r"ended too early, after 5 executions of \d+\.\d s each: give a larger --budget", report.reason)


BOTH_WAYS = """
here = []
notes = []

async def handle(path, headers, body):
    here.append(body["user"])
    notes.append(body["message"])
    await ask("greet the customer")
    said = " / ".join(notes)
    here.remove(body["user"])
    if not here:
        notes.clear()
    return {"reply": said}
"""


async def test_once_something_is_found_nothing_more_is_looked_into_when_the_budget_has_ended(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = counted(monkeypatch)
    monkeypatch.setattr(checking, "_clock", lambda: float(made.total()))  # an execution takes a second
    report = (await stand.run(BOTH_WAYS, job={"budget_s": 7.5, "variants": False})).report
    (crossing,) = report.crossings
    assert "also from" not in crossing.explained


async def test_a_lane_that_waits_for_another_one_is_told_from_one_that_escapes_control(stand: Stand) -> None:
    report = (await stand.run(LOCKED, action="replay", settle_s=0.6)).report
    assert (report.verdict, report.crossings) == ("clean", ())
    assert any("r2 waited where others were under way (a lock, or a queue)" in text for text in report.warnings)


async def test_what_is_left_over_after_a_request_needs_no_overlap(stand: Stand) -> None:
    report = (await stand.run(LEFTOVER)).report
    (crossing,) = report.crossings
    assert (crossing.needs.cls, crossing.needs.switches) == ("sequential", 0)
    assert "also from bob to alice" in crossing.explained


async def test_a_prompt_with_another_users_words_is_a_crossing(stand: Stand) -> None:
    report = (await stand.run(IN_PROMPT, action="replay", job={"order": "serial"})).report
    assert report.reason == "alice's data went into bob's prompt"
    assert report.crossings[0].sink.path.startswith("upstream.openai.chat[0].json.messages")


async def test_requests_released_together_meet_in_a_service_that_waits_for_something_else(stand: Stand) -> None:
    report = (await stand.run(SLEEPING)).report
    (crossing,) = report.crossings
    assert crossing.needs.cls == "interleaved"
    assert "last bytes of the requests were sent together" in crossing.explained
    # Until both have come, for fifty turns of the service's loop at most: a busy machine takes longer for each of them.
    until_both = SLEEPING.replace("await asyncio.sleep(0.12)", UNTIL_BOTH)
    again = await stand.run(until_both, action="replay", together=True)
    assert again.report.crossings[0].sink.path == crossing.sink.path


async def test_nothing_is_called_clean_where_the_service_never_asks_the_llm(stand: Stand) -> None:
    source = "async def handle(path, headers, body):\n    return {'reply': body['message']}"
    report = (await stand.run(source, action="replay")).report
    assert report.verdict == "inconclusive"
    assert "never asked the LLM" in report.reason


async def test_nothing_is_called_clean_where_the_service_waits_for_what_nobody_controls(stand: Stand) -> None:
    source = LOCAL.replace('await ask("greet', 'await asyncio.sleep(0.1)\n    await ask("greet')
    report = (await stand.run(source, action="replay", settle_s=0.03, keep_state=True)).report
    assert report.verdict == "inconclusive"
    assert "control was partial: r1 waits for something that is no call to the LLM" in report.reason


async def test_a_service_that_computes_is_not_silent(stand: Stand) -> None:
    source = LOCAL.replace('await ask("greet', 'sum(range(40_000_000))\n    await ask("greet')
    report = (await stand.run(source, TWO[:1], action="replay", settle_s=0.4, keep_state=True)).report
    assert report.coverage.uncontrolled == ("scheduling inside the service",)


async def test_recorded_answers_are_given_to_the_request_that_had_them(stand: Stand) -> None:
    source = """
    async def handle(path, headers, body):
        return {"reply": await ask(body["message"])}
    """
    exchanges = tuple(
        Exchange(e.request, e.response, (Upstream(0, 0, "chat", {}, {"json": {"text": f"for {e.request.user} only"}}),))
        for e in TWO
    )
    result = await stand.run(source, exchanges, action="replay", keep_state=True)
    bodies = {outcome.lane: outcome.body for outcome in result.run.outcomes}
    assert bodies == {"alice": {"reply": "for alice only"}, "bob": {"reply": "for bob only"}}


async def test_an_llm_of_ones_own_answers_where_it_is_given(stand: Stand) -> None:
    (stand.folder / "llm.py").write_text("def answer(call):\n    return 'I heard ' + call['prompt']\n")
    source = """
    async def handle(path, headers, body):
        return {"reply": await ask(body["message"])}
    """
    result = await stand.run(source, action="replay", job={"upstream": "llm.py:answer"}, keep_state=True)
    assert result.run.outcomes[0].body == {"reply": "I heard my code is ZX-4411"}


async def test_a_lane_of_several_requests_sends_one_after_the_other(stand: Stand) -> None:
    exchanges = posts(("s1", "alice", "first"), ("s2", "bob", "other"), ("s1", "alice", "second"))
    result = await stand.run(LOCAL, exchanges, action="replay", keep_state=True)
    asked = [event.request for event in result.run.events if event.kind == "request" and event.lane == "alice"]
    assert asked == ["r1", "r3"]


async def test_a_request_that_cannot_be_sent_costs_the_others_nothing(stand: Stand) -> None:
    bad = Exchange(Request("r9", "s9", "eve", 9, "only a text", None, 9))
    report = (await stand.run(LOCAL, (*TWO, bad), action="replay", keep_state=True)).report
    assert any("1 of 3 requests are left out" in warning for warning in report.warnings)
    with pytest.raises(HandlerError, match="no request of the trace has a path"):
        await stand.run(LOCAL, (bad,))


async def test_a_service_that_runs_already_keeps_its_state_and_is_never_called_clean(stand: Stand) -> None:
    report = (await stand.run(LOCAL, action="replay", keep_state=True)).report
    assert report.verdict == "inconclusive"
    assert "keeps its state between executions; start it with --launch" in report.reason
    assert "state was kept between executions" in report.coverage.statement


@pytest.mark.parametrize("source", [GLOBAL, LEFTOVER, IN_PROMPT])
async def test_a_crossing_is_found_although_state_is_kept(stand: Stand, source: str) -> None:
    report = (await stand.run(source, keep_state=True)).report
    assert report.verdict == "contaminated"


async def test_a_lane_that_the_trace_does_not_have_cannot_be_scheduled(stand: Stand) -> None:
    with pytest.raises(CrosslaneError, match="'eve', which is no lane of the trace"):
        await stand.run(LOCAL, action="replay", job={"schedule": Schedule(("eve",))})


async def test_a_port_that_the_stub_cannot_have_is_one_clear_line(stand: Stand) -> None:
    with pytest.raises(CrosslaneError, match=r"is taken; choose another with --llm-port"):
        await stand.run(LOCAL, llm_port=await taken())


async def taken() -> int:
    import socket

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    _LISTENERS.append(listener)
    return int(listener.getsockname()[1])


_LISTENERS: list[Any] = []


async def test_a_command_that_ends_or_cannot_start_is_one_line_with_its_last_words(stand: Stand) -> None:
    (stand.folder / "broken.py").write_text("import sys\nprint('no such table: users', file=sys.stderr)\nsys.exit(3)\n")
    with pytest.raises(HandlerError, match=r"ended before it listened \(exit status 3; it last said: no such table"):
        await stand.run(launch="python3 broken.py {port}")
    with pytest.raises(HandlerError, match="cannot start 'no-such-program'"):
        await stand.run(launch="no-such-program {port}")
    with pytest.raises(HandlerError, match="cannot be read"):
        await stand.run(launch="python3 'broken.py")


NEVER = "import time\nprint('still connecting', flush=True)\nwhile True:\n    time.sleep(0.01)\n"


async def test_a_service_that_never_listens_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    (tmp_path / "never.py").write_text(NEVER)
    launched = Launched("python3 never.py {port}", tmp_path, "127.0.0.1", port := free_port(), 0, ready_s=0.5)
    with pytest.raises(HandlerError, match=rf"does not listen on port {port} after \d+ s.*raise --budget"):
        await launched.start(lambda: False)


async def test_the_wait_for_a_service_is_told_and_can_be_interrupted(tmp_path: Path) -> None:
    (tmp_path / "never.py").write_text(NEVER)
    options = ServiceOptions(tmp_path, launch="python3 never.py {port}")
    told = asyncio.Queue[str]()
    async with ServiceRunner(options) as runner:
        job = Job("check", "t", TWO, f"http://127.0.0.1:{(port := free_port())}")
        running = asyncio.create_task(runner.run(job, lambda progress: told.put_nowait(progress.phase)))
        while not (phase := await told.get()).startswith("waiting"):
            pass
        await runner.cancel()
        report = (await running).report
    assert phase == f"waiting for the service to listen on port {port}"
    assert (report.verdict, report.reason) == ("inconclusive", "interrupted before the search was done")


@pytest.mark.parametrize(("budget_s", "ready_s"), [(8.0, 20.0), (90.0, 90.0), (NO_LIMIT_S, 20.0)])
def test_a_service_may_take_the_budget_to_listen_and_twenty_seconds_at_least(budget_s: float, ready_s: float) -> None:
    assert ready_s_of(budget_s) == ready_s


def test_a_service_that_waits_for_a_processor_is_not_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def thread(number: int, waited_ns: int) -> None:
        folder = tmp_path / "7/task" / str(number)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"1000 {waited_ns} 3\n")  # on a processor, waiting for one, how often

    (tmp_path / "7").mkdir()
    (tmp_path / "7/stat").write_text("7 (a name) S 1 7" + " 0" * 40)
    monkeypatch.setattr(launch, "_PROC", tmp_path)
    launched = Launched("python3 service.py", tmp_path, "127.0.0.1", free_port(), 0, ready_s=1.0)
    launched._pids = ["7"]
    thread(7, 0)
    before_s = launched.busy_s()
    thread(7, 150_000_000)
    thread(8, 90_000_000)
    # Of a quarter of a second, in which a service has to be silent to stand still, it waited for nearly all.
    assert launched.busy_s() - before_s > Limits().settle_s * _COMPUTING
    thread(7, 30_000_000)
    assert launched.busy_s() - before_s < Limits().settle_s * _COMPUTING


async def test_a_port_that_is_taken_is_not_fought_for(stand: Stand) -> None:
    stand.port = await taken()
    with pytest.raises(HandlerError, match=r"port \d+ is taken already"):
        await stand.run(LOCAL)


async def test_nothing_of_a_launched_service_is_left(stand: Stand) -> None:
    await stand.run("import os, pathlib\npathlib.Path(f'pid-{os.getpid()}').touch()\n" + LOCAL, action="replay")
    pids = [int(path.name.removeprefix("pid-")) for path in stand.folder.glob("pid-*")]
    assert len(pids) > 3
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


async def test_a_service_that_dies_in_the_middle_says_so(stand: Stand) -> None:
    source = "async def handle(path, headers, body):\n    print('out of memory', flush=True)\n    os._exit(9)"
    report = (await stand.run(source, action="replay")).report
    assert report.verdict == "inconclusive"
    assert "the service ended (exit status 9; it last said: out of memory)" in report.reason
