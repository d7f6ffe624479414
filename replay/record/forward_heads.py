"""Heads as the proxy writes them: those that came, without what is for one connection alone (RFC 9110, 7.6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .http1 import options_of

if TYPE_CHECKING:
    from .http1 import RequestHead, ResponseHead

_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade"))
_NEVER_DROPPED = frozenset((b"host", b"content-length", b"transfer-encoding"))
_REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large", 501: "Not Implemented", 502: "Bad Gateway"}
_UPGRADED = b"Connection: Upgrade\r\nUpgrade: websocket"


def to_service(
    head: RequestHead, options: frozenset[bytes], prefix: bytes, host: bytes | None, upgrades: bool
) -> bytes:
    """A request's head for the service. `host` stands in place of the one that the client named, where it is given."""
    dropped = _dropped(options)
    lines = [head.method + b" " + prefix + head.target + b" HTTP/1.1"]
    if host is not None:
        lines.append(b"Host: " + host)
    for name, value in head.headers:
        lower = name.lower()
        if lower in dropped or (lower == b"host" and host is not None):
            continue
        if upgrades and lower == b"sec-websocket-extensions":
            continue  # compressed messages could not be read
        lines.append(name + b": " + value)
    if upgrades:
        lines.append(_UPGRADED)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def to_client(head: ResponseHead, minor: int, stays: bool) -> bytes:
    """A response's head for a client of HTTP/1.`minor`, whose connection stays open or not."""
    dropped = _dropped(options_of(head.known))
    if not minor:
        dropped |= {b"transfer-encoding"}
    lines = [b"HTTP/1.1 %d%b" % (head.status, head.reason)]
    lines += [name + b": " + value for name, value in head.headers if name.lower() not in dropped]
    if head.status == 101:
        lines.append(_UPGRADED)
    elif not stays:
        lines.append(b"Connection: close")
    elif not minor:
        lines.append(b"Connection: keep-alive")
    return b"\r\n".join(lines) + b"\r\n\r\n"


def own_answer(status: int, text: str, stays: bool, method: bytes = b"") -> bytes:
    """What the proxy says itself."""
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(text.encode())}",
        *(() if stays else ("Connection: close",)),
    ]
    return "\r\n".join((*lines, "", "" if method == b"HEAD" else text)).encode()


def _dropped(options: frozenset[bytes]) -> frozenset[bytes]:
    """Headers that are for one connection alone."""
    return _HOP_BY_HOP if options <= {b"keep-alive", b"close", b"upgrade"} else _HOP_BY_HOP | options - _NEVER_DROPPED
