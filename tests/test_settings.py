"""Settings: found nearby, the command line wins, and nothing in them is passed over in silence."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from crosslane.replay.allow import Allow
from crosslane.replay.errors import SettingsError
from crosslane.replay.settings import Settings, load_settings
from crosslane.tui.commands.program import app
from typer.testing import CliRunner

if TYPE_CHECKING:
    from crosslane.replay.report import Crossing

RULES = """
boundary = "session"
upstream_calls = ["agent.complete"]
[[allow]]
lanes = ["alice", "bob"]
carrier = "app.rooms*"
sink = "body.*"
reason = "members of one room"
[[allow]]
lanes = "*"
sink = "headers.x-remaining"
"""


def test_a_file_of_its_own_and_a_table_of_pyproject_say_the_same(tmp_path: Path) -> None:
    expected = Settings(
        "session",
        ("agent.complete",),
        (
            Allow(("alice", "bob"), "app.rooms*", "body.*", "members of one room"),
            Allow((), "", "headers.x-remaining", ""),
        ),
    )
    (tmp_path / "one" / "deeper").mkdir(parents=True)
    (tmp_path / "one" / "crosslane.toml").write_text(RULES)
    assert load_settings(tmp_path / "one" / "deeper", None) == expected
    (tmp_path / "two").mkdir()
    section = RULES.replace("[[allow]]", "[[tool.crosslane.allow]]").replace(
        "boundary", "[tool.crosslane]\nboundary", 1
    )
    (tmp_path / "two" / "pyproject.toml").write_text(section)
    assert load_settings(tmp_path / "two", None) == expected
    assert load_settings(tmp_path, tmp_path / "two" / "pyproject.toml") == expected
    assert load_settings(tmp_path, tmp_path / "one" / "crosslane.toml") == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("boundry = 'user'", "unknown setting 'boundry'"),
        ("[[allow]]\ncarier = 'x'", "unknown setting 'carier'"),
        ("[[allow]]\nreason = 'because'", "allows everything"),
        ("[[allow]]\nlanes = ['*', 1]", "lanes must be a list of strings"),
        ("allow = 'x'", "allow must be a list of tables"),
        ("upstream_calls = 'think'", "upstream_calls must be a list of strings"),
        ("boundary =", "is not TOML"),
        ("boundary = 1", "boundary must be a string"),
    ],
)
def test_what_is_no_setting_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "crosslane.toml").write_text(text)
    with pytest.raises(SettingsError, match=said.replace("*", r"\*")):
        load_settings(tmp_path, None)


def test_check_reads_them_and_reports_what_was_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    Path("agent.py").write_text(
        "import asyncio\nroom = []\nasync def handle(message):\n    room.append(message)\n"
        "    await asyncio.sleep(0)\n    return list(room)\n"
    )
    lines = [
        {"session": f"s{n}", "user": u, "message": f"I am {u} {n}{n}{n}{n}"}
        for n, u in enumerate(("alice", "robert"), 1)
    ]
    Path("t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    runner = CliRunner()
    assert runner.invoke(app, ["check", "t.jsonl", "agent.py:handle"]).exit_code == 1
    Path("pyproject.toml").write_text("[[tool.crosslane.allow]]\ncarrier = 'agent.room'\nreason = 'one room for all'\n")
    allowed = runner.invoke(app, ["check", "t.jsonl", "agent.py:handle", "--budget", "300x"])
    assert allowed.exit_code == 0
    assert "one room for all" in allowed.stdout
    missing = runner.invoke(app, ["check", "t.jsonl", "agent.py:handle", "--config", "none.toml"])
    assert isinstance(missing.exception, SettingsError)


@pytest.mark.parametrize(
    ("rule", "name", "covered"),
    [
        ("app.rooms", "app.rooms['lobby']", True),
        ("app.rooms*", "app.rooms['lobby']", True),
        ("app.rooms['lobby']", "app.rooms['lobby']", True),
        ("app.rooms['lobby']", "app.rooms['other']", False),
        ("app.rooms['lobby']", "app.rooms", False),
    ],
)
def test_a_rule_for_a_dict_covers_its_entries_and_a_copied_name_is_no_pattern(
    rule: str, name: str, covered: bool
) -> None:
    crossing = SimpleNamespace(carrier=SimpleNamespace(name=name))
    assert Allow(carrier=rule).covers(cast("Crossing", crossing)) == covered
