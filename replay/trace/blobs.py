"""Bodies too large for a line of a trace: files of their own beside it, each under the SHA-256 of its bytes."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from typing import TYPE_CHECKING

from .compressed import open_any

if TYPE_CHECKING:
    from pathlib import Path

    from .model import Json


def folder(trace: Path) -> Path:
    """Where the bodies of a trace stand; its parts share one folder."""
    return trace.with_name(re.sub(r"(\.part-[^.]*)?\.jsonl(\.gz|\.zst)?$", "", trace.name) + ".blobs")


def aside(trace: Path, held: dict[str, Json]) -> dict[str, Json] | None:
    """Put a body (`json`, `text` or `b64`) into a file of its own.

    Returns the member of the event that refers to it, with whatever else `held` says; None where it cannot be written.
    """
    if "b64" in held:
        content = base64.b64decode(held["b64"])
    else:
        content = (json.dumps(held["json"]) if "json" in held else str(held["text"])).encode("utf-8", "replace")
    name = hashlib.sha256(content).hexdigest()
    target = folder(trace) / name
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        if not target.exists():
            unfinished = target.with_name(f".{name}.{os.getpid()}")
            unfinished.write_bytes(content)
            unfinished.rename(target)
    except OSError:
        return None
    rest = {key: value for key, value in held.items() if key not in ("json", "text", "b64")}
    return {"ref": name, "bytes": len(content), **rest}


def read(trace: Path, name: str) -> dict[str, Json]:
    """The body of that name, as `json`, `text` or `b64`.

    Raises:
        ValueError: that is no SHA-256 (no trace can point out of its own folder), or there is no such file.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", name):
        raise ValueError("refers to a body by something that is no SHA-256")
    try:
        with open_any(folder(trace) / name) as stream:
            raw = stream.read()
    except OSError:
        raise ValueError(f"refers to a body that is not there: {folder(trace).name}/{name[:12]}…") from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(raw).decode("ascii")}
    try:
        return {"json": json.loads(text)}
    except (ValueError, RecursionError):
        return {"text": text}
