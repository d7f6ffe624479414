"""check and replay from Python: the same results as the commands, whatever a trace and a handler are given as."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay import CrosslaneError, check, check_async, load, replay
from crosslane.replay.api import CheckOptions, ReplayOptions
from crosslane.replay.budget import budget_of
from crosslane.replay.errors import HandlerError, SettingsError, TraceError
from crosslane.replay.naming import spec_of
from crosslane.replay.option_types import refuse_wrong_types
from crosslane.replay.worker.job import NO_LIMIT, NO_LIMIT_S

from ..conftest import SAMPLES
from . import agents

TWO = [{"user": "alice", "message": "My name is Alice Ferrante"}, {"user": "bob", "message": "My name is Bob Okafor"}]
BUG = (str(SAMPLES / "shared_list.jsonl"), f"{SAMPLES}/shared_list.py:handle_message")


def test_a_check_from_python_is_what_the_command_prints(tmp_path: Path) -> None:
    result = check(*BUG, cwd=tmp_path)
    command = [sys.executable, "-m", "crosslane.tui", "check", *BUG, "--format", "json"]
    printed = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stdout)
    told = json.loads(json.dumps(result.report.to_json()))
    for report in (printed, told):  # where a search ends that has found something depends on the time
        del report["elapsed_s"], report["executions"], report["coverage"]["statement"]
    assert printed == told
    assert result.findings[0].run.events


def test_a_trace_may_be_a_path_a_loaded_trace_or_requests(tmp_path: Path) -> None:
    assert check(load(BUG[0]), BUG[1], cwd=tmp_path).report.verdict == "contaminated"
    assert check(TWO, agents.leaking).report.verdict == "contaminated"
    assert check(TWO, agents.isolated, budget="200x").report.verdict == "clean"


def test_a_search_may_have_several_processes_and_an_executor_that_runs_them() -> None:
    with ThreadPoolExecutor(1) as executor:
        shared = check(TWO, agents.leaking, jobs=2, executor=executor, budget="400x")
    alone = check(TWO, agents.leaking, jobs=1, budget="400x")
    assert [c.id for c in shared.report.crossings] == [c.id for c in alone.report.crossings] != []


def test_a_replay_executes_once_and_follows_the_schedule_that_is_given() -> None:
    assert [d.lane for d in replay(TWO, agents.leaking, serial=True).run.decisions] == ["alice"] * 2 + ["bob"] * 2
    followed = replay(TWO, agents.isolated, schedule=["bob", "alice", "alice", "bob"])
    assert [decision.lane for decision in followed.run.decisions] == ["bob", "alice", "alice", "bob"]
    with pytest.raises(CrosslaneError, match="exclude each other"):
        replay(TWO, agents.isolated, seed=1, serial=True)


async def test_calls_work_below_a_running_event_loop() -> None:
    assert check(TWO, agents.leaking, budget="50x").report.verdict == "contaminated"
    assert (await check_async(TWO, agents.leaking, budget="50x")).report.verdict == "contaminated"


@pytest.mark.parametrize(
    ("handler", "attribute"),
    [
        (agents.leaking, "leaking"),
        (agents.assistant.answer, "assistant.answer"),
        (agents.Assistant.plain, "Assistant.plain"),
        (agents.app, "app"),
        ("somewhere.py:handle", "handle"),
    ],
)
def test_an_object_is_named_by_its_module_and_the_way_to_it(handler: object, attribute: str) -> None:
    assert spec_of(handler, Path.cwd()).endswith(f":{attribute}")


def test_an_instance_of_a_module_is_imported_with_its_state_fresh() -> None:
    found = check(TWO, agents.assistant.answer).report
    assert found.verdict == "contaminated"
    assert agents.assistant.notes == [], "the object at hand is left alone"


def test_what_cannot_be_imported_by_name_is_refused_in_one_line() -> None:
    async def inner(message: str) -> str:
        return message

    for handler, said in ((inner, "made inside a function"), (agents.Assistant().answer, "no attribute of any module")):
        with pytest.raises(HandlerError, match=said) as refused:
            check(TWO, handler)
        assert "top level of a module" in str(refused.value)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], "is empty"),
        ([{"message": "hello"}], "neither session nor user"),
        ([TWO[0], {"user": "bob"}], "request 2 of those given"),
        ([{"user": "a", "request": {"x": object()}}], "cannot be written as JSON"),
    ],
)
def test_requests_that_are_none_are_refused_by_number(requests: list[dict[str, object]], said: str) -> None:
    with pytest.raises(TraceError, match=said):
        check(requests, agents.leaking)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jobs": "two"}, "the option jobs takes a whole number from 0, not 'two'"),
        ({"concurrency": 0}, "the option concurrency takes a whole number from 1, not 0"),
        ({"faults": "no"}, "the option faults takes True or False, not 'no'"),
        ({"budget": [3]}, "the option budget takes a text such as '30s' or '5000x', or a number of seconds, not [3]"),
        ({"upstream_call": "app.call"}, "the option upstream_call takes a list of texts, not 'app.call'"),
        ({"identity": "new"}, "the option identity takes 'recorded' or 'fresh', not 'new'"),
        ({"cwd": 5}, "the option cwd takes a path, not 5"),
    ],
)
def test_an_option_of_another_type_is_refused_by_name(options: dict[str, Any], said: str) -> None:
    with pytest.raises(CrosslaneError) as refused:
        check(TWO, agents.leaking, **options)
    assert str(refused.value) == said


def test_a_schedule_is_no_text_that_falls_into_letters() -> None:
    with pytest.raises(
        CrosslaneError, match="the option schedule takes a Schedule or a list of lanes, not 'alice bob'"
    ):
        replay(TWO, agents.leaking, schedule="alice bob")


def test_every_option_says_what_it_takes() -> None:
    known = CheckOptions.__optional_keys__ | ReplayOptions.__optional_keys__
    nothing_takes = object()
    for name in known:
        with pytest.raises(CrosslaneError, match=f"the option {name} takes "):
            refuse_wrong_types({name: nothing_takes})


@pytest.mark.parametrize(("trace", "said"), [(5, "5 is no trace"), (["hi", "there"], "is 'hi', which is no request")])
def test_what_is_no_trace_is_refused_with_what_one_is(trace: Any, said: str) -> None:
    with pytest.raises(TraceError, match=said) as refused:
        check(trace, agents.leaking)
    assert '"message": "I am Alice"' in str(refused.value)


def test_an_error_comes_alone_and_not_during_another() -> None:
    with pytest.raises(HandlerError) as refused:
        check(TWO, "gone.py:handle")
    assert refused.value.__context__ is None


def test_what_is_no_handler_is_named_by_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(HandlerError, match=r"^5 is no handler; give a function"):
        check(TWO, 5)
    with pytest.raises(CrosslaneError, match=r"^no handler is given, and none is set"):
        check(TWO, None, cwd=tmp_path)


def test_a_budget_is_a_text_or_seconds() -> None:
    assert budget_of("2m") == (120.0, NO_LIMIT)
    assert budget_of("500ms") == (0.5, NO_LIMIT)
    assert budget_of(1.5) == (1.5, NO_LIMIT)
    assert budget_of("5000x") == (NO_LIMIT_S, 5000)
    with pytest.raises(CrosslaneError, match="cannot read the budget 'soon'"):
        check(TWO, agents.leaking, budget="soon")


def test_settings_of_the_project_count_and_name_what_is_not_given(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in TWO))
    (tmp_path / "agent.py").write_text(Path(agents.__file__).read_text())
    (tmp_path / "crosslane.toml").write_text(
        'handler = "agent.py:leaking"\ntrace = "t.jsonl"\nbudget = "40x"\n[[allow]]\ncarrier = "agent._latest"\n'
    )
    monkeypatch.chdir(tmp_path / "below")
    report = check(variants=False).report
    assert report.verdict != "contaminated"
    assert report.allowed[0].carrier == "agent._latest"
    assert report.handler == "agent.py:leaking"
    with pytest.raises(SettingsError, match=r"none\.toml: cannot be read"):
        check(config="none.toml")
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(CrosslaneError, match="no trace is given, and none is set"):
        check(handler="agent.py:leaking", cwd=tmp_path.parent)


def test_a_script_that_checks_itself_without_a_guard_is_told_so(tmp_path: Path) -> None:
    script = "from crosslane.replay import check\nasync def handle(message):\n    return message\n"
    call = "check([{'user': 'a', 'message': 'hello'}], handle)\n"
    (tmp_path / "own.py").write_text(script + call)
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "put the call below if __name__ == '__main__'" in done.stderr.splitlines()[-1]


def test_the_package_costs_nothing_until_something_of_it_is_used() -> None:
    code = "import sys, crosslane.replay; print(sorted(m for m in sys.modules if m.startswith('crosslane.replay.')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
