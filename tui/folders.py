"""Where Crosslane keeps its own files: the platform's folders, unless the environment names others."""

from __future__ import annotations

import os
from pathlib import Path

from ..replay.trace.redaction_key import state_folder

__all__ = ["config_file", "findings_folder", "state_folder"]


def findings_folder() -> Path:
    """Where findings are kept."""
    return state_folder() / "findings"


def config_file() -> Path:
    """The user's own settings of the interface; `CROSSLANE_CONFIG_DIR` overrides the platform's own place."""
    own = os.environ.get("CROSSLANE_CONFIG_DIR")
    if own:
        return Path(own) / "interface.toml"
    import platformdirs

    return platformdirs.user_config_path("crosslane") / "interface.toml"
