"""Files of spans for the tests: a source in memory, and what is found in it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crosslane.replay.formats.found import Dropped, Format, Found, Reading, Source

if TYPE_CHECKING:
    from crosslane.replay.trace.identity import Claim

NOON_NS = 1_795_204_555_000_000_000


def source(content: Any, name: str = "spans.jsonl", path: Path | None = None) -> Source:
    """Bytes and texts as they are, a list as one JSON line each, anything else as one JSON document."""
    if isinstance(content, list):
        content = "".join(json.dumps(line) + "\n" if not isinstance(line, str) else line + "\n" for line in content)
    elif not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    raw = content.encode() if isinstance(content, str) else content
    return Source(name, path or Path(name), raw[: 64 << 10], lambda: io.BytesIO(raw))


def read(format_: Format, content: Any, reading: Reading | None = None) -> tuple[list[Found], list[Dropped]]:
    of = content if isinstance(content, Source) else source(content)
    items = list(format_.read(of, reading or Reading()))
    return [item for item in items if isinstance(item, Found)], [item for item in items if isinstance(item, Dropped)]


def only(format_: Format, content: Any, reading: Reading | None = None) -> Found:
    """The one exchange in a file that is read without loss of a record."""
    found, dropped = read(format_, content, reading)
    assert dropped == []
    assert len(found) == 1
    return found[0]


def named(claims: tuple[Claim, ...]) -> list[tuple[str, str]]:
    return [(claim.role, claim.value) for claim in claims]
