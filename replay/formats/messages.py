"""Messages of a conversation with a model, whichever SDK wrote them, as `{"role", "content", …}`.

Known are the dicts of OpenAI and Anthropic, the parts of OpenTelemetry GenAI and Gemini, OpenInference's nested
`message`, and LangChain's serialised objects. What is not understood is kept under `parts`, never dropped.
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .documents import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..trace.model import Json

Message: TypeAlias = "dict[str, Json]"

_ROLES = {
    "human": "user", "humanmessage": "user", "ai": "assistant", "aimessage": "assistant", "model": "assistant",
    "systemmessage": "system", "developer": "system", "toolmessage": "tool", "function": "tool",
    "functionmessage": "tool",
}  # fmt: skip
_SPOKEN = ("user", "assistant", "system", "tool")
_LISTS = ("messages", "input_messages", "output_messages", "choices", "generations", "contents", "candidates")


def messages_in(value: Json, role: str = "user") -> list[Message]:
    """Every message in a value: a list of them, one, or a dict that holds them. `role` is for those that name none."""
    found: list[Message] = []
    if value is None:
        return found
    # Nested lists are batches (`messages: [[…]]`) and are read in order; the depth is bounded because input is hostile.
    open_: list[tuple[Json, int]] = [(value, 0)]
    while open_:
        item, depth = open_.pop()
        item = _decoded(item)
        if isinstance(item, list) and depth < 6:
            open_ += [(inner, depth + 1) for inner in reversed(item)]
        elif isinstance(item, dict):
            inner = next((item[key] for key in _LISTS if isinstance(item.get(key), (list, dict))), None)
            message = _message(item, role)
            if message is not None:
                found.append(message)
            elif inner is not None and depth < 6:
                open_.append((inner, depth + 1))
    return found


def last_text(messages: Iterable[Message], role: str) -> str | None:
    """The text that a role said last."""
    said = [m["content"] for m in messages if m.get("role") == role and isinstance(m.get("content"), str)]
    return next((text for text in reversed(said) if text), None)


def _decoded(value: Json) -> Json:
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return decoded(value)
        except (ValueError, RecursionError):
            return value
    return value


def _message(item: dict[str, Json], default: str) -> Message | None:
    inner = item.get("message", item.get("kwargs") if "lc" in item else item.get("data"))
    if isinstance(inner, dict) and "content" not in item:
        # The wrapper knows the role where the message does not: LangChain's class, or a choice of the answer.
        return _message(inner, _role(item) or default)
    body = next((item[key] for key in ("content", "contents", "parts", "text") if item.get(key) is not None), None)
    calls = item.get("tool_calls") or (item.get("additional_kwargs") or {}).get("tool_calls") if _calls(item) else None
    if body is None and not calls:
        return None
    named = ("content", "contents", "parts", "role")
    if not calls and not isinstance(body, str) and not any(name in item for name in named):
        return None
    message: Message = {"role": _role(item) or default}
    text, more, called = _content(_decoded(body) if isinstance(body, str) and body[:1] == "[" else body)
    message["content"] = text
    if calls or called:
        message["tool_calls"] = [*(calls if isinstance(calls, list) else [calls] if calls else []), *called]
    if more:
        message["parts"] = more
    return message


def _calls(item: dict[str, Json]) -> bool:
    return "tool_calls" in item or isinstance(item.get("additional_kwargs"), dict)


def _role(item: dict[str, Json]) -> str | None:
    names = [item.get("role"), item.get("type")]
    if isinstance(item.get("id"), list) and item["id"]:
        names.append(item["id"][-1])  # ["langchain", "schema", "messages", "HumanMessage"]
    for name in names:
        if isinstance(name, str):
            plain = name.lower().removesuffix("chunk")
            known = _ROLES.get(plain, plain)
            if known in _SPOKEN:
                return known
    return None


def _content(body: Json) -> tuple[str, list[Json], list[Json]]:
    """The text of a content, what else was in it, and the tool calls."""
    texts: list[str] = []
    more: list[Json] = []
    calls: list[Json] = []
    for part in body if isinstance(body, list) else [] if body is None else [body]:
        block = part.get("message_content", part) if isinstance(part, dict) else part
        if isinstance(block, str):
            texts.append(block)
        elif isinstance(block, dict) and block.get("type") in ("tool_call", "tool_use", "function_call"):
            calls.append(block)
        else:
            said = _said(block)
            if said is None:
                more.append(part)
            else:
                texts.append(said)
    return "\n".join(texts), more, calls


def _said(block: Json) -> str | None:
    if not isinstance(block, dict) or block.get("type") in ("image", "image_url", "file", "input_audio"):
        return None
    for key in ("text", "content", "response", "result"):
        value = block.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and key == "content":
            return _content(value)[0] or None
    return None
