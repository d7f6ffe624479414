"""Plain command lines are read without Typer, and mean what they mean to it; every other line is left to it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import typer
from crosslane.tui import cli
from crosslane.tui.commands import opening
from crosslane.tui.commands.declared import Argument, Option, for_typer
from crosslane.tui.commands.program import app
from crosslane.tui.commands.straight import arguments_of
from crosslane.tui.commands.table import COMMANDS, function_of
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

VALUES = st.text("abcXYZ019 ./:é=_", min_size=1, max_size=8)


@st.composite
def plain_lines(draw: st.DrawFn, command: Callable[..., None]) -> list[str]:
    """A line with some of what a command declares: its places in order, then options, each once or, a list, twice."""
    places: list[str] = []
    options: list[list[str]] = []
    for name, parameter in signature(command, eval_str=True).parameters.items():
        kind, said = get_args(parameter.annotation)
        needed, several = parameter.default is Parameter.empty, list in map(get_origin, (kind, *get_args(kind)))
        words = draw(st.lists(a_word(kind, said), min_size=int(needed), max_size=2 if several else 1))
        if isinstance(said, Argument):
            places += words
        elif kind is bool and words:
            flags = said.names or (f"--{name.replace('_', '-')}", f"--no-{name.replace('_', '-')}")
            options.append([draw(st.sampled_from(flags))])
        else:
            spelled = draw(st.sampled_from(said.names or (f"--{name.replace('_', '-')}",)))
            options += [[spelled, word] for word in words]
    return [*places, *(word for option in draw(st.permutations(options)) for word in option)]


def a_word(kind: Any, said: Option | Argument) -> st.SearchStrategy[str]:
    if get_origin(kind) in (Union, UnionType):
        kind = next(each for each in get_args(kind) if each is not type(None))
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if kind not in (int, float):
        return VALUES
    assert isinstance(said, Option)
    whole = st.integers(1 if said.min else 0, int(said.max or 9999)).map(str)
    return whole if kind is int else whole.map("{}.5".format) | whole


@pytest.mark.parametrize("name", COMMANDS)
def test_a_plain_line_means_what_it_means_to_typer(name: str) -> None:
    command = function_of(name)
    heard: list[dict[str, Any]] = []

    @wraps(command)
    def told(**arguments: Any) -> None:
        heard.append({**arguments, **{key: None for key, value in arguments.items() if value == []}})

    program = typer.Typer()
    program.command()(for_typer(told))
    typers = typer.main.get_command(program)
    defaults = {key: each.default for key, each in signature(command).parameters.items()}

    @settings(max_examples=40)
    @given(plain_lines(command))
    def agree(line: list[str]) -> None:
        heard.clear()
        typers(line, standalone_mode=False)
        said = arguments_of(command, line)
        assert said is not None
        assert [{**defaults, **said}] == heard

    agree()


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["a", "b", "c"],
        ["--nope", "x"],
        ["--cwd"],
        ["--cwd", "--kind"],
        ["--cwd", ""],
        ["--cwd=x"],
        ["--", "a"],
        ["-"],
        ["--kind", "asgi", "--kind", "wsgi"],
        ["--concurrency", "0"],
        ["--concurrency", "two"],
        ["--concurrency", "-1"],
        ["--concurrency", "²"],
        ["--llm-port", "65536"],
    ],
)
def test_every_other_line_is_left_to_typer(words: list[str]) -> None:
    assert arguments_of(opening.open_, words) is None


@pytest.mark.parametrize(
    "words",
    [
        ["check", "--format", "yaml"],
        ["check", "--faults", "--no-faults"],
        ["check", "--settle", "1e3"],
        ["check", "--settle", "0.001"],
        ["check", "--switches", "1.0"],
        ["replay", "--no-serial"],
        ["import", "-o", "t.jsonl"],
        ["import", "a.har"],
        ["export", "f1", "-o"],
        ["record"],
        ["demo", "--verbose"],
    ],
)
def test_a_line_that_some_command_does_not_allow_is_left_to_typer(words: list[str]) -> None:
    assert arguments_of(function_of(words[0]), words[1:]) is None


def test_typer_is_told_all_that_a_command_declares() -> None:
    program: Any = typer.main.get_command(app)
    for name in COMMANDS:
        hints = get_type_hints(function_of(name), include_extras=True)
        told = {parameter.name: parameter for parameter in program.commands[name].params}
        for parameter, hint in hints.items():
            if parameter == "return":
                continue
            (said,) = hint.__metadata__
            assert told[parameter].help == said.help, f"{name}: {parameter}"
            assert told[parameter].show_default == said.show_default, f"{name}: {parameter}"
            if isinstance(said, Option) and said.names:
                assert tuple(told[parameter].opts) == said.names, f"{name}: {parameter}"
        assert set(told) - {"help"} == set(hints) - {"return"}


@pytest.mark.parametrize(("word", "code"), [("0", 2), ("1", 0), ("3", 0), ("4", 2)])
def test_typer_keeps_a_number_within_its_declared_bounds(word: str, code: int) -> None:
    def command(number: Annotated[int, Option(help="A number.", min=1, max=3)]) -> None:
        assert str(number) == word

    program = typer.Typer()
    program.command()(for_typer(command))
    assert CliRunner().invoke(program, ["--number", word]).exit_code == code


@pytest.mark.parametrize(
    ("line", "function", "spare"),
    [
        (["open", "a.jsonl", "b.py:c"], "opening._open_app", {"crosslane.replay.report", "textual"}),
        (["check", "a.jsonl", "b.py:c", "--no-faults", "--format", "json"], "run.load_trace", {"textual"}),
    ],
)
def test_a_plain_line_imports_neither_other_commands_nor_typer(line: list[str], function: str, spare: set[str]) -> None:
    module, _, name = function.partition(".")
    code = (
        f"import sys; from crosslane.tui.commands import {module}\n"
        f"def reached(*asked): print('reached', asked[0]); raise SystemExit\n"
        f"{module}.{name} = reached\n"
        f"from crosslane.tui.cli import main; sys.argv = ['crosslane', *{line!r}]\n"
        "try: main()\n"
        "except SystemExit: print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    reached, modules = done.stdout.splitlines()
    assert reached == "reached a.jsonl"
    others = {place.partition(":")[0] for place in COMMANDS.values()} - {COMMANDS[line[0]].partition(":")[0]}
    unwanted = {*(f"crosslane.tui.commands.{each}" for each in others), "crosslane.tui.commands.program"}
    assert not {*unwanted, "typer", "pydantic", *spare} & set(modules.split())


def test_what_is_broken_off_is_told_by_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Typer does it for the lines that are left to it. A pipe that nobody reads is no verdict, and so no pass."""

    def breaks(error: type[BaseException]) -> Callable[..., None]:
        def command() -> None:
            raise error

        return command

    descriptors: list[int] = []
    monkeypatch.setattr(cli.os, "dup2", lambda *pair: descriptors.extend(pair))
    monkeypatch.setattr(sys, "argv", ["crosslane", "demo"])
    for error, code in ((KeyboardInterrupt, 130), (BrokenPipeError, 1)):
        monkeypatch.setattr(cli, "function_of", lambda name, error=error: breaks(error))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == code
    assert len(descriptors) == 2


def test_a_line_with_an_error_is_one_line_and_code_2(tmp_path: Path) -> None:
    code = "import sys; from crosslane.tui.cli import main; sys.argv = ['crosslane', *sys.argv[1:]]; main()"
    for words in (["open", str(tmp_path / "none.jsonl"), "a.py:b"], ["open", "--concurrency", "0"], ["demo", "x"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith("crosslane: ")
