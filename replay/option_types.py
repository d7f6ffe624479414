"""What each option of the calls from Python takes. Nothing looks at types when a program runs.

An option of another type would be understood as something else (a text as a list of its characters, "no" as yes) or
fail deep inside, so each is looked at before anything starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, cast

from .errors import CrosslaneError
from .schedule.schedule import Schedule

Takes: TypeAlias = tuple[str, Callable[[object], bool]]


def refuse_wrong_types(options: Mapping[str, object]) -> None:
    """None is as good as not given.

    Raises:
        CrosslaneError: an option is of a type that it does not take; the line says which it takes.
    """
    for name, value in options.items():
        takes = _TAKES.get(name)
        if takes is not None and value is not None and not takes[1](value):
            raise CrosslaneError(f"the option {name} takes {takes[0]}, not {shortly(value)}")


def shortly(value: object) -> str:
    """A value as a line can hold it."""
    try:
        shown = " ".join(repr(value).split())
    except Exception:
        return f"a {type(value).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _whole(least: int, most: int | None = None) -> Callable[[object], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and least <= value and (most is None or value <= most)
    )


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")


def _text(value: object) -> bool:
    return isinstance(value, str)


def _path(value: object) -> bool:
    return isinstance(value, (str, os.PathLike))


def _texts(value: object) -> bool:
    is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    return is_list and all(isinstance(item, str) for item in cast("Sequence[object]", value))


def _one_of(*names: str) -> Takes:
    return " or ".join(repr(name) for name in names), lambda value: value in names


_A_TEXT: Takes = ("a text", _text)
_A_PATH: Takes = ("a path", _path)
_TEXTS: Takes = ("a list of texts", _texts)
_YES_OR_NO: Takes = ("True or False", lambda value: isinstance(value, bool))
_SECONDS: Takes = ("a number of seconds", _number)
_TAKES: dict[str, Takes] = {
    "allow_inconclusive": _YES_OR_NO,
    "allow_remote": _YES_OR_NO,
    "baseline": _A_PATH,
    "best_effort": _YES_OR_NO,
    "blocked_after": ("a number of seconds above 0", lambda value: _number(value) and value != 0),
    "boundary": _A_TEXT,
    "budget": ("a text such as '30s' or '5000x', or a number of seconds", lambda v: _text(v) or _number(v)),
    "concurrency": ("a whole number from 1", _whole(1)),
    "config": _A_PATH,
    "cwd": _A_PATH,
    "executor": ("an Executor", lambda value: callable(getattr(value, "submit", None))),
    "faults": _YES_OR_NO,
    "fresh": _one_of("restart", "keep"),
    "identity": _one_of("recorded", "fresh"),
    "jobs": ("a whole number from 0", _whole(0)),
    "kind": _A_TEXT,
    "launch": _A_TEXT,
    "llm_port": ("a port from 0 to 65535", _whole(0, 65_535)),
    "on_progress": ("a function", callable),
    "python": ("the path of an interpreter", _path),
    "schedule": ("a Schedule or a list of lanes", lambda value: isinstance(value, Schedule) or _texts(value)),
    "seed": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "serial": _YES_OR_NO,
    "settle": _SECONDS,
    "switches": ("a whole number from 0", _whole(0)),
    "upstream": _A_TEXT,
    "upstream_allow": _TEXTS,
    "upstream_call": _TEXTS,
    "variants": _YES_OR_NO,
}
