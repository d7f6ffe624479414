"""Where another's data is looked for beside the answer: what a traceback shows of an exception."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..reference.checked import carrier_in, checked

FAILS = """
    import asyncio
    log = []
    async def handle(message):
        log.append(message)
        await asyncio.sleep(0)
        if len(log) < 2:
            return "ok"
        text = TEXT
        RAISE
    """
CAUSE = """
        try:
            raise KeyError(text)
        except KeyError as error:
            raise RuntimeError("failed")END"""
NOTE = """
        error = RuntimeError("failed")
        error.add_note("for " + text)
        raise error"""


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (CAUSE.replace("END", " from error"), True),
        (CAUSE.replace("END", ""), True),
        (NOTE, True),
        (CAUSE.replace("END", " from None"), False),
    ],
    ids=["its cause", "what it was raised in", "its notes", "what is not shown"],
)
def test_an_exception_is_looked_at_with_all_that_a_traceback_shows(tmp_path: Path, raised: str, told: bool) -> None:
    source = FAILS.replace("RAISE", raised.strip())
    leaking = checked(source.replace("TEXT", "' '.join(log)"), tmp_path)
    assert leaking.verdict == ("contaminated" if told else "clean"), leaking.reason
    if told:
        assert leaking.crossings[0].sink.where == "exception"
        assert carrier_in(leaking)[0] == "log"
    assert checked(source.replace("TEXT", "message"), tmp_path).verdict == "clean"
