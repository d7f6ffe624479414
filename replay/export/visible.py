"""Text of a trace, made visible: what every export that people read passes the content of traces through.

Control characters, terminal escapes, bidirectional overrides and lone surrogates become their Python escapes, so that
what is left is one line of printable characters that can be encoded as UTF-8. Each format then escapes its own syntax.
"""

from __future__ import annotations


def visible(text: str, limit: int | None = None) -> str:
    """`text` on one line, harmless; at most `limit` characters of it, with the number of those left out."""
    if limit is not None and len(text) > limit:
        return f"{visible(text[:limit])}… +{len(text) - limit}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
