"""What seldom changes of a program's state is put back as well; when it changes late, that is told."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from crosslane.replay.state.files import UserFiles
from crosslane.replay.state.graph import StateGraph

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SOURCE = """
import json
import threading

def handle(message, history=("none",), *, shown=("all",)):
    return json.dumps, threading.Thread
"""


@pytest.fixture
def program(tmp_path: Path) -> Iterator[tuple[StateGraph, Any]]:
    file = tmp_path / "seldom_agent.py"
    file.write_text(SOURCE)
    spec = importlib.util.spec_from_file_location("seldom_agent", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["seldom_agent"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before, known = json.dumps, dict(vars(threading.Thread))
    yield StateGraph(UserFiles(str(tmp_path), (str(tmp_path),)), [], libraries=False), module.handle
    json.dumps = before
    for name in set(vars(threading.Thread)).difference(known):
        delattr(threading.Thread, name)
    del sys.modules["seldom_agent"]


def _rename(handle: Any) -> None:
    json.dumps = lambda *_: "alice"  # type: ignore[assignment]


def _default(handle: Any) -> None:
    handle.__defaults__ = (("alice",),)


def _keyword(handle: Any) -> None:
    handle.__kwdefaults__["shown"] = ("alice",)


def _member(handle: Any) -> None:
    threading.Thread.user = "alice"  # type: ignore[attr-defined]


def _seen(handle: Any) -> tuple[Any, ...]:
    return json.dumps, handle.__defaults__, dict(handle.__kwdefaults__), getattr(threading.Thread, "user", None)


CHANGES = pytest.mark.parametrize("change", [_rename, _default, _keyword, _member])


@CHANGES
@pytest.mark.parametrize("executions", [0, 10])
def test_a_name_of_pythons_own_and_a_default_are_put_back(
    program: tuple[StateGraph, Any], change: Callable[[Any], None], executions: int
) -> None:
    graph, handle = program
    first = _seen(handle)
    for _ in range(executions):
        graph.restore()
    for _ in range(300):  # so far beyond the executions after which all of it is compared
        change(handle)
        graph.restore()
        assert _seen(handle) == first
    assert not graph.late


@CHANGES
def test_what_changes_first_after_many_executions_is_told_and_put_back_from_then_on(
    program: tuple[StateGraph, Any], change: Callable[[Any], None]
) -> None:
    graph, handle = program
    first = _seen(handle)
    for _ in range(100):
        graph.restore()
    change(handle)
    for _ in range(256):
        graph.restore()
    assert len(graph.late) == 1
    assert not graph.hopeless
    assert _seen(handle) == first


@CHANGES
def test_what_is_named_to_be_kept_is_put_back_from_the_first_time_on(
    program: tuple[StateGraph, Any], change: Callable[[Any], None]
) -> None:
    graph, handle = program
    first = _seen(handle)
    graph.keep([node.name for node in graph.nodes])
    for _ in range(100):
        graph.restore()
    change(handle)
    graph.restore()
    assert _seen(handle) == first


def test_the_longer_nothing_has_changed_the_less_often_it_is_looked_at(program: tuple[StateGraph, Any]) -> None:
    graph, handle = program
    for _ in range(8_000):
        graph.restore()
    _member(handle)
    for _ in range(300):
        graph.restore()
    assert not graph.late
    for _ in range(1_000):
        graph.restore()
    assert graph.late == ["threading.Thread"]


def test_what_one_job_has_shown_is_not_relied_on_in_the_next(program: tuple[StateGraph, Any]) -> None:
    graph, handle = program
    for _ in range(8_000):
        graph.restore()
    graph.prove()
    _member(handle)
    for _ in range(256):
        graph.restore()
    assert graph.late == ["threading.Thread"]


def test_a_change_since_the_latest_look_is_found_when_a_job_is_proven(program: tuple[StateGraph, Any]) -> None:
    graph, handle = program
    for _ in range(8_000):
        graph.restore()
    assert not graph.late
    _member(handle)
    graph.restore()
    graph.prove()
    assert graph.late == ["threading.Thread"]
