"""A request whose body was not recorded, made from what its first LLM call was asked.

Traces of tracing products often have the prompts and not the HTTP bodies. What the user said then is the last message
with the role `user` of the first call; where it stood in the body only the user of the import can know.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from ..errors import SettingsError
from ..upstream.wire import said

if TYPE_CHECKING:
    from ..trace.model import Exchange, Json

NOTE = "its body was made from the prompt of its first LLM call"


def place_of(text: str) -> tuple[str, ...]:
    """Where the text goes: `message` for functions, `json:chat.text` for a member of a JSON body.

    Raises:
        SettingsError: it is neither.
    """
    if text == "message":
        return ()
    kind, _, path = text.partition(":")
    keys = tuple(path.split("."))
    if kind != "json" or not all(re.fullmatch(r"[^\s.]+", key) for key in keys):
        raise SettingsError(f"cannot read {text!r}", "--prompt-as", "write it like message or json:message")
    return keys


def with_prompt(exchange: Exchange, keys: tuple[str, ...]) -> Exchange:
    """The exchange with a body, where one was missing and a call says what the user had said."""
    request = exchange.request
    if request.grade != "needs-body":
        return exchange
    text = next((text for call in exchange.upstream if (text := _asked(call.sent))), None)
    if text is None:
        return exchange
    if not keys:
        return replace(exchange, request=replace(request, message=text, request=None, grade="replayable"))
    body: Json = text
    for key in reversed(keys):
        body = {key: body}
    shaped = cast("dict[str, Json]", request.request) if isinstance(request.request, dict) else {}
    return replace(exchange, request=replace(request, request={**shaped, "json": body}, grade="replayable"))


def _asked(sent: Json) -> str | None:
    """What the user said last in the messages of a call, in whatever shape a trace keeps them."""
    if isinstance(sent, dict):
        inner = next((sent[key] for key in ("json", "messages", "input", "prompt") if sent.get(key)), None)
        return _asked(inner)
    if isinstance(sent, list):
        users = [m for m in sent if isinstance(m, dict) and str(m.get("role", m.get("type", ""))).lower() in _USER]
        return said(users[-1]) if users else None
    return sent if isinstance(sent, str) and sent.strip() else None


_USER = ("user", "human")
