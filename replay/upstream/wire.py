"""Calls to LLMs on the wire: which API a call is for, what it asks, and what a recorded answer says.

OpenAI chat completions, completions, responses and embeddings, and Anthropic messages, by the path that servers which
imitate them use too. Answers in these formats are made in `composing`.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The bodies of calls are any JSON.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import re
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
