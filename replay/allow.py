"""Sharing on purpose, declared by the user: which crossings are no contamination, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .report import Crossing


_LAST_ENTRY = re.compile(r"\['[^']*'\]$")


@dataclass(frozen=True, slots=True)
class Allow:
    """One rule; it takes every condition that it names to apply.

    Attributes:
        lanes: source and sink must both be among them; empty for any.
        carrier, sink: patterns as of the shell, for the carrier's name and the sink's path; "" for any.
        reason: shown in the report.
    """

    lanes: tuple[str, ...] = ()
    carrier: str = ""
    sink: str = ""
    reason: str = ""

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Allow:
        return cls(tuple(data["lanes"]), data["carrier"], data["sink"], data["reason"])

    def covers(self, crossing: Crossing) -> bool:
        if self.lanes and not {crossing.source.lane, crossing.sink.lane} <= set(self.lanes):
            return False
        if self.sink and not fnmatchcase(crossing.sink.path, self.sink):
            return False
        name = crossing.carrier.name if crossing.carrier is not None else ""
        # A rule for a dict is one for its entries too, and brackets in a name that was copied are no pattern.
        names = (name, _LAST_ENTRY.sub("", name))
        return not self.carrier or self.carrier in names or any(fnmatchcase(each, self.carrier) for each in names)
