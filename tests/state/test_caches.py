"""What a functools cache holds is seen and put back, entry by entry."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.state import caches, content

from ..reference.checked import carrier_in, checked
from ..reference.program import program_of


def _made(x: object, *more: object, **named: object) -> list[object]:
    return [x, more, named]


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}), (("a",), {}), ((("a", "b"),), {}), ((1, 2), {}), ((1,), {"y": 2}), ((1, 2), {"y": 2, "z": object()}),
    ((1.0, object()), {}), ((None,), {"x2": None}), ((True,), {}), ((object,), {"y": object}),
]  # fmt: skip


@pytest.mark.parametrize("typed", [False, True])
@pytest.mark.parametrize("maxsize", [None, 128, 4])
def test_entries_are_put_back_with_the_results_that_they_had(maxsize: int | None, typed: bool) -> None:
    cache = functools.lru_cache(maxsize, typed)(_made)
    calls = CALLS[: maxsize or len(CALLS)]
    results = [cache(*arguments, **named) for arguments, named in calls]
    first = caches.read(cache)
    cache("what a user said")
    cache(1)
    assert not caches.is_as(cache, first) or maxsize == 4
    caches.write(cache, first)
    assert caches.is_as(cache, first)
    again = [cache(*arguments, **named) for arguments, named in calls]
    assert all(one is other for one, other in zip(results, again, strict=True))
    assert cache("what a user said") is not results[0]
    assert cache.cache_info().hits == len(calls)


def test_so_many_entries_are_not_put_back_that_a_fork_would_take_less_time() -> None:
    cache = functools.lru_cache(None)(_made)
    for number in range(caches.MOST_ENTRIES):
        cache(number)
    assert caches.can_be_put_back(cache, caches.read(cache))
    cache("one more")
    assert not caches.can_be_put_back(cache, caches.read(cache))


@pytest.mark.parametrize("result", [{}, [], (), "", ("", {})])
def test_an_entry_that_was_not_there_is_a_change_whatever_it_is(result: object) -> None:
    cache = functools.lru_cache(lambda _: result)
    first = content.read("cache", cache)
    assert content.unchanged("cache", cache, first)
    cache("a")
    assert not content.unchanged("cache", cache, first)
    content.write("cache", cache, first)
    assert content.unchanged("cache", cache, first)


def test_what_a_full_cache_forgets_first_is_the_same_as_before() -> None:
    cache = functools.lru_cache(2)(_made)
    first, second = cache(1), cache(2)
    before = caches.read(cache)
    cache(1)
    caches.write(cache, before)
    cache(3)
    assert cache(2) is second
    assert cache(1) is not first


def _inner(seen: list[object]) -> Callable[..., object]:
    def made(x: object) -> object:
        return seen, x

    return made


@pytest.mark.parametrize("function", [sum, _inner([])])
def test_a_cache_behind_which_no_function_can_be_put_is_not_put_back(function: Callable[..., object]) -> None:
    cache = functools.lru_cache(function)
    cache((1, 2))
    first = caches.read(cache)
    assert not caches.can_be_put_back(cache, first)
    cache((3, 4))
    caches.write(cache, first)
    assert caches.read(cache) == ()


SETTINGS = """
    import asyncio, functools
    class Settings:
        def __init__(self):
            self.limit, self.latest = 3, ""
    @functools.lru_cache
    def settings():
        return Settings()
    @functools.lru_cache
    def greeting(kind):
        return "Dear " + latest
    latest = "user"
    settings(), greeting("hello")
    async def handle(user, message):
        global latest
        {body}
    """


@pytest.mark.parametrize(
    ("body", "verdict", "carrier"),
    [
        ("await asyncio.sleep(0); return settings().limit", "clean", None),
        (
            "before, settings().latest = settings().latest, message; await asyncio.sleep(0); return before",
            "contaminated",
            "settings().latest",
        ),
        (
            "latest = message; text = greeting('new'); await asyncio.sleep(0); return text",
            "contaminated",
            "greeting",
        ),
        ("latest = message; text = greeting('hello'); await asyncio.sleep(0); return text", "clean", None),
    ],
)
def test_a_program_whose_caches_are_filled_at_import_needs_no_forks(
    body: str, verdict: str, carrier: str | None, tmp_path: Path
) -> None:
    source = SETTINGS.format(body=body)
    assert not program_of(textwrap.dedent(source), tmp_path).fresh.forking
    report = checked(source, tmp_path)
    assert (report.verdict, carrier_in(report)[0] if carrier else None) == (verdict, carrier), report.reason
