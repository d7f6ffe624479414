"""The key of the pseudonyms: kept in the user's own state folder, never in a trace.

Files redacted with one key can be compared with each other; whoever has the key can find out whether a guessed value
stands behind a stand-in, and nobody else can.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from pathlib import Path

from ..errors import SettingsError

ENVIRONMENT = "CROSSLANE_REDACTION_KEY"


def redaction_key() -> bytes:
    """The key: from the environment, else from the state folder, where it is made when first asked for.

    Raises:
        SettingsError: it can neither be read nor made.
    """
    given = os.environ.get(ENVIRONMENT)
    if given:
        return hashlib.sha256(given.encode()).digest()
    path = state_folder() / "redaction.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _read(path)
        with os.fdopen(descriptor, "wb") as stream:
            key = secrets.token_bytes(32)
            stream.write(key)
        return key
    except OSError as error:
        raise SettingsError(
            f"the key of the pseudonyms cannot be kept: {error.strerror}",
            str(path),
            f"set {ENVIRONMENT} to a secret text, or CROSSLANE_STATE_DIR to a folder that can be written",
        ) from None


def key_id(key: bytes) -> str:
    """What names a key in a trace without telling it."""
    return hashlib.sha256(b"crosslane key id" + key).hexdigest()[:8]


def state_folder() -> Path:
    """Where Crosslane keeps what outlives a run; `CROSSLANE_STATE_DIR` overrides the platform's own place."""
    own = os.environ.get("CROSSLANE_STATE_DIR")
    if own:
        return Path(own)
    import platformdirs

    return platformdirs.user_state_path("crosslane")


def _read(path: Path) -> bytes:
    for _ in range(1000):  # another process has made the file and is about to write it
        key = path.read_bytes()
        if len(key) >= 32:
            return key
    raise SettingsError("is no key: it is too short", str(path), "delete it to have another made")
