"""A command line that is plainly well-formed, read from the declaration of its command alone.

Typer and the library that it checks values with take as long to import as a short check takes, and longer than the
interface may take to its first frame. Whatever is not plain, an unknown option, a value out of its range, `--help`, is
left to it: it alone says what is wrong.
"""

from __future__ import annotations

import re
from inspect import Parameter, signature
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from .declared import Argument, Option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


class _NotPlainError(Exception):
    """To be left to Typer."""


def arguments_of(command: Callable[..., None], words: Sequence[str]) -> dict[str, Any] | None:
    """The arguments that `command` is to be called with, those of which nothing is said left out; None if not plain."""
    places: list[tuple[str, Any, Argument]] = []
    options: dict[str, tuple[str, Any, Option]] = {}
    flags: dict[str, tuple[str, bool]] = {}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if get_origin(hint) is not Annotated:
            continue
        kind, info, *_ = get_args(hint)
        if isinstance(info, Argument):
            places.append((name, kind, info))
        elif isinstance(info, Option):
            spelled = name.replace("_", "-")
            if kind is bool:
                flags |= dict.fromkeys(info.names or (f"--{spelled}",), (name, True))
                flags |= {} if info.names else {f"--no-{spelled}": (name, False)}
            else:
                options |= dict.fromkeys(info.names or (f"--{spelled}",), (name, kind, info))
    said: dict[str, Any] = {}
    waiting = list(words)
    try:
        while waiting:
            word = waiting.pop(0)
            if word in flags:
                _put_once(said, *flags[word])
            elif word.startswith("-"):
                if word not in options or not waiting:
                    return None
                _put(said, *options[word], waiting.pop(0))
            elif places:
                _put(said, *places[0], word)
                if not isinstance(said[places[0][0]], list):
                    del places[0]
            else:
                return None
    except _NotPlainError:
        return None
    return said if _needed(command) <= said.keys() else None


def _needed(command: Callable[..., None]) -> set[str]:
    return {name for name, each in signature(command).parameters.items() if each.default is Parameter.empty}


def _put(said: dict[str, Any], name: str, kind: Any, info: Argument | Option, text: str) -> None:
    several, value = _value(kind, info, text)
    if several:
        said.setdefault(name, []).append(value)
    else:
        _put_once(said, name, value)


def _put_once(said: dict[str, Any], name: str, value: Any) -> None:
    if name in said:
        raise _NotPlainError
    said[name] = value


def _value(kind: Any, info: Argument | Option, text: str) -> tuple[bool, Any]:
    """Whether there may be several, and what the text means."""
    if get_origin(kind) in (Union, UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        kind = kinds[0] if len(kinds) == 1 else None
    several = get_origin(kind) is list
    if several:
        (kind,) = get_args(kind)
    if not text or text.startswith("-"):
        raise _NotPlainError
    if kind is str:
        return several, text
    if kind is Path:
        return several, Path(text)
    if get_origin(kind) is Literal and text in get_args(kind):
        return several, text
    if kind in (int, float) and isinstance(info, Option) and (plain := _NUMBER.fullmatch(text)):
        if kind is int and plain[1]:
            raise _NotPlainError
        number = kind(text)
        if (info.min is None or number >= info.min) and (info.max is None or number <= info.max):
            return several, number
    raise _NotPlainError
