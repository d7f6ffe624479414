"""However many causes one place of an answer has, each is told: none is hidden behind a simpler one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .checked import checked
from .depth import examples


@dataclass(frozen=True, slots=True)
class Cause:
    """Lines of a handler that let one user's words come to another: what is shared, what is done first, what is said
    after a wait, and what is done at the end."""

    name: str
    shared: str
    first: str
    said: str
    last: str = "pass"


CAUSES = (
    Cause("log", "log = []", "log.append(message)", "' '.join(log)"),
    Cause("latest['who']", "latest = {}", "latest['who'] = message", "latest['who']"),
    Cause("Shared.said", "class Shared:\n    said = ''", "Shared.said = message", "Shared.said"),
    Cause(
        "keep(seen=…)", "def keep(item, seen=[]):\n    seen.append(item)\n    return seen", "pass", "str(keep(message))"
    ),
    Cause("cache['answer']", "cache = {}", "cache.setdefault('answer', message)", "cache['answer']"),
    Cause("before", "before = ''", "pass", "before", "before = message"),
)


def handler(causes: tuple[Cause, ...]) -> str:
    lines = ["import asyncio", *(cause.shared for cause in causes), "async def handle(user, message):"]
    body = ["global before" if any(cause.name == "before" for cause in causes) else "pass"]
    body += [cause.first for cause in causes]
    body += ["await asyncio.sleep(0)", f"said = ' / '.join([{', '.join(cause.said for cause in causes)}])"]
    body += [cause.last for cause in causes]
    body += ["return 'you said: ' + said"]
    return "\n".join([*lines, *(f"    {line}" for line in body)])


@settings(max_examples=examples(6), deadline=None)
@given(causes=st.lists(st.sampled_from(CAUSES), min_size=1, max_size=6, unique=True).map(tuple))
def test_each_cause_of_one_text_is_a_finding(
    tmp_path_factory: pytest.TempPathFactory, causes: tuple[Cause, ...]
) -> None:
    folder: Path = tmp_path_factory.mktemp("m")
    report = checked(handler(causes), folder, most_executions=5_000, switches=2, variants=False)
    told = {re.sub(r"^small_\d+\.", "", c.carrier.name) for c in report.crossings if c.carrier is not None}
    assert told == {cause.name for cause in causes}, handler(causes)
