"""Texts that stand in base64 inside another text: a cursor, a state parameter, the payload of a token.

Whoever is answered one has what is in it. Only what decodes to readable text counts: most long words are ids and paths.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHORTEST = 14  # ten letters and more
_LONGEST = 1 << 20
_RUN = re.compile(rf"[A-Za-z0-9+/_-]{{{_SHORTEST},}}")
_URL = str.maketrans("-_", "+/")
_BLANKS = str.maketrans("", "", "\n\r\t")


def carried(text: str) -> Iterator[str]:
    """What stands in base64 in a text, in either alphabet, padded or not."""
    # Words are looked at by their length first: most texts have none that is long enough.
    for word in [word for word in text.split() if len(word) >= _SHORTEST]:
        if not word.islower():
            for run in _RUN.finditer(word):
                # A slash is a letter of it, or what stands between it and the rest of a path.
                for part in dict.fromkeys((run[0], *run[0].split("/"))):
                    readable = _readable(part[:_LONGEST]) if len(part) >= _SHORTEST else None
                    if readable is not None:
                        yield readable
                        break


def _readable(run: str) -> str | None:
    run = run.translate(_URL)
    try:
        told = base64.b64decode(run[: len(run) - (len(run) % 4 == 1)] + "==").decode("utf-8")
    except ValueError:
        return None
    return told if told.translate(_BLANKS).isprintable() else None
