"""Plain command lines are read without Typer, and mean what they mean to it; every other line is left to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import pytest
import typer
from crosslane.tui.commands import opening
from crosslane.tui.commands.declared import Option, for_typer
from crosslane.tui.commands.program import app
from crosslane.tui.commands.straight import arguments_of
from crosslane.tui.commands.table import COMMANDS, function_of
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

VALUES = st.text("abcXYZ019 ./:é=_", min_size=1, max_size=8)
OPTIONS = st.one_of(
    st.tuples(st.sampled_from(["--python", "--cwd", "--kind", "--boundary", "--upstream-call", "--config"]), VALUES),
    st.tuples(st.just("--upstream-allow"), VALUES),
    st.tuples(st.just("--concurrency"), st.integers(1, 99).map(str)),
    st.tuples(st.just("--llm-port"), st.integers(0, 65535).map(str)),
)
LINES = st.tuples(st.lists(VALUES, max_size=2), st.lists(OPTIONS, max_size=4, unique_by=lambda option: option[0]))


def as_typer_has_it(words: list[str], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the function of `crosslane open` is given by Typer, without what nobody said."""
    said: list[tuple[Any, ...]] = []
    app = typer.Typer()

    def heard(path: Any, handler: Any, worker: Any, kind: Any, settings: Any, *rest: Any) -> None:
        said.append((path, handler, worker, kind, *rest))

    monkeypatch.setattr(opening, "_open_app", heard)
    monkeypatch.setattr(opening, "load_settings", lambda *asked: Overridden(said, asked))
    app.command()(for_typer(opening.open_))
    done = CliRunner().invoke(app, words)
    return {"said": said, "code": done.exit_code}


class Overridden:
    """Settings that note what they were asked for."""

    def __init__(self, said: list[tuple[Any, ...]], asked: tuple[Any, ...]) -> None:
        self.said, self.asked = said, asked

    def overridden(self, *values: Any) -> Overridden:
        self.said.append((*self.asked, *(value or None for value in values)))
        return self


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_a_plain_line_means_what_it_means_to_typer(line: tuple[list[str], list[tuple[str, str]]]) -> None:
    places, options = line
    words = [*places, *(word for option in options for word in option)]
    with pytest.MonkeyPatch.context() as monkeypatch:
        typers = as_typer_has_it(words, monkeypatch)
        assert typers["code"] == 0
        arguments = arguments_of(opening.open_, words)
        assert arguments is not None
        heard = list(typers["said"])
        typers["said"].clear()
        opening.open_(**arguments)
        assert typers["said"] == heard


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


def test_a_plain_open_imports_neither_other_commands_nor_typer() -> None:
    code = (
        "import sys; from crosslane.tui.commands import opening\n"
        "opening._open_app = lambda *asked: print('opened', asked[1])\n"
        "from crosslane.tui.cli import main; sys.argv = ['crosslane', 'open', 'a.jsonl', 'b.py:c']\n"
        "try: main()\n"
        "except SystemExit: print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    opened, modules = done.stdout.splitlines()
    assert opened == "opened b.py:c"
    others = {f"crosslane.tui.commands.{place.partition(':')[0]}" for place in COMMANDS.values()}
    unwanted = {
        *others,
        "typer",
        "crosslane.tui.commands.program",
        "pydantic",
        "crosslane.replay.report",
        "textual",
    } - {"crosslane.tui.commands.opening"}
    assert not unwanted & set(modules.split())


def test_a_line_with_an_error_is_one_line_and_code_2(tmp_path: Path) -> None:
    code = "import sys; from crosslane.tui.cli import main; sys.argv = ['crosslane', *sys.argv[1:]]; main()"
    for words in (["open", str(tmp_path / "none.jsonl"), "a.py:b"], ["open", "--concurrency", "0"], ["demo", "x"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert done.stderr.startswith("crosslane: ")
