"""How many generated programs the engine is compared with brute force on: few in every run, since each run draws others,
and as many times that as `CROSSLANE_DEPTH` says, for whoever changed the engine."""

from __future__ import annotations

import os


def examples(count: int) -> int:
    return count * max(1, int(os.environ.get("CROSSLANE_DEPTH", "1")))
