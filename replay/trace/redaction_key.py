"""The key that stand-ins are made with: random, kept beside the user's state, never in a trace.

With one key the same value gets the same stand-in in every trace of this user, so that redacted traces can be compared;
without it nobody can try values against a stand-in.
"""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import RedactionError

_SIZE = 32


def state_folder() -> Path:
    """Where the user's state is kept; `CROSSLANE_STATE_DIR` overrides the platform's own place."""
    own = os.environ.get("CROSSLANE_STATE_DIR")
    if own:
        return Path(own)
    import platformdirs

    return platformdirs.user_state_path("crosslane")


def redaction_key(folder: Path | None = None) -> bytes:
    """The key of this user, made on first use.

    Raises:
        RedactionError: it can neither be read nor made, or is no key.
    """
    path = (folder or state_folder()) / "redaction.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = path.read_bytes()
        else:
            from secrets import token_bytes

            key = token_bytes(_SIZE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key)
    except OSError as error:
        raise RedactionError(f"cannot be used: {error.strerror}", str(path), "set CROSSLANE_STATE_DIR") from None
    if len(key) != _SIZE:
        raise RedactionError(f"is no key: {len(key)} bytes, not {_SIZE}", str(path), "remove it, and a new one is made")
    return key


def key_id(key: bytes) -> str:
    """What names a key without telling anything about it."""
    import hashlib

    return hashlib.sha256(b"crosslane redaction key\0" + key).hexdigest()[:8]
