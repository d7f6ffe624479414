"""The user's own theme and keys: kept in a file, and a mistake in it is a line, not the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.tui.app import CrosslaneApp
from crosslane.tui.bindings import keymap, places
from crosslane.tui.folders import config_file
from crosslane.tui.preferences import Preferences, preferences, remember_theme
from crosslane.tui.screens.dialogs import HelpScreen, ReplayDialog
from crosslane.tui.screens.main import MainScreen
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from .stand_ins import StandIn, result, screen_text, session, settle

SIZES = [(80, 24), (160, 45)]


def write(text: str) -> Path:
    file = config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


async def at_rest(app: CrosslaneApp, pilot: Pilot[None]) -> list[str]:
    await settle(app, pilot)
    return [notification.message for notification in app._notifications]


def test_without_a_file_everything_is_as_it_comes(tmp_path: Path) -> None:
    assert preferences(tmp_path / "none.toml") == Preferences()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theme = ", "is no TOML"),
        ("\x00", "is no TOML"),
        ("theme = 3", 'theme is to be written like "crosslane-light"'),
        ("mouse = 'no'", "mouse is to be written like true or false"),
        ("colour = 0", "colour is to be written like true or false"),
        ("color = false", "there is no setting 'color'"),
        ("keys = 'r'", "keys is to be written like [keys]"),
        ("[keys]\nreplay = 5", "keys.replay is to be written like"),
        ('"a\\u001b[31m" = 1', "there is no setting"),
    ],
)
def test_what_cannot_be_used_is_said_and_the_rest_counts(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "interface.toml"
    file.write_text(text)
    (problem,) = preferences(file).problems
    assert said in problem
    assert "\x1b" not in problem
    assert "\n" not in problem


def test_one_wrong_line_does_not_cost_the_others(tmp_path: Path) -> None:
    file = tmp_path / "interface.toml"
    file.write_text('theme = 3\nmouse = false\ncolour = false\n[keys]\nreplay = "R"\ncopy = 1\n')
    read = preferences(file)
    assert (read.theme, read.mouse, read.colour, read.keys) == ("", False, False, {"replay": "R"})
    assert len(read.problems) == 2


def test_a_folder_in_the_place_of_the_file_is_one_line(tmp_path: Path) -> None:
    (problem,) = preferences(tmp_path).problems
    assert "cannot be read" in problem


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'theme = "nord"\n'),
        ("mouse = false\n", 'theme = "nord"\nmouse = false\n'),
        ('# mine\ntheme = "x"  # dark\nmouse = false\n[keys]\nreplay = "R"\n', '# mine\ntheme = "nord"\nmouse = false\n[keys]\nreplay = "R"\n'),
        ('[keys]\ntheme = "t"\n', 'theme = "nord"\n[keys]\ntheme = "t"\n'),
    ],
)  # fmt: skip
def test_the_theme_is_written_and_nothing_else_touched(tmp_path: Path, before: str, after: str) -> None:
    file = tmp_path / "folder" / "interface.toml"
    file.parent.mkdir()
    file.write_text(before)
    remember_theme("nord", file)
    assert file.read_text() == after
    assert preferences(file).theme == "nord"
    assert [path.name for path in file.parent.iterdir()] == [file.name]


# ---- keys


def test_every_key_that_the_help_tells_of_can_be_changed_and_names_are_unique_at_each_place() -> None:
    for place in places():
        actions: dict[str, set[str]] = {}
        for binding in place.bindings:
            assert bool(binding.id) == bool(binding.description), (place.name, binding)
            actions.setdefault(binding.id or binding.action, set()).add(binding.action)
        for name, of in actions.items():
            assert len(of) == 1, (place.name, name)


def test_no_key_means_two_things_at_one_place() -> None:
    for place in places():
        keys = [binding.key for binding in place.bindings]
        assert len(keys) == len(set(keys)), place.name


def test_wishes_are_met_or_said() -> None:
    met, problems = keymap(
        {"replay": "R,f5", "step": "?", "fly": "z", "copy": "nokey", "export": "", "help": "f1", "breakpoints": "b"},
        places(),
    )
    assert met == {"replay": "R,f5", "help": "f1", "breakpoints": "b", "step": "question_mark"}
    assert ["fly" in problems[0], "copy" in problems[1], "export" in problems[2], len(problems)] == [
        True,
        True,
        True,
        3,
    ]


@pytest.mark.parametrize(
    ("wished", "refused"),
    [
        ({"replay": "e"}, "keys.replay: e is already the key of export"),
        ({"replay": "s"}, "keys.replay: s is already the key of switch"),
        ({"switch": "r"}, "keys.switch: r is already the key of"),
        ({"replay": "ctrl+q"}, "keys.replay: ctrl+q is already the key of quit"),
    ],
)
def test_a_key_that_is_taken_is_refused(wished: dict[str, str], refused: str) -> None:
    met, (problem,) = keymap(wished, places())
    assert met == {}
    assert problem.startswith(refused)


def test_two_actions_can_change_places() -> None:
    wished = {"replay": "e", "export": "r"}
    assert keymap(wished, places()) == (wished, [])


KEYS = st.lists(st.sampled_from(["a", "e", "r", "R", "s", "j", "?", "ctrl+k", "f5", "escape", "%"]), max_size=3)
ACTIONS = st.sampled_from(["replay", "export", "switch", "help", "step", "close", "quit", "mark", "nonsense"])


@given(st.dictionaries(ACTIONS, KEYS.map(",".join), max_size=6))
def test_whatever_is_wished_no_key_means_two_things_afterwards(wished: dict[str, str]) -> None:
    everywhere = list(places())
    met, problems = keymap(wished, everywhere)
    assert set(met) <= set(wished)
    assert len(problems) >= len(wished) - len(met)
    changed = {key for keys in met.values() for key in keys.split(",")}
    for place in everywhere:
        owners: dict[str, set[str]] = {}
        for binding in place.bindings:
            for key in met.get(binding.id or "", binding.key).split(","):
                owners.setdefault(key, set()).add(binding.id or binding.action)
        for key in changed & set(owners):
            assert len(owners[key]) == 1, (place.name, key, owners[key])


async def test_a_key_of_ones_own_works_and_the_help_says_so(tmp_path: Path) -> None:
    write('[keys]\nreplay = "R"\nhelp = "f1"\nswitch-back = "W"\nfly = "z"\n')
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(80, 24)) as pilot:
        (said,) = await at_rest(app, pilot)
        assert "there is no action 'fly'" in said
        await pilot.press("r")
        assert isinstance(app.screen, MainScreen), "its old key does nothing"
        await pilot.press("R")
        assert isinstance(app.screen, ReplayDialog)
        await pilot.press("escape", "f1")
        assert isinstance(app.screen, HelpScreen)
        told = {meaning: key for _, keys in app.screen._sections for key, meaning in keys}
        assert (told["Replay"], told["Help"], told["Switch back"]) == ("R", "f1", "W")


async def test_without_keys_of_ones_own_no_screen_is_imported_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosslane.tui.bindings.places", lambda: pytest.fail("not needed"))
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test() as pilot:
        assert await at_rest(app, pilot) == []


# ---- themes


async def test_a_theme_that_is_chosen_is_there_the_next_time(tmp_path: Path) -> None:
    write("mouse = false\n")
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test() as pilot:
        assert app.theme == "crosslane-dark"
        assert preferences(config_file()).theme == "", "nothing was chosen"
        app.theme = "crosslane-light"
        assert await at_rest(app, pilot) == []
    again = CrosslaneApp(session(tmp_path, StandIn(result())))
    assert again.theme == "crosslane-light"
    assert not again.preferences.mouse


async def test_a_theme_that_does_not_exist_is_said(tmp_path: Path) -> None:
    write('theme = "sunny"\n')
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test() as pilot:
        (said,) = await at_rest(app, pilot)
        assert "there is no theme 'sunny'" in said
        assert "crosslane-light" in said
        assert app.theme == "crosslane-dark"


async def test_a_theme_that_cannot_be_kept_is_said(tmp_path: Path) -> None:
    config_file().mkdir(parents=True)
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test() as pilot:
        app.theme = "crosslane-light"
        said = await at_rest(app, pilot)
        assert any("the theme is not kept" in line for line in said)


def greys(app: CrosslaneApp) -> set[bool]:
    """Whether what is on the screen is grey."""
    return {
        len(set(colour.get_truecolor())) == 1
        for strip in app.screen._compositor.render_strips()
        for segment in strip
        if segment.style is not None
        for colour in (segment.style.color, segment.style.bgcolor)
        if colour is not None
    }


@pytest.mark.parametrize("text", ["colour = false", 'theme = "crosslane-monochrome"', 'theme = "nord"\ncolour = false'])
async def test_without_colour_there_is_none_anywhere(tmp_path: Path, text: str) -> None:
    write(text)
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(160, 45)) as pilot:
        await at_rest(app, pilot)
        assert greys(app) == {True}
        assert any("┗━▶" in line for line in screen_text(app)), "glyphs say what the colours said"


async def test_with_colour_there_is_some(tmp_path: Path) -> None:
    app = CrosslaneApp(session(tmp_path, StandIn(result())))
    async with app.run_test(size=(160, 45)) as pilot:
        await at_rest(app, pilot)
        assert False in greys(app)
