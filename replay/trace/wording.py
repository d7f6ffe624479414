"""What a request and an answer say, on one line: for everything that shows traffic, recorded or made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .model import Request


def request_text(request: Request) -> str:
    """What the user sent."""
    if request.message is not None:
        return request.message
    payload = request.request
    if isinstance(payload, dict) and "path" in payload:
        content: dict[str, Any] = payload  # pyright: ignore[reportUnknownVariableType]
        body = content.get("json", content.get("text", content.get("body", "")))
        return f"{content.get('method', 'POST')} {content['path']} {body_text(body)}".rstrip()
    return body_text(payload)


def body_text(body: Any) -> str:
    """Text as it is, other values as JSON, None as nothing."""
    if body is None:
        return ""
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
