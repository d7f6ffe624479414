"""What a functools cache holds for those who ask again: seen, and put back entry by entry.

Nothing but the collector can tell what is in one, and nothing but a call can put something into one: so for the time of
that call the function behind it is one that gives what was there before.
"""

# Objects of the program are looked at here, and those have no types that we could know.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import functools
import gc
import itertools
import types
from operator import is_
from typing import Any

MOST_ENTRIES = 1_000  # to put back more takes longer than a fork


def _gives(*_: Any, **__: Any) -> Any:
    return "what was there before"  # in the place of which it stands: a constant is any object


def read(cache: Any) -> tuple[Any, ...] | int:
    """Key and result of each entry in turn, the one that goes first from a full cache at the front.

    Where they cannot be told, a number that changes with them.
    """
    info = cache.cache_info()
    if info.maxsize == 0:
        return info.misses
    found = _entries(cache, info.currsize, info.maxsize) if info.currsize else []
    return info.currsize if found is None else tuple(part for entry in found for part in entry)


def write(cache: Any, content: tuple[Any, ...] | int) -> None:
    """Make its entries what `read` gave, and none where that cannot be. It then stands as if each had been asked for
    once.

    Their keys are asked for their hash, as by everyone who asks the cache.
    """
    info = cache.cache_info()
    if isinstance(content, int) or not can_be_put_back(cache, content):
        content = ()
    entries = list(zip(content[::2], content[1::2], strict=True))
    if (info.hits, info.misses) == (0, len(entries)) and is_as(cache, content):
        return
    cache.cache_clear()
    if not entries:
        return
    typed = cache.cache_parameters()["typed"]
    function = cache.__wrapped__
    real = function.__code__
    template = _gives.__code__
    try:
        for key, result in entries:
            constants = tuple([result if type(constant) is str else constant for constant in template.co_consts])
            function.__code__ = template.replace(co_consts=constants)
            arguments, keywords = call_of(key, typed)
            cache(*arguments, **keywords)
    finally:
        function.__code__ = real


def is_as(cache: Any, content: tuple[Any, ...] | int) -> bool:
    """Whether it holds what `read` gave, which is compared without asking any of it."""
    if content == ():
        return not cache.cache_info().currsize
    now = read(cache)
    if isinstance(content, int) or isinstance(now, int):
        return type(now) is type(content) and now == content
    return len(now) == len(content) and all(map(_same, now, content, itertools.cycle((True, False))))


def can_be_put_back(cache: Any, content: tuple[Any, ...] | int) -> bool:
    """Whether `write` can do it."""
    if not content or isinstance(content, int):
        return not content
    if len(content) > 2 * MOST_ENTRIES:
        return False
    function = cache.__wrapped__
    return type(function) is types.FunctionType and not function.__code__.co_freevars


def results(cache: Any) -> list[Any]:
    """What it gives to those who ask again, as far as that can be told."""
    content = read(cache)
    return [] if isinstance(content, int) else list(content[1::2])


def _entries(cache: Any, size: int, maxsize: int | None) -> list[tuple[Any, Any]] | None:
    """The collector visits for each link of a bounded one its key, its result and its class, and of an unbounded one
    the dict."""
    held = gc.get_referents(cache)
    if maxsize is None:
        tables = [each for each in held if type(each) is dict and len(each) == size and each is not vars(cache)]
        return list(tables[0].items()) if len(tables) == 1 else None
    links = [at for at, each in enumerate(held) if issubclass(type(each), type) and each.__name__ == "_lru_list_elem"]
    found = [(held[at - 2], held[at - 1]) for at in links[:size]]
    return found if len(found) == size else None


def _same(one: Any, other: Any, is_key: bool) -> bool:
    """The same object; or a key that was made of the same ones."""
    if one is other:
        return True
    return is_key and type(one) is type(other) is tuple and len(one) == len(other) and all(map(is_, one, other))


def call_of(key: Any, typed: bool) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments for which a cache has made this key."""
    if type(key) is not tuple:
        return (key,), {}
    mark = next((at for at, part in enumerate(key) if part is _KEYWORDS_FOLLOW), len(key))
    if mark == len(key):
        return (key[: len(key) // 2] if typed else key), {}
    end = len(key) - mark - (len(key) - 2 * mark - 1) // 3 if typed else len(key)
    pairs = key[mark + 1 : end]
    return key[:mark], dict(zip(pairs[::2], pairs[1::2], strict=True))


@functools.lru_cache
def _asked(**_: Any) -> None: ...


def _mark_of_keywords() -> Any:
    _asked(name=None)
    content = read(_asked)
    assert not isinstance(content, int)
    return content[0][0]


_KEYWORDS_FOLLOW = _mark_of_keywords()
