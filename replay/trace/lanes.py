"""Which requests belong together: a lane is the isolation boundary, one user's timeline."""

# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..errors import CrosslaneError
from .header_text import as_meant

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Json, Request


@dataclass(frozen=True, slots=True)
class Lane:
    """One user's requests, in the order in which they were sent."""

    name: str
    requests: tuple[Request, ...]


def lanes_of(requests: Iterable[Request], boundary: str = "user") -> tuple[Lane, ...]:
    """Group requests into lanes, ordered by first appearance.

    Args:
        boundary: `user` (falling back to the session where no user was recorded), `session`, or a dotted path into the
            recorded `request` object such as `headers.x-tenant` or `json.org_id`.

    Raises:
        CrosslaneError: a request has nothing at the given path.
    """
    lanes: dict[str, list[Request]] = {}
    for request in requests:
        lanes.setdefault(lane_name(request, boundary), []).append(request)
    return tuple(Lane(name, tuple(members)) for name, members in lanes.items())


def lane_name(request: Request, boundary: str) -> str:
    """The lane of one request; see `lanes_of`."""
    if boundary == "user":
        return request.user if request.user is not None else request.session
    if boundary == "session":
        return request.session
    path = boundary.removeprefix("request.").split(".")
    value = _at_path(request.request, path)
    if value is None:
        raise CrosslaneError(
            f"request {request.id} has nothing at {boundary!r}",
            f"line {request.line}",
            "use --boundary user, session, or the path of a field that every request has",
        )
    return as_meant(str(value)) if path[0].lower() == "headers" else str(value)


def _at_path(value: Json, path: list[str]) -> Json:
    for key in path:
        if isinstance(value, dict):
            members = cast("dict[str, Json]", value)
            value = next((v for k, v in members.items() if k.lower() == key.lower()), None)
        elif isinstance(value, list):
            pairs = cast("list[Json]", value)
            value = next(
                (p[1] for p in pairs if isinstance(p, (list, tuple)) and str(p[0]).lower() == key.lower()), None
            )
        else:
            return None
    return value
