"""The HTTP of a span: the request that a server span received and the response it gave, as far as they were recorded.

Both spellings of OpenTelemetry's HTTP attributes are read (`http.request.method` and the older `http.method`).
"""

# Decoded JSON is taken apart here.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..trace.model import Response
from .content import output_of, recorded_input
from .found import keep_json
from .spans import integer, under

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..trace.model import Json
    from .spans import Span

_METHOD = ("http.request.method", "http.method")
_TARGET = ("url.path", "http.target", "url.full", "http.url", "http.path")
_ROUTE = "http.route"
_STATUS = ("http.response.status_code", "http.status_code")
_BODY_IN = ("http.request.body.content", "http.request.body.text", "http.request.body", "http.request_body")
_BODY_OUT = ("http.response.body.content", "http.response.body.text", "http.response.body", "http.response_body")
_NAME = re.compile(r"(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s+(/\S*)")


def is_http(span: Span) -> bool:
    """Whether a span is a request that came in over HTTP; one that went out is not."""
    if span.kind not in ("server", ""):
        return False
    if any(name in span.attributes for name in _METHOD):
        return True
    return _NAME.fullmatch(span.name) is not None


def http_request(span: Span) -> tuple[dict[str, Json], list[str]]:
    """The `request` object of a server span, and what had to be guessed."""
    attributes, lossy = span.attributes, list[str]()
    named = _NAME.fullmatch(span.name)
    request: dict[str, Json] = {}
    method = _text(attributes, _METHOD) or (named[1] if named else None)
    if method is not None and re.fullmatch(r"[A-Za-z]{1,20}", method):
        request["method"] = method.upper()
    target = _text(attributes, _TARGET)
    path, query = _split(target) if target else ("", "")
    if not path:
        path = _text(attributes, (_ROUTE,)) or (named[2] if named else "")
        if re.search(r"[{<:*]", path):
            lossy.append("the path is only known as a route")
    if path:
        request["path"] = path
    query = _text(attributes, ("url.query",)) or query
    if query:
        request["query"] = query.removeprefix("?")
    headers = list(_headers(attributes, "http.request.header."))
    agent = _text(attributes, ("user_agent.original", "http.user_agent"))
    if agent and not any(name == "user-agent" for name, _ in headers):
        headers.append(["user-agent", agent])
    if method is not None or headers:
        request["headers"] = headers
    body = next((keep_json(attributes[name]) for name in _BODY_IN if attributes.get(name)), None)
    body = recorded_input(span) if body is None else body
    if body is not None:
        request["text" if isinstance(body, str) else "json"] = body
    return request, lossy


def response_of(span: Span) -> Response | None:
    """What the span ended with; None where it was never ended."""
    if span.end_ns is None:
        return None
    attributes = span.attributes
    status = next((code for name in _STATUS if (code := integer(attributes.get(name))) is not None), None)
    body = next((keep_json(attributes[name]) for name in _BODY_OUT if attributes.get(name)), None)
    headers = tuple((name, value) for name, value in _headers(attributes, "http.response.header."))
    failed = span.status == "error" or (
        span.status == "" and ("error.type" in attributes or (status is not None and status >= 500))
    )
    return Response(
        max(span.end_ns, span.start_ns),
        status,
        headers,
        output_of(span) if body is None else body,
        (),
        "error" if failed else "ok",
    )


def _headers(attributes: Mapping[str, Json], prefix: str) -> Iterator[list[str]]:
    """Header pairs in order of name. A recorded value is a list; older SDKs wrote names with underscores."""
    for key in sorted(key for key in attributes if key.startswith(prefix)):
        name = key[len(prefix) :].lower()
        value = keep_json(under(attributes, key))  # Jaeger has lists as texts
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, (str, int)) and not isinstance(each, bool):
                yield [name if "-" in name else name.replace("_", "-"), str(each)]


def _text(attributes: Mapping[str, Json], names: tuple[str, ...]) -> str | None:
    return next(
        (attributes[name] for name in names if isinstance(attributes.get(name), str) and attributes[name]), None
    )


def _split(target: str) -> tuple[str, str]:
    """Path and query of a path or URL; ("", "") where it is neither."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return "", ""
    return parts.path or ("/" if parts.netloc else ""), parts.query
