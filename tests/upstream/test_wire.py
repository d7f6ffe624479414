"""Answers in the formats of the LLM APIs, as their own SDKs read them."""

from __future__ import annotations

import json

import pytest
from crosslane.replay.upstream.composing import compose
from crosslane.replay.upstream.made import from_schema
from crosslane.replay.upstream.wire import Call, prompt, said
from hypothesis import given
from hypothesis import strategies as st

APIS = {
    "openai.chat": ("https://api.openai.com/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
    "openai.completions": ("https://vllm.local/v1/completions", {"prompt": "hi"}),
    "openai.responses": ("https://api.openai.com/v1/responses", {"input": "hi"}),
    "anthropic.messages": ("https://api.anthropic.com/v1/messages", {"messages": [{"role": "user", "content": "hi"}]}),
}


def call(api: str, **more) -> Call:
    url, body = APIS[api]
    return Call("POST", url, (), json.dumps({"model": "m", **body, **more}).encode())


@pytest.mark.parametrize("api", APIS)
def test_a_call_is_known_by_its_path_and_answered_in_its_format(api: str):
    assert call(api).api == api
    answer = compose(call(api), "hello there", "k")
    assert said(json.loads(answer.parts[0])) == "hello there"


@pytest.mark.parametrize("api", APIS)
@given(text=st.text(min_size=1, max_size=60).filter(str.strip))
def test_a_stream_spells_out_the_whole_text(api: str, text: str):
    answer = compose(call(api, stream=True), text, "k")
    wire = b"".join(answer.parts).decode()
    spelled = ""
    for line in wire.split("\n"):
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[6:])
        delta = event.get("delta")
        if api == "openai.chat":
            spelled += event["choices"][0]["delta"].get("content") or ""
        elif api == "openai.completions":
            spelled += event["choices"][0]["text"]
        elif isinstance(delta, str):
            spelled += delta
        elif isinstance(delta, dict):
            spelled += delta.get("text", "")
    assert spelled == text
    assert len(answer.parts) <= 4


def test_an_echo_holds_everything_that_was_asked():
    asked = {
        "instructions": "be kind",
        "messages": [
            {"role": "system", "content": "you are a bot"},
            {"role": "user", "content": [{"type": "text", "text": "part one"}, {"type": "image_url", "image_url": {}}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"function": {"name": "f", "arguments": '{"q": "tool"}'}}],
            },
            {"role": "tool", "content": "result"},
        ],
    }
    text = prompt(Call("POST", "http://x/v1/chat/completions", (), json.dumps(asked).encode()))
    for part in ("be kind", "you are a bot", "part one", "tool", "result"):
        assert part in text


def test_an_answer_is_json_where_the_call_demands_it():
    schema = {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = json.loads(compose(call("openai.chat", response_format=wanted), "hello", "k").parts[0])
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"name": "hello", "age": 1}
    assert from_schema({"anyOf": [{"enum": ["a", "b"]}]}, "x") == "a"


def test_a_tool_that_must_be_called_is_called():
    tool = {
        "type": "function",
        "function": {"name": "save", "parameters": {"type": "object", "properties": {"x": {"type": "string"}}}},
    }
    answer = json.loads(compose(call("openai.chat", tools=[tool], tool_choice="required"), "hello", "k").parts[0])
    (made,) = answer["choices"][0]["message"]["tool_calls"]
    assert (made["function"]["name"], json.loads(made["function"]["arguments"])) == ("save", {"x": "hello"})


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_equal_texts_have_equal_embeddings_and_others_have_not(encoding: str):
    def vectors(*texts: str) -> list:
        body = {"model": "text-embedding-3-small", "input": list(texts), "encoding_format": encoding}
        made = compose(Call("POST", "http://x/v1/embeddings", (), json.dumps(body).encode()), "", "k")
        return [item["embedding"] for item in json.loads(made.parts[0])["data"]]

    one, two, three = vectors("a", "b", "a")
    assert one == three != two


def test_ids_are_not_counted_over_all_lanes():
    """A counter would be something that one lane sees of another."""
    first = compose(call("openai.chat"), "x", "r1 openai.chat 1")
    assert compose(call("openai.chat"), "x", "r1 openai.chat 1") == first
    assert compose(call("openai.chat"), "x", "r2 openai.chat 1") != first
