"""What depends on another's content without holding a word of it; and what only looks so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ..reference.checked import bodies, carrier_in, checked

LAST = """
    import asyncio
    last = {}
    async def handle(user, request):
        before = last.get(KEY)
        last[KEY] = request["said"]
        await asyncio.sleep(0)
        return {"ok": True, "about": DERIVED}
    """


@pytest.mark.parametrize(
    ("derived", "said"),
    [
        ("len((before or '').split())", ("my code is ZX-4411", "my code is QW-9922")),
        ("before is not None and sum(map(ord, before)) % 2 == 0", ("my code is ZX-4411", "my code is QW-9922")),
        ("(before or 0) + request['said']", (500, 70)),
        ("(before or 0) + request['said']", (19.5, 7.25)),
    ],
    ids=["a number of words", "a truth value", "a sum of small numbers", "a sum of fractions"],
)
def test_a_value_computed_from_what_another_said_is_found(tmp_path: Path, derived: str, said: tuple[Any, Any]) -> None:
    users = bodies(("alice", {"said": said[0]}), ("bob", {"said": said[1]}))
    source = LAST.replace("DERIVED", derived)
    leaking = checked(source.replace("KEY", "'all'"), tmp_path, users, most_executions=300)
    assert leaking.verdict == "contaminated", leaking.reason
    assert leaking.crossings[0].kind == "derived"
    assert carrier_in(leaking)[0].startswith("last")
    clean = checked(source.replace("KEY", "user"), tmp_path, users)
    assert clean.verdict == "clean", clean.reason


AGED = """
    import asyncio, re
    last = {}
    async def handle(user, request):
        told = re.search(r"\\d+", request["said"])
        if told: last[KEY] = last.get(KEY, 0) + int(told.group())
        await asyncio.sleep(0)
        age = last.get(KEY)
        return {"ok": True, "about": SAID}
    """
DECADE = "age and 'you are in your ' + ['teens', 'twenties', 'thirties', 'forties', 'fifties'][age // 10 % 5]"


def test_a_number_of_two_digits_within_a_text_decides_what_another_is_told(tmp_path: Path) -> None:
    users = bodies(("alice", {"said": "I am 42 years old"}), ("bob", {"said": "how old am I?"}))
    source = AGED.replace("SAID", DECADE)
    leaking = checked(source.replace("KEY", "'all'"), tmp_path, users)
    assert [(c.kind, c.source.lane, c.sink.lane) for c in leaking.crossings] == [("derived", "alice", "bob")]
    assert carrier_in(leaking)[0] == "last['all']"
    clean = checked(source.replace("KEY", "user"), tmp_path, users)
    assert clean.verdict == "clean", clean.reason


def test_a_total_that_such_numbers_add_to_is_no_crossing(tmp_path: Path) -> None:
    users = bodies(("alice", {"said": "give me 3 ideas"}), ("bob", {"said": "give me 4 ideas at 10:30"}))
    report = checked(AGED.replace("KEY", "'all'").replace("SAID", "f'{age} ideas so far'"), tmp_path, users)
    assert (report.verdict, [influence.path for influence in report.influences]) == ("clean", ["body.about"] * 2)


def test_a_fact_that_only_the_very_words_decide_is_a_warning(tmp_path: Path) -> None:
    source = """
        import asyncio
        seen = False
        async def handle(user, request):
            global seen
            before = seen
            seen = "ZX-4411" in request["said"]
            await asyncio.sleep(0)
            return "known" if before else "new"
        """
    users = bodies(("alice", {"said": "take ZX-4411"}), ("bob", {"said": "hello"}))
    report = checked(source, tmp_path, users)
    assert (report.verdict, report.influences[0].path) == ("clean", "body")
    assert "because of the very words that alice used" in report.warnings[0]


@pytest.mark.parametrize(("header", "verdict"), [("x-ratelimit-remaining-tokens", "clean"), ("x-left", "contaminated")])
def test_a_rate_limit_counted_in_what_all_have_said_is_no_crossing(tmp_path: Path, header: str, verdict: str) -> None:
    source = f"""
        import asyncio
        left = 10_000
        async def handle(scope, receive, send):
            global left
            body = (await receive())["body"]
            left -= len(body)
            await asyncio.sleep(0)
            headers = [(b"{header}", str(left).encode())]
            await send({{"type": "http.response.start", "status": 200, "headers": headers}})
            await send({{"type": "http.response.body", "body": b"ok"}})
        """
    asked = [{"method": "POST", "path": "/", "json": {"text": text}} for text in ("my code is ZX-4411", "hi")]
    report = checked(source, tmp_path, bodies(("alice", asked[0]), ("bob", asked[1])), kind="asgi")
    assert report.verdict == verdict, report.reason
    assert report.influences or report.crossings


def test_a_version_that_others_moved_on_is_no_crossing(tmp_path: Path) -> None:
    source = """
        import asyncio
        document = {"version": 1}
        async def handle(user, request):
            await asyncio.sleep(0)
            if request["version"] != document["version"]:
                return {"conflict": True, "version": document["version"]}
            document["version"] += 1
            return {"conflict": False, "version": document["version"]}
        """
    edits = bodies(
        ("alice", {"version": 1, "text": "my code is ZX-4411"}), ("bob", {"version": 1, "text": "my code is QW-9922"})
    )
    report = checked(source, tmp_path, edits)
    assert report.verdict == "clean", report.reason
    assert report.influences
