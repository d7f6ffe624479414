"""How long a search may take, as people write it: `30s`, `500ms`, `2m`, or `5000x` executions."""

from __future__ import annotations

import re

from .errors import CrosslaneError
from .worker.job import NO_LIMIT, NO_LIMIT_S

DEFAULT_BUDGET = "30s"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "": 1.0}


def budget_of(budget: str | float, where: str = "") -> tuple[float, int]:
    """Seconds and executions; what is not given has no limit. A number is seconds.

    Raises:
        CrosslaneError: it cannot be read.
    """
    match = re.fullmatch(r"(\d{1,12}(?:\.\d+)?)(ms|s|m|x|)", str(budget).strip())
    if match is None:
        raise CrosslaneError(f"cannot read the budget {budget!r}", where, "write it like 30s, 500ms, 2m or 5000x")
    if match[2] == "x":
        return NO_LIMIT_S, int(float(match[1]))
    return float(match[1]) * _UNITS[match[2]], NO_LIMIT
