"""Answers of Anthropic's messages API, whole or as the events of a stream.

Sources: Anthropic's API reference, and what its SDK parses.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The bodies of calls are any JSON.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
from typing import Any

from .made import Made, from_schema, wanted_tool


def message_answer(data: dict[str, Any], made: Made) -> dict[str, Any]:
    tool = wanted_tool(data)
    block: dict[str, Any] = {"type": "text", "text": made.text}
    if tool is not None:
        block = {
            "type": "tool_use",
            "id": f"toolu_{made.id}",
            "name": tool[0],
            "input": from_schema(tool[1], made.text),
        }
    return {
        "id": f"msg_{made.id}",
        "type": "message",
        "role": "assistant",
        "model": made.model,
        "content": [block],
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def message_events(data: dict[str, Any], made: Made) -> list[Any]:
    whole = message_answer(data, made)
    block = whole["content"][0]
    if block["type"] == "text":
        empty: dict[str, Any] = {**block, "text": ""}
        deltas: list[dict[str, Any]] = [{"type": "text_delta", "text": piece} for piece in made.pieces]
    else:
        empty = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    return [
        {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]
