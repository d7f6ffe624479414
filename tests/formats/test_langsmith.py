"""LangSmith runs: envelopes, halves of runs, messages of LangChain, and a session that is not the project."""

from __future__ import annotations

import json
from typing import Any

import pytest
from crosslane.replay.formats.langsmith import FORMAT
from hypothesis import given, settings
from hypothesis import strategies as st

from .span_files import named, only, read, source

ROOT = {
    "id": "r1", "trace_id": "r1", "parent_run_id": None, "run_type": "chain", "name": "chat",
    "start_time": "2026-11-20T10:00:00.000000+00:00", "end_time": "2026-11-20T10:00:00.900000+00:00",
    "inputs": {"messages": [{"role": "user", "content": "hi"}]}, "outputs": {"output": "hello"},
    "session_id": "PROJECT-UUID-not-a-session", "extra": {"metadata": {"thread_id": "s-1", "user_id": "u-1"}},
    "dotted_order": "20261120T100000000000Zr1",
}  # fmt: skip
LLM = {
    "id": "r2", "trace_id": "r1", "parent_run_id": "r1", "run_type": "llm", "name": "ChatOpenAI",
    "start_time": "2026-11-20T10:00:00.100000", "end_time": "2026-11-20T10:00:00.800000", "error": None,
    "inputs": {"messages": [[
        {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "SystemMessage"], "kwargs": {"content": "be kind"}},
        {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "HumanMessage"], "kwargs": {"content": "hi", "type": "human"}},
    ]]},
    "outputs": {"generations": [[{"text": "hello", "type": "ChatGeneration", "message": {
        "lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"],
        "kwargs": {"content": "hello", "tool_calls": [{"name": "look", "args": {}}]},
    }}]], "llm_output": None},
    "session_id": "PROJECT-UUID-not-a-session", "extra": {"metadata": {"ls_model_name": "m-1"}},
    "dotted_order": "20261120T100000000000Zr1.20261120T100000100000Zr2",
}  # fmt: skip
TOOL = {
    "id": "r3", "trace_id": "r1", "parent_run_id": "r1", "run_type": "tool", "name": "look", "session_id": "PROJECT",
    "start_time": "2026-11-20T10:00:00.200000Z", "end_time": None, "inputs": {"input": "q"}, "outputs": {},
    "dotted_order": "20261120T100000000000Zr1.20261120T100000200000Zr3",
}  # fmt: skip
RUNS = [ROOT, LLM, TOOL]


def test_runs_become_a_request_and_its_calls() -> None:
    found = only(FORMAT, RUNS)
    request, response = found.exchange.request, found.exchange.response
    assert (request.session, request.user) == ("s-1", "u-1")
    assert request.request == {"messages": [{"role": "user", "content": "hi"}]}
    assert response is not None
    assert (response.body, response.end) == ({"output": "hello"}, "ok")
    llm, tool = found.exchange.upstream
    assert llm.sent == {
        "model": "m-1",
        "messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}],
    }
    assert llm.answered == {
        "messages": [{"role": "assistant", "content": "hello", "tool_calls": [{"name": "look", "args": {}}]}]
    }
    assert (tool.name, tool.sent, tool.answered, tool.duration_ns) == ("look", {"input": "q"}, None, 0)


def test_the_project_is_never_a_session() -> None:
    found = only(FORMAT, [{**ROOT, "extra": {}}])
    assert found.exchange.request.claims == ()
    assert found.exchange.request.session == "r1"
    assert "no session: one for each trace" in found.lossy


@pytest.mark.parametrize("key", ["session_id", "thread_id", "conversation_id"])
def test_a_session_in_the_metadata_of_any_run_is_used(key: str) -> None:
    found = only(FORMAT, [{**ROOT, "extra": None}, {**LLM, "extra": json.dumps({"metadata": {key: "s-7"}})}])
    assert named(found.exchange.request.claims) == [("session", "s-7")]


@pytest.mark.parametrize("wrap", [
    json.dumps, lambda runs: json.dumps(runs, indent=2), lambda runs: json.dumps({"runs": runs, "cursors": {"next": None}}),
    lambda runs: json.dumps({"cursors": {"next": None}, "data": runs}, indent=2),
    lambda runs: json.dumps({**ROOT, "child_runs": [{**LLM, "child_runs": []}, TOOL]}, indent=2),
])  # fmt: skip
def test_lists_and_envelopes_are_read_like_lines(wrap: Any) -> None:
    assert FORMAT.detects(source(wrap(RUNS)))
    assert only(FORMAT, wrap(RUNS)) == only(FORMAT, RUNS)


def halves(run: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    end = ("end_time", "outputs", "error")
    post = {key: value for key, value in run.items() if key not in end} | {"outputs": {}}
    ids = ("id", "trace_id", "parent_run_id", "dotted_order")
    return post, {key: run[key] for key in (*ids, *end) if key in run}


def test_the_halves_of_a_batch_are_joined_by_id() -> None:
    posts, patches = zip(*(halves(run) for run in RUNS), strict=True)
    batches = [{"post": [posts[0], posts[1]], "patch": []}, {"patch": list(patches), "post": [posts[2]]}]
    assert FORMAT.detects(source(batches))
    assert FORMAT.detects(source([{"patch": [patches[0]]}]))
    expected = only(FORMAT, RUNS)
    assert only(FORMAT, batches) == expected
    assert only(FORMAT, batches[::-1]) == expected


def test_a_run_that_failed_says_so_and_a_stream_has_no_chunk_times() -> None:
    events = [{"name": "start"}, *({"name": "new_token", "time": "2026-11-20T10:00:00.1Z"} for _ in range(5))]
    found = only(FORMAT, [{**ROOT, "error": "boom", "events": events}])
    assert found.exchange.response is not None
    assert found.exchange.response.end == "error"
    assert found.lossy == ("no chunk times",)


@given(st.permutations([*RUNS, {**ROOT, "id": "q", "trace_id": "q"}]))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_runs_never_changes_what_is_imported(runs: list[Any]) -> None:
    assert read(FORMAT, runs) == read(FORMAT, [*RUNS, {**ROOT, "id": "q", "trace_id": "q"}])


@given(
    st.lists(
        st.sampled_from(["garbage", "{}x", '{"id":"x"}', "[1", '{"runs":[7]}', '{"id":[],"run_type":"llm"}', "\x00"]),
        max_size=5,
    )
)
@settings(max_examples=30, deadline=None)
def test_garbage_lines_cost_only_themselves(junk: list[str]) -> None:
    found, dropped = read(FORMAT, [ROOT, *junk, *RUNS[1:]])
    assert [each.exchange for each in found] == [only(FORMAT, RUNS).exchange]
    assert len(dropped) == len(junk)


@pytest.mark.parametrize("text", [
    '{"id":"r1","session_id":"s","start_time":"2026","request":{"message":"hi"}}', '{"data":[{"traceID":"t","spans":[]}]}',
    '{"runs":[{"tool":{"driver":{}}}],"version":"2.1.0"}', '{"id":"o","trace_id":"t","start_time":"2026","type":"SPAN"}', "", "{}",
])  # fmt: skip
def test_files_of_other_formats_are_not_claimed(text: str) -> None:
    assert not FORMAT.detects(source(text))
