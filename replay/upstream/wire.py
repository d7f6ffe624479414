"""Calls to LLMs on the wire: which API a call is for, what it asks, and an answer in the API's own format.

OpenAI chat completions, completions, responses and embeddings, and Anthropic messages, whole or streamed, by the path
that servers which imitate them use too. Sources: the API references of OpenAI and Anthropic, and what their SDKs parse.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The bodies of calls are any JSON.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
import struct
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_PATHS = (
    (re.compile(r"/chat/completions/?$"), "openai.chat"),
    (re.compile(r"/responses/?$"), "openai.responses"),
    (re.compile(r"/embeddings/?$"), "openai.embeddings"),
    (re.compile(r"/v1/messages/?$"), "anthropic.messages"),
    (re.compile(r"/v1/completions/?$"), "openai.completions"),
)
_MOST_PARTS = 3
"""Parts of a streamed answer: each is a place where another lane may run, so few are enough and many are costly."""
_PLAIN_HEADERS = re.compile(
    r"host|user-agent|accept.*|content-.*|connection|transfer-encoding|x-stainless-.*|openai-.*|anthropic-version|"
    r"anthropic-beta|keep-alive|cookie2|idempotency-key|traceparent|tracestate|date|expect|te"
)


@dataclass(frozen=True)
class Call:
    """One HTTP request that the program sends out.

    Attributes:
        headers: names in lower case. `body` is as it was sent.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body, None where it is no JSON."""
        try:
            return json.loads(self.body) if self.body else None
        except (ValueError, RecursionError):
            return None

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def api(self) -> str | None:
        """`openai.chat`, … or None where it is none that is known."""
        path = urlsplit(self.url).path
        if self.method != "POST":
            return None
        return next((api for pattern, api in _PATHS if pattern.search(path)), None)

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.api or f"{self.method} {self.host}{urlsplit(self.url).path}"

    @property
    def streamed(self) -> bool:
        data = self.json
        return isinstance(data, dict) and data.get("stream") is True

    def told(self) -> dict[str, Any]:
        """The call as a sink: everything in it that the program chose."""
        data = self.json
        body = (
            {}
            if not self.body
            else {"json": data}
            if data is not None
            else {"text": self.body.decode("utf-8", "replace")}
        )
        headers = {name: value for name, value in self.headers if not _PLAIN_HEADERS.fullmatch(name)}
        parts = urlsplit(self.url)
        query = {"query": parts.query} if parts.query else {}
        return {"host": parts.netloc, "path": parts.path, **query, **({"headers": headers} if headers else {}), **body}


@dataclass(frozen=True)
class Answer:
    """What the program gets. More than one part is a stream, and other lanes may run between the parts."""

    status: int
    headers: tuple[tuple[str, str], ...]
    parts: tuple[bytes, ...]


def json_answer(data: Any, status: int = 200) -> Answer:
    return Answer(status, (("content-type", "application/json"),), (json.dumps(data).encode(),))


def prompt(call: Call) -> str:
    """Everything that a call asks, as one text: instructions, every message, the input."""
    data = call.json
    if not isinstance(data, dict):
        return call.body.decode("utf-8", "replace")
    asked = [data.get(key) for key in ("system", "instructions", "messages", "input", "prompt")]
    return "\n".join(text for part in asked for text in _texts(part))


def _texts(value: Any) -> list[str]:
    """The texts of messages, in order, without what only structures them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        found: list[str] = []
        for key in ("content", "text", "input", "output", "arguments", "parts", "function", "tool_calls"):
            if key in value:
                inner = value[key]
                found += [json.dumps(inner)] if key == "input" and isinstance(inner, dict) else _texts(inner)
        return found
    return []


def said(answered: Any) -> str | None:
    """The text of a recorded answer in whatever shape a trace keeps it; None where there is none."""
    if isinstance(answered, str):
        return answered
    if isinstance(answered, list):
        texts = [text for item in answered if (text := said(item)) is not None]
        return "\n".join(texts) if texts else None
    if not isinstance(answered, dict):
        return None
    for key in (
        "json",
        "text",
        "choices",
        "messages",
        "output",
        "message",
        "content",
        "parts",
        "delta",
        "output_text",
        "completion",
    ):
        if answered.get(key) is not None:
            text = said(answered[key])
            if text is not None:
                return text
    return None


def compose(call: Call, text: str, key: str) -> Answer:
    """An answer that says `text`, in the format of the call's API; for any other call the text itself.

    `key` makes the ids of the answer, which would otherwise be counted over all lanes.
    """
    data = call.json if isinstance(call.json, dict) else {}
    made = _Made(
        hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:24], str(data.get("model", "stand-in")), text
    )
    api = call.api
    if api == "openai.embeddings":
        return _embeddings(data, made)
    if api == "openai.chat":
        return _stream(_chat_events(data, made)) if call.streamed else json_answer(_chat(data, made))
    if api == "openai.completions":
        return _stream(_completion_events(made)) if call.streamed else json_answer(_completion(made))
    if api == "openai.responses":
        return _stream(_response_events(data, made), True) if call.streamed else json_answer(_response(data, made))
    if api == "anthropic.messages":
        return (
            _stream(_message_events(data, made), True) if call.streamed else json_answer(_anthropic_message(data, made))
        )
    return Answer(200, (("content-type", "text/plain; charset=utf-8"),), (text.encode("utf-8", "replace"),))


@dataclass(frozen=True)
class _Made:
    id: str
    model: str
    text: str

    @property
    def pieces(self) -> list[str]:
        words = re.findall(r"\S+\s*|\s+", self.text) or [""]
        size = -(-len(words) // _MOST_PARTS)
        return ["".join(words[start : start + size]) for start in range(0, len(words), size)]


_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


# ---- OpenAI


def _wanted_tool(data: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """The tool that must be called, with its parameters' schema: only a forced one, for a stand-in decides nothing."""
    choice, tools = data.get("tool_choice"), data.get("tools")
    if not isinstance(tools, list) or not tools or choice in (None, "auto", "none") or not choice:
        return None
    described = [t.get("function", t) for t in tools if isinstance(t, dict)]
    wanted = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
    if isinstance(choice, dict) and choice.get("type") == "auto":
        return None
    for tool in described:
        if wanted in (None, tool.get("name")):
            return str(tool.get("name")), tool.get("parameters") or tool.get("input_schema") or {}
    return None


def _content(data: dict[str, Any], text: str) -> str:
    """The text, as JSON where the call demands it."""
    wanted = data.get("response_format")
    wanted = (
        wanted
        if isinstance(wanted, dict)
        else (data.get("text") or {}).get("format")
        if isinstance(data.get("text"), dict)
        else None
    )
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return json.dumps({"answer": text})
    if kind == "json_schema" and isinstance(wanted, dict):
        schema = wanted.get("schema") or (wanted.get("json_schema") or {}).get("schema") or {}
        return json.dumps(from_schema(schema, text))
    return text


def from_schema(schema: Any, text: str, depth: int = 0) -> Any:
    """A value that fits a JSON schema, with `text` in every free string."""
    if not isinstance(schema, dict) or depth > 8:
        return text
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return from_schema(schema[key][0], text, depth + 1)
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {name: from_schema(of, text, depth + 1) for name, of in properties.items()}
    if kind == "array":
        return [from_schema(schema.get("items", {}), text, depth + 1)]
    return {"integer": 1, "number": 1.0, "boolean": True, "null": None}.get(str(kind), text)


def _chat(data: dict[str, Any], made: _Made) -> dict[str, Any]:
    tool = _wanted_tool(data)
    message: dict[str, Any] = {"role": "assistant", "content": _content(data, made.text), "refusal": None}
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


def _chat_events(data: dict[str, Any], made: _Made) -> list[Any]:
    message = _chat(data, made)["choices"][0]["message"]
    calls = [{"index": n, **call} for n, call in enumerate(message.get("tool_calls") or ())]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if calls:
        deltas.append({"tool_calls": calls})
    else:
        deltas += [{"content": piece} for piece in _Made(made.id, made.model, message["content"]).pieces]

    def event(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        head = {"id": f"chatcmpl-{made.id}", "object": "chat.completion.chunk", "created": 0, "model": made.model}
        return {**head, "choices": [choice]}

    events: list[Any] = [*map(event, deltas), event({}, "tool_calls" if calls else "stop")]
    if (data.get("stream_options") or {}).get("include_usage"):
        events.append({**event({}), "choices": [], "usage": _USAGE})
    return [*events, "[DONE]"]


def _completion(made: _Made) -> dict[str, Any]:
    choice = {"index": 0, "text": made.text, "logprobs": None, "finish_reason": "stop"}
    head = {"id": f"cmpl-{made.id}", "object": "text_completion", "created": 0, "model": made.model}
    return {**head, "choices": [choice], "usage": _USAGE}


def _completion_events(made: _Made) -> list[Any]:
    whole = _completion(made)
    choice = whole["choices"][0]
    return [*({**whole, "choices": [{**choice, "text": piece}]} for piece in made.pieces), "[DONE]"]


def _response(data: dict[str, Any], made: _Made) -> dict[str, Any]:
    tool = _wanted_tool(data)
    text = _content(data, made.text)
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


def _response_events(data: dict[str, Any], made: _Made) -> list[Any]:
    whole = _response(data, made)
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
        pieces = _Made(made.id, made.model, part["text"]).pieces
        events += [{"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []} for piece in pieces]
        events.append({"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []})
        events.append({"type": "response.content_part.done", **at, "part": part})
    events.append({"type": "response.output_item.done", "output_index": 0, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _embeddings(data: dict[str, Any], made: _Made) -> Answer:
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


# ---- Anthropic


def _anthropic_message(data: dict[str, Any], made: _Made) -> dict[str, Any]:
    tool = _wanted_tool(data)
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


def _message_events(data: dict[str, Any], made: _Made) -> list[Any]:
    whole = _anthropic_message(data, made)
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
