"""Answers of OpenAI: chat completions, completions, responses and embeddings, whole or as the events of a stream.

Sources: OpenAI's API reference, and what its SDK parses.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The bodies of calls are any JSON.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
import json
import random
import struct
from typing import Any

from .made import Made, content_of, from_schema, wanted_tool
from .wire import Answer, json_answer

_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


def chat_answer(data: dict[str, Any], made: Made) -> dict[str, Any]:
    tool = wanted_tool(data)
    message: dict[str, Any] = {"role": "assistant", "content": content_of(data, made.text), "refusal": None}
    if tool is not None:
        arguments = json.dumps(from_schema(tool[1], made.text))
        function = {"name": tool[0], "arguments": arguments}
        message |= {
            "content": None,
            "tool_calls": [{"id": f"call_{made.id}", "type": "function", "function": function}],
        }
    choices = [
        {"index": n, "message": message, "logprobs": None, "finish_reason": "tool_calls" if tool else "stop"}
        for n in range(min(int(data.get("n") or 1), 8))
    ]
    return {
        "id": f"chatcmpl-{made.id}",
        "object": "chat.completion",
        "created": 0,
        "model": made.model,
        "choices": choices,
        "usage": _USAGE,
    }


def chat_events(data: dict[str, Any], made: Made) -> list[Any]:
    message = chat_answer(data, made)["choices"][0]["message"]
    calls = [{"index": n, **call} for n, call in enumerate(message.get("tool_calls") or ())]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if calls:
        deltas.append({"tool_calls": calls})
    else:
        deltas += [{"content": piece} for piece in Made(made.id, made.model, message["content"]).pieces]

    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        head = {"id": f"chatcmpl-{made.id}", "object": "chat.completion.chunk", "created": 0, "model": made.model}
        return {**head, "choices": [choice]}

    events: list[Any] = [*map(event, deltas), event({}, "tool_calls" if calls else "stop")]
    if (data.get("stream_options") or {}).get("include_usage"):
        events.append({**event({}), "choices": [], "usage": _USAGE})
    return [*events, "[DONE]"]


def completion_answer(made: Made) -> dict[str, Any]:
    choice = {"index": 0, "text": made.text, "logprobs": None, "finish_reason": "stop"}
    head = {"id": f"cmpl-{made.id}", "object": "text_completion", "created": 0, "model": made.model}
    return {**head, "choices": [choice], "usage": _USAGE}


def completion_events(made: Made) -> list[Any]:
    whole = completion_answer(made)
    choice = whole["choices"][0]
    return [*({**whole, "choices": [{**choice, "text": piece}]} for piece in made.pieces), "[DONE]"]


def response_answer(data: dict[str, Any], made: Made) -> dict[str, Any]:
    tool = wanted_tool(data)
    text = content_of(data, made.text)
    item: dict[str, Any] = {
        "id": f"msg_{made.id}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }
    if tool is not None:
        arguments = json.dumps(from_schema(tool[1], made.text))
        call = {"id": f"fc_{made.id}", "call_id": f"call_{made.id}", "name": tool[0], "arguments": arguments}
        item = {"type": "function_call", "status": "completed", **call}
    return {
        "id": f"resp_{made.id}",
        "object": "response",
        "created_at": 0,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": made.model,
        "output": [item],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 1,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 2,
        },
    }


def response_events(data: dict[str, Any], made: Made) -> list[Any]:
    whole = response_answer(data, made)
    item = whole["output"][0]
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    at = {"item_id": item["id"], "output_index": 0}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "status": "in_progress"}},
    ]
    if item["type"] == "function_call":
        events[-1]["item"] = {**item, "status": "in_progress", "arguments": ""}
        events.append({"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]})
        events.append({"type": "response.function_call_arguments.done", **at, "arguments": item["arguments"]})
    else:
        part = item["content"][0]
        events[-1]["item"] = {**item, "status": "in_progress", "content": []}
        at = {**at, "content_index": 0}
        events.append({"type": "response.content_part.added", **at, "part": {**part, "text": ""}})
        pieces = Made(made.id, made.model, part["text"]).pieces
        events += [{"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in pieces]
        events.append({"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []})
        events.append({"type": "response.content_part.done", **at, "part": part})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def embeddings_answer(data: dict[str, Any], made: Made) -> Answer:
    """A vector for each input, made of its text alone: equal texts are equal, others are not near."""
    given = data.get("input")
    inputs = given if isinstance(given, list) and given and not isinstance(given[0], int) else [given]
    size = data.get("dimensions") or (3072 if "3-large" in made.model else 1536)
    vectors: list[Any] = []
    for text in inputs:
        chance = random.Random(json.dumps(text))
        vector = [chance.uniform(-1, 1) for _ in range(int(size))]
        if data.get("encoding_format") == "base64":
            vectors.append(base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode())
        else:
            vectors.append(vector)
    items = [{"object": "embedding", "index": n, "embedding": vector} for n, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return json_answer({"object": "list", "data": items, "model": made.model, "usage": usage})
