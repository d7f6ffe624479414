"""What a library has only put off until a request needed it is no state that an execution leaves behind."""

from __future__ import annotations

import builtins
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


LOOKED_UP = """
import functools

class Note:
    def __init__(self, text=""):
        self.text = text
    latest = "what alice said"

@functools.lru_cache
def base_of(cls, *, first=False):
    return cls.__mro__[-1]

@functools.lru_cache
def text_of(cls):
    return cls.latest

@functools.lru_cache(maxsize=None)
def made(what):
    return Note(what)

@functools.lru_cache
def members(cls):
    return [cls]
"""


@pytest.fixture
def caches_of_library(tmp_path: Path) -> Iterator[tuple[StateGraph, Any]]:
    library = _loaded("looked_up_library", tmp_path / "library", LOOKED_UP)
    _loaded("looked_up_agent", tmp_path / "agent", "import looked_up_library\n")
    loaded = {name: module for name, module in sys.modules.items() if name.startswith("looked_up")}
    before, sys.modules = sys.modules, {**loaded, "builtins": builtins}  # of the test's own libraries there are many
    agents = str(tmp_path / "agent")
    graph = StateGraph(UserFiles(agents, (agents,)))
    sys.modules = before
    yield graph, library
    del sys.modules["looked_up_agent"], sys.modules["looked_up_library"]


def _sizes(library: Any) -> list[int]:
    caches = (library.base_of, library.made, library.members, library.text_of)
    return [cache.cache_info().currsize for cache in caches]


@pytest.mark.parametrize("before", [0, 10])
def test_what_a_library_has_looked_up_of_types_stays_looked_up(
    caches_of_library: tuple[StateGraph, Any], before: int
) -> None:
    state, library = caches_of_library
    for _ in range(before):
        state.restore()
    library.base_of(library.Note)
    library.base_of(library.Note, first=True)
    state.look()
    for _ in range(3):
        library.base_of(library.Note)
        state.restore()
        assert library.base_of.cache_info().currsize == 2
    assert not state.late


@pytest.mark.parametrize("use", [
    lambda library: library.made("what alice said"),
    lambda library: library.made(library.Note),
    lambda library: library.made(None),
    lambda library: library.base_of(type("Alice", (), {})),
    lambda library: library.members(library.Note),
    lambda library: library.text_of(library.Note),
])  # fmt: skip
def test_of_what_a_librarys_cache_holds_beside_types_nothing_stays(
    caches_of_library: tuple[StateGraph, Any], use: Callable[[Any], object]
) -> None:
    state, library = caches_of_library
    library.base_of(library.Note)
    use(library)
    state.look()
    state.restore()
    sizes = _sizes(library)
    assert sizes == [1, 0, 0, 0]
    library.base_of(library.Note)
    use(library)
    state.restore()
    assert sizes == _sizes(library)
    assert library.base_of(library.Note) is object


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
