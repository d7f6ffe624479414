"""What a stand-in says, in whatever format: its text in pieces, the tool that must be called, JSON that fits a schema.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

# The bodies of calls are any JSON.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_MOST_PARTS = 3
"""Parts of a streamed answer: each is a place where another lane may run, so few are enough and many are costly."""


@dataclass(frozen=True)
class Made:
    id: str
    model: str
    text: str

    @property
    def pieces(self) -> list[str]:
        words = re.findall(r"\S+\s*|\s+", self.text) or [""]
        size = -(-len(words) // _MOST_PARTS)
        return ["".join(words[start : start + size]) for start in range(0, len(words), size)]


def wanted_tool(data: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
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


def content_of(data: dict[str, Any], text: str) -> str:
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
