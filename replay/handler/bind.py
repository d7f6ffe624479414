"""Which value of a recorded request goes to which parameter of a function handler.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import inspect
from typing import Any

SESSION_NAMES = ("session_id", "session", "conversation_id", "thread_id")
USER_NAMES = ("user_id", "user", "tenant_id")
MESSAGE_NAMES = ("message", "text", "prompt", "query", "input")
REQUEST_NAMES = ("request", "payload", "body", "event")
ROLES = {
    **dict.fromkeys(SESSION_NAMES, "session"),
    **dict.fromkeys(USER_NAMES, "user"),
    **dict.fromkeys(MESSAGE_NAMES, "message"),
    **dict.fromkeys(REQUEST_NAMES, "request"),
}


def roles_of(function: Any) -> dict[str, str]:
    """Map each parameter to fill to `session`, `user`, `message` or `request`.

    Parameters with other names keep their defaults; a single one without a default gets the whole request.

    Raises:
        TypeError: a parameter without a default cannot be told, or is positional-only; the message names it.
    """
    roles: dict[str, str] = {}
    unknown: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise TypeError(f"parameter {parameter.name!r} is positional-only; Crosslane passes arguments by name")
        if parameter.name in ROLES:
            roles[parameter.name] = ROLES[parameter.name]
        elif parameter.default is parameter.empty:
            unknown.append(parameter.name)
    if len(unknown) > 1:
        names = ", ".join(unknown)
        known = ", ".join((*SESSION_NAMES, *USER_NAMES, *MESSAGE_NAMES, *REQUEST_NAMES))
        raise TypeError(f"cannot tell what to pass for {names}; parameters are bound by name: {known}")
    return {**roles, **dict.fromkeys(unknown, "request")}


def arguments(roles: dict[str, str], record: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments for one recorded request (a `req` line of a trace).

    Containers are copied: a handler that changes its argument must not change the trace.
    """
    return {name: copied(_value(role, record)) for name, role in roles.items()}


def _value(role: str, record: dict[str, Any]) -> Any:
    if role == "session":
        return record["session"]
    if role == "user":
        return record.get("user", record["session"])
    if role == "message":
        return message_of(record)
    if "request" in record:
        return record["request"]
    return {"session": record["session"], "user": record.get("user"), "message": record["message"]}


def message_of(record: dict[str, Any]) -> Any:
    """The text that the user sent: the hand-written `message`, or the field of the request that goes by such a name."""
    if "message" in record:
        return record["message"]
    request = record["request"]
    if not isinstance(request, dict):
        return request
    for place in (request, request.get("json"), request.get("query")):
        if isinstance(place, dict):
            for name in MESSAGE_NAMES:
                # An HTTP request's own `query` is its query string, not the question that the user asked.
                if name in place and not (place is request and "method" in request):
                    return place[name]
    return request.get("text", request.get("body"))


def copied(value: Any) -> Any:
    """A deep copy of a JSON value."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copied(item) for item in value]
    return value
