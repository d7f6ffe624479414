"""The one function through which every string of a trace, handler or log passes on its way to the terminal.

Control characters and terminal escapes are shown as Unicode control pictures, bidirectional overrides and other
invisible format characters by their code, lone surrogates as replacement characters. Nothing is interpreted as markup:
callers put the result into `rich.text.Text`.
"""

from __future__ import annotations

import unicodedata

_NEWLINE = "⏎"
_TAB = "⇥"


def safe(text: str, limit: int | None = None) -> str:
    """`text` on one line, harmless; at most `limit` characters, with the number of those left out."""
    if limit is not None and len(text) > limit:
        return "".join(map(_shown, text[:limit])) + f"… +{len(text) - limit}"
    return text if text.isascii() and text.isprintable() else "".join(map(_shown, text))


def safe_block(text: str, limit: int | None = None) -> str:
    """The same for several lines: newlines stay, tabs become spaces."""
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    return safe_lines(lines, limit)


def safe_lines(lines: list[str], limit: int | None) -> str:
    shown = "\n".join(map(safe, lines))
    return shown if limit is None or len(shown) <= limit else f"{shown[:limit]}… +{len(shown) - limit}"


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if character == "\n":
        return _NEWLINE
    if character == "\t":
        return _TAB
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    if 0xD800 <= code <= 0xDFFF:
        return "�"
    if unicodedata.category(character) == "Zs":
        return " "
    return f"⟨{code:04X}⟩"
