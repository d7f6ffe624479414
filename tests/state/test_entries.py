"""What lanes do with the entries of a dict is seen without the dict becoming another; which dicts may be trusted so."""

from __future__ import annotations

import copy
import gc
import json
import operator
import pickle
import textwrap
import types
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.schedule.actors import ACTOR
from crosslane.replay.schedule.loop import ControlledLoop
from crosslane.replay.schedule.reduction import IrreducibleError
from crosslane.replay.state.entries import Watch
from crosslane.replay.state.keyed_use import keyed_dicts

from ..reference.program import program_of

WHOLE: dict[str, Callable[[Any], object]] = {
    "len": len,
    "truth": bool,
    "iteration": list,
    "backwards": lambda d: list(reversed(d)),
    "keys": lambda d: d.keys(),
    "values": lambda d: d.values(),
    "items": lambda d: d.items(),
    "equality": lambda d: d == {},
    "equality from the other side": lambda d: operator.eq({}, d),
    "union": lambda d: d | {},
    "union from the other side": lambda d: {} | d,
    "update": lambda d: d.update(b=2),
    "update of another": {}.update,
    "unpacking": lambda d: {**d},
    "unpacking into a call": lambda d: dict(**d),
    "copy": lambda d: d.copy(),
    "copy.copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "text": str,
    "in a text": lambda d: f"{d}",
    "JSON": json.dumps,
    "JSON with indent": lambda d: json.dumps(d, indent=1),
    "clear": lambda d: d.clear(),
    "popitem": lambda d: d.popitem(),
    "sorted": sorted,
    "a set": set,
    "any": any,
    "size": lambda d: d.__sizeof__(),
}


@pytest.fixture
def loop() -> ControlledLoop:
    return ControlledLoop(["alice", "bobby"])


def as_lane(loop: ControlledLoop, name: str, use: Callable[[], object]) -> None:
    context = loop.context.copy()
    context.run(ACTOR.set, loop.lanes[name])
    context.run(use)


@pytest.mark.parametrize("make", [dict, lambda content: defaultdict(list, content)])
@pytest.mark.parametrize("what", WHOLE)
def test_whatever_sees_more_than_an_entry_is_noticed(
    loop: ControlledLoop, what: str, make: Callable[[dict[str, int]], dict[str, Any]]
) -> None:
    entries = make({"a": 1})
    watch = Watch([entries])
    watch.begin()
    try:
        as_lane(loop, "alice", lambda: entries.__setitem__("alice", 1))
        (uses, now), *_ = watch.now()
        assert uses.owned(now) == {"alice": [("alice", 1)]}
        try:
            as_lane(loop, "bobby", lambda: WHOLE[what](entries))
        except Exception as error:  # a class that is nowhere to be found by its name
            assert what == "pickle", error  # noqa: PT017
        (uses, now), *_ = watch.now()
        with pytest.raises(IrreducibleError, match="as a whole"):
            uses.owned(now)
    finally:
        watch.end()


@pytest.mark.parametrize("make", [dict, lambda content: defaultdict(list, content)])
def test_a_dict_that_was_watched_is_what_it_was(make: Callable[[dict[str, int]], dict[str, Any]]) -> None:
    entries, like = make({"a": 1}), make({"a": 1})
    watch = Watch([entries])
    watch.begin()
    watch.end()
    watch.end()
    assert type(entries) is type(like)
    assert (entries, repr(entries), len(entries)) == (like, repr(like), 1)


@pytest.mark.parametrize(
    "use",
    [
        lambda d: d.get("alice"),
        lambda d: "alice" in d,
        lambda d: d["alice"],
        lambda d: d.pop("alice"),
        lambda d: d.setdefault("alice", 2),
        lambda d: d.__delitem__("alice"),
    ],
)
def test_an_entry_that_one_lane_made_and_another_asks_for_is_no_lanes_own(
    loop: ControlledLoop, use: Callable[[Any], object]
) -> None:
    entries: dict[str, int] = {}
    watch = Watch([entries])
    watch.begin()
    try:
        as_lane(loop, "alice", lambda: entries.__setitem__("alice", 1))
        as_lane(loop, "bobby", lambda: use(entries))
        (uses, now), *_ = watch.now()
        with pytest.raises(IrreducibleError, match="same entry"):
            uses.owned(now)
    finally:
        watch.end()


def test_what_was_written_past_the_methods_is_not_taken_for_anybodys() -> None:
    entries: dict[str, int] = {}
    watch = Watch([entries])
    watch.begin()
    try:
        dict.__setitem__(entries, "alice", 1)
        (uses, now), *_ = watch.now()
        with pytest.raises(IrreducibleError, match="unseen"):
            uses.owned(now)
    finally:
        watch.end()


def trusted(source: str, folder: Path) -> list[str]:
    source = "import collections, json\n" + textwrap.dedent(source) + "\nasync def handle(message): return message\n"
    program = program_of(source, folder)
    graph = program.fresh.graph
    return [graph.nodes[index].name.partition(".")[2] for index in keyed_dicts(graph)]


@pytest.mark.parametrize(
    "use",
    [
        "d[k] = 1",
        "d[k].append(1)",
        "d[k] += 1",
        "del d[k]",
        "x = d.get(k)",
        "d.setdefault(k, []).append(1)",
        "x = k in d and k not in d",
        "x = d.pop(k, None)",
        "x = getattr(k, 'text', None)",
        "global d; d = {}",
    ],
)
def test_a_dict_of_which_a_program_names_entries_alone_is_trusted(tmp_path: Path, use: str) -> None:
    assert trusted(f"d = {{}}\ndef f(k):\n    {use}", tmp_path) == ["d"]


@pytest.mark.parametrize(
    "use",
    [
        "x = d",
        "x = json.dumps(d)",
        "x = d.get",
        "x = d.items()",
        "x = d in k",
        "x = k in d in k",
        "x = [d]",
        "return d",
        "yield d",
        "for x in d: pass",
        "x = {**d}",
        "x = f'{d}'",
        "x = lambda k=d: k",
        "k.x = d",
        "x = getattr(k, 'd')",
        "x = getattr(k, k)",
        "x = globals()",
        "x = k.__dict__",
        "from agent import d as x",
        "import gc",
        "x = (y := d)",
        "del d; x = d if k else k",
    ],
)
def test_a_dict_that_a_program_may_hand_on_is_not(tmp_path: Path, use: str) -> None:
    assert trusted(f"d = {{}}\ndef f(k):\n    {use}", tmp_path) == []


def test_a_dict_that_something_without_a_name_holds_as_well_is_not(tmp_path: Path) -> None:
    assert trusted("pair = ({}, 1)\nd, one = pair\ndef f(k):\n    d[k] = 1", tmp_path) == []
    assert trusted("made = collections.deque([{}])\nd = made[0]\ndef f(k):\n    d[k] = 1", tmp_path) == []
    assert trusted("class A(collections.UserList): pass\na = A()\na.d = {}\ndef f(k):\n    a.d[k] = 1", tmp_path) == []


def test_a_source_that_is_not_what_runs_says_nothing(tmp_path: Path) -> None:
    source = "d = {}\ndef f(k):\n    return d[k]\nasync def handle(message): return f(message)\n"
    program = program_of(source, tmp_path)
    assert keyed_dicts(program.fresh.graph) != []
    (file,) = tmp_path.glob("*.py")
    file.write_text(source.replace("d[k]", "d[0]"), encoding="utf-8")
    assert keyed_dicts(program.fresh.graph) == []


def test_modules_are_not_asked_for_what_they_keep_beside_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = program_of("d = {}\nasync def handle(message): return d.get(message)\n", tmp_path)
    asked: list[type] = []
    real = gc.get_referents

    def noted(*things: Any) -> list[Any]:
        asked.extend(map(type, things))
        return real(*things)

    monkeypatch.setattr(gc, "get_referents", noted)
    assert keyed_dicts(program.fresh.graph) != []
    assert asked
    assert types.ModuleType not in asked  # in 3.12 this would free a part of asyncio twice
