"""What a library has only put off until a request needed it is no state that an execution leaves behind."""

from __future__ import annotations

import importlib.util
import json
import sys
import textwrap
import types
from typing import TYPE_CHECKING, Any

import pytest
from crosslane.replay.errors import StateEscaped
from crosslane.replay.schedule.faults import FaultSearch
from crosslane.replay.schedule.strategies import Serial
from crosslane.replay.state import content
from crosslane.replay.state.content import identity
from crosslane.replay.state.files import UserFiles
from crosslane.replay.state.graph import StateGraph
from crosslane.replay.state.walk import Node
from crosslane.replay.state.worked_out import says_nothing
from crosslane.replay.trace.lanes import lanes_of
from crosslane.replay.worker.capture import Capture

from ..reference.checked import CODES
from ..reference.program import program_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIBRARY = """
from pydantic import BaseModel, ConfigDict

class Answer(BaseModel):
    model_config = ConfigDict(defer_build=True)
    text: str
    hits: int = 0
"""


def _loaded(name: str, folder: Path, source: str) -> types.ModuleType:
    folder.mkdir()
    file = folder / f"{name}.py"
    file.write_text(source)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[tuple[StateGraph, Any]]:
    """Of a program that uses a library's model, and the model."""
    library = _loaded("answers_library", tmp_path / "library", LIBRARY)
    _loaded("answers_agent", tmp_path / "agent", "from answers_library import Answer\n")
    agents = str(tmp_path / "agent")
    yield StateGraph(UserFiles(agents, (agents,)), [], libraries=False), library.Answer
    del sys.modules["answers_agent"], sys.modules["answers_library"]


@pytest.mark.parametrize("before", [0, 10])
def test_a_librarys_model_that_was_completed_when_it_was_needed_stays_so(
    graph: tuple[StateGraph, Any], before: int
) -> None:
    state, answer = graph
    for _ in range(before):
        state.restore()
    assert not answer.__pydantic_complete__
    assert answer(text="hello").text == "hello"
    state.look()
    state.restore()
    assert answer.__pydantic_complete__
    assert not state.late


@pytest.mark.parametrize("before", [0, 10])
def test_what_else_a_request_has_hung_on_a_librarys_model_is_put_back(
    graph: tuple[StateGraph, Any], before: int
) -> None:
    state, answer = graph
    for _ in range(before):
        state.restore()
    answer(text="hello")
    answer.latest = "what alice said"
    state.look()
    state.restore()
    assert not hasattr(answer, "latest")
    assert not answer.__pydantic_complete__
    assert bool(state.late) == bool(before)


def _warn(module: Any) -> None:
    module.__warningregistry__ = {"version": 7}


def _name_function(module: Any) -> None:
    module.sleep = json.dumps


def _name_module(module: Any) -> None:
    module.backend = json


def _name_new_function(module: Any) -> None:
    module.sleep = lambda: "alice"


def _name_text(module: Any) -> None:
    module.latest = "alice"


def _other_function(module: Any) -> None:
    module.known = json.dumps


def _forget(module: Any) -> None:
    del module.known


@pytest.mark.parametrize(
    ("change", "nothing"),
    [
        (_warn, True),
        (_name_function, True),
        (_name_module, True),
        (_name_new_function, False),
        (_name_text, False),
        (_other_function, False),
        (_forget, False),
    ],
)
@pytest.mark.parametrize("package", ["library", ""])
def test_a_librarys_module_may_name_what_there_was_before_and_note_of_what_it_warned(
    change: Callable[[Any], None], nothing: bool, package: str
) -> None:
    module: Any = types.ModuleType("library")
    module.known = json.loads
    first = content.read("namespace", module)
    node = Node("library", "module global", "namespace", module, "", "", package)
    change(module)
    assert says_nothing(node, first, {identity(json.dumps)}) is (nothing and bool(package))


LATE = """
    import asyncio, threading
    async def handle(user, message):
        try:
            await asyncio.sleep(1)
        except asyncio.CancelledError:
            threading.Thread.user = user
            raise
        return message
    """


def test_what_only_a_fault_changes_is_noticed_at_the_first_fault(tmp_path: Path) -> None:
    program = program_of(textwrap.dedent(LATE), tmp_path)
    lanes = lanes_of(exchange.request for exchange in CODES)
    names = [lane.name for lane in lanes]
    for _ in range(70):
        program.execute(lanes, Serial(names))
    search = FaultSearch(names, True)
    faults = 0
    with pytest.raises(StateEscaped, match=r"threading\.Thread changed"):
        while (strategy := search.next(0)) is not None:
            faults += 1
            search.tell(program.execute(lanes, strategy))
    assert faults <= 2


def test_where_a_program_prints_to_is_none_of_its_state(tmp_path: Path) -> None:
    """A default of OpenTelemetry's is the standard output of the moment: what is said there begins anew each time."""
    log = types.SimpleNamespace(out=Capture(), latest=[])
    graph = StateGraph(UserFiles(str(tmp_path), (str(tmp_path),)), [("log", log, "")], libraries=False)
    assert [node.name for node in graph.nodes if node.name.startswith("log")] == ["log", "log.latest"]
    assert not graph.unproven
