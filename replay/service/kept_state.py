"""Baselines where state outlives an execution: what a lane sees alone may be what another left behind.

A service that is not started again remembers the lanes that were alone before. So what another lane sent, and this one
did not, is no part of what this one should see; an answer that holds it is no baseline. Changing the other lane tells
whether it really came from there: a text of the program's own stays.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..detect.values import foreign_tokens, is_telling, observations

if TYPE_CHECKING:
    from ..investigation import Investigation


def distrust_leftovers(investigation: Investigation) -> None:
    """Take what other lanes sent out of the lanes' baselines."""
    sent = {name: material.sent for name, material in investigation.materials.items()}
    for name, material in investigation.materials.items():
        others = frozenset[str]().union(*(words for other, words in sent.items() if other != name)) - material.sent
        investigation.materials[name] = replace(material, seen=material.seen - others)
        telling = frozenset(filter(is_telling, others))
        for request, outcome in list(investigation.solo.items()):
            if outcome.lane == name and any(foreign_tokens(text, telling) for _, _, text in observations(outcome)):
                del investigation.solo[request]
