"""A recorded HTTP request as bytes and headers, and an answer's bytes as JSON or text: what all HTTP kinds share.

This module imports the standard library alone and nothing of Crosslane: exported repro scripts carry it as it stands.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

PART = 65_536  # what a server reads from a socket at once
_OF_THE_CONNECTION = frozenset(
    # The recorded length belongs to the recorded bytes, which may have been redacted or edited since.
    {"content-length", "transfer-encoding"}
    # In what is compressed no value is found; a body that was announced is not waited for.
    | {"accept-encoding", "sec-websocket-extensions", "expect"}
)
"""Headers that clients settle the transport with, which is another one here. So are the pseudo-headers of HTTP/2."""
NO_PATH = "has no path, and an application needs one"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request as a server would have parsed it.

    Attributes:
        path: decoded. `raw_path` is as it stands on the request line, without the query.
        headers: names in lower case, in order; the length is that of `body`.
        messages: what the client sends over a websocket, text or bytes; None for plain HTTP.
    """

    method: str
    path: str
    raw_path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    messages: tuple[str | bytes, ...] | None = None

    @property
    def target(self) -> str:
        return f"{self.raw_path}?{self.query}" if self.query else self.raw_path

    def parts(self) -> list[bytes]:
        """The body as it arrives: in parts where it is long; one, maybe empty, otherwise."""
        return [self.body[at : at + PART] for at in range(0, len(self.body), PART)] or [b""]


def http_request(record: dict[str, Any]) -> HttpRequest:
    """The request in a `req` line of a trace.

    Raises:
        ValueError: the record has no path.
    """
    request = record.get("request")
    if not isinstance(request, dict) or "path" not in request:
        raise ValueError(
            f"request {record['id']} {NO_PATH}: "
            'write {"request": {"method": "POST", "path": "/chat", "json": {…}}}'
        )
    body, content_type = _body(request)
    headers = [(str(k).lower(), str(v)) for k, v in _pairs(request.get("headers"))]
    names = {name for name, _ in headers}
    if content_type and "content-type" not in names:
        headers.append(("content-type", content_type))
    headers = [(k, v) for k, v in headers if k not in _OF_THE_CONNECTION and not k.startswith(":")]
    if body:
        headers.append(("content-length", str(len(body))))
    if "host" not in names:
        headers.append(("host", "127.0.0.1"))
    url = urlsplit(str(request["path"]))
    query = request.get("query")
    if isinstance(query, (dict, list)):
        query = urlencode(_pairs(query))
    messages = request.get("messages")
    return HttpRequest(
        str(request.get("method", "GET" if messages is not None else "POST")).upper(),
        unquote(url.path),
        quote(url.path, safe="/%:@!$&'()*+,;=~"),
        str(query or url.query),
        tuple(headers),
        body,
        None if messages is None else tuple(_message(message) for message in messages),
    )


def decoded(body: bytes, content_type: str) -> Any:
    """The value of a JSON body, else its text."""
    text = body.decode("utf-8", "backslashreplace")
    if "json" in content_type:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _message(message: Any) -> str | bytes:
    if isinstance(message, dict) and set(message) == {"b64"}:
        return base64.b64decode(message["b64"])
    return message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)


def _pairs(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return [(k, v) for k, vs in value.items() for v in (vs if isinstance(vs, list) else [vs])]
    return [(pair[0], pair[1]) for pair in value or ()]


def _body(request: dict[str, Any]) -> tuple[bytes, str]:
    if "json" in request:
        return json.dumps(request["json"], ensure_ascii=False).encode("utf-8", "surrogatepass"), "application/json"
    if "b64" in request:
        return base64.b64decode(request["b64"]), ""
    text = request.get("text", request.get("body"))
    return ("" if text is None else str(text)).encode(
        "utf-8", "surrogatepass"
    ), "text/plain; charset=utf-8" if text else ""
