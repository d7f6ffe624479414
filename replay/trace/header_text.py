"""Headers as the bytes on the wire, and as what a client meant by them."""

from __future__ import annotations


def as_meant(header: str) -> str:
    """A recorded header is the bytes on the wire, as latin-1. Where they are UTF-8, that is what the client meant."""
    if header.isascii():
        return header
    try:
        return header.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return header


def on_the_wire(text: str) -> str:
    """How a text stands in a recorded header."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("latin-1")
