"""The interface keeps recent work; tests keep it in their own folder. And they wait for no terminal.

A headless screen is painted for nobody, after each key: tests paint what they look at, all at once. Textual's pilot
waits in steps of 20 ms until nothing happens any more, which is most of the time that a key takes: here the steps are
as much shorter as the time between two frames is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual import _wait, screen
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.screen import Screen

_FASTER = 4


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(folder))
    monkeypatch.setenv("CROSSLANE_CONFIG_DIR", str(folder / "config"))
    return folder


@pytest.fixture(autouse=True)
def for_nobody(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for a test that asks for `as_painted`: it looks at what is painted when."""
    monkeypatch.setattr(_wait, "SLEEP_GRANULARITY", _wait.SLEEP_GRANULARITY / _FASTER)
    monkeypatch.setattr(_wait, "SLEEP_IDLE", _wait.SLEEP_IDLE / _FASTER)
    monkeypatch.setattr(screen, "UPDATE_PERIOD", screen.UPDATE_PERIOD / _FASTER)
    if "as_painted" not in request.fixturenames:
        monkeypatch.setattr(Screen, "_compositor_refresh", _unpainted)


@pytest.fixture
def as_painted() -> None:
    """The screen is painted as a terminal's is."""


_parsed: dict[tuple[object, ...], list[RuleSet]] = {}


@pytest.fixture(autouse=True)
def parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An application keeps what it has parsed of its styles in one theme: here all keep it together, for each theme."""
    parse = Stylesheet._parse_rules

    def kept(self: Stylesheet, css: str, **of: Any) -> list[RuleSet]:
        key = (css, *sorted(of.items()), *sorted(self._variables.items()))
        if key not in _parsed:
            _parsed[key] = parse(self, css, **of)
        return _parsed[key]

    monkeypatch.setattr(Stylesheet, "_parse_rules", kept)


def _unpainted(self: Screen[object]) -> None:
    self._compositor._dirty_regions.clear()
    self._dirty_widgets.clear()
    self.app._update_mouse_over(self)
