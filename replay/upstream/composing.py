"""An answer that says a text, in the format of the API that was called, whole or streamed.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The bodies of calls are any JSON.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import json
from typing import Any

from .anthropic_format import message_answer, message_events
from .made import Made
from .openai_format import (
    chat_answer,
    chat_events,
    completion_answer,
    completion_events,
    embeddings_answer,
    response_answer,
    response_events,
)
from .wire import Answer, Call, json_answer


def compose(call: Call, text: str, key: str) -> Answer:
    """An answer that says `text`, in the format of the call's API; for any other call the text itself.

    `key` makes the ids of the answer, which would otherwise be counted over all lanes.
    """
    data = call.json if isinstance(call.json, dict) else {}
    made = Made(
        hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:24], str(data.get("model", "stand-in")), text
    )
    api = call.api
    if api == "openai.embeddings":
        return embeddings_answer(data, made)
    if api == "openai.chat":
        return _stream(chat_events(data, made)) if call.streamed else json_answer(chat_answer(data, made))
    if api == "openai.completions":
        return _stream(completion_events(made)) if call.streamed else json_answer(completion_answer(made))
    if api == "openai.responses":
        return _stream(response_events(data, made), True) if call.streamed else json_answer(response_answer(data, made))
    if api == "anthropic.messages":
        return _stream(message_events(data, made), True) if call.streamed else json_answer(message_answer(data, made))
    return Answer(200, (("content-type", "text/plain; charset=utf-8"),), (text.encode("utf-8", "replace"),))


def _stream(events: list[Any], named: bool = False) -> Answer:
    """Server-sent events. Events without text go out with the next that has some, so that parts stay few."""
    lines: list[bytes] = []
    pending = b""
    for event in events:
        name = f"event: {event['type']}\n" if named else ""
        data = event if isinstance(event, str) else json.dumps(event)
        pending += f"{name}data: {data}\n\n".encode()
        if isinstance(event, dict) and _has_text(event):
            lines.append(pending)
            pending = b""
    if pending:
        lines.append(pending)
    return Answer(200, (("content-type", "text/event-stream; charset=utf-8"),), tuple(lines))


def _has_text(event: dict[str, Any]) -> bool:
    delta = event.get("delta")
    if isinstance(delta, dict):
        return "text" in delta or "partial_json" in delta
    choices = event.get("choices")
    if isinstance(choices, list) and choices:
        return bool(choices[0].get("text") or (choices[0].get("delta") or {}).get("content"))
    return isinstance(delta, str)
