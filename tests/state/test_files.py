"""Which files are the user's own: by where they really are, whatever they are reached through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from crosslane.replay.state.files import UserFiles

from ..conftest import ROOT


def test_a_file_counts_by_where_it_really_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for file in (root / "app.py", root / "lib" / "site-packages" / "lib.py", elsewhere / "other.py"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    (elsewhere / "link.py").symlink_to(root / "app.py")
    (elsewhere / "folder").symlink_to(root)
    (root / "out.py").symlink_to(elsewhere / "other.py")
    files = UserFiles(str(root), (str(root),))
    ours = [
        root / "app.py",
        elsewhere / "link.py",
        elsewhere / "folder" / "app.py",
        elsewhere / "folder" / ".." / "project" / "app.py",
    ]
    assert [str(path) in files for path in ours] == [True] * 4
    others = [
        root / "out.py",
        root / "lib" / "site-packages" / "lib.py",
        elsewhere / "other.py",
        tmp_path / "project2.py",
    ]
    others += [Path(json.__file__), ROOT / "replay" / "run.py"]
    assert [str(path) in files for path in others] == [False] * 6
    assert "<string>" not in files
    monkeypatch.chdir(root)
    assert "app.py" in files
    assert files.at(str(elsewhere / "link.py"), 3) == "app.py:3"
    assert files.at(str(root / "out.py"), 3) == f"{elsewhere}/other.py:3"


def test_a_project_around_the_standard_library_does_not_own_it(tmp_path: Path) -> None:
    top = UserFiles(str(tmp_path), ("/",))
    (tmp_path / "app.py").touch()
    assert str(tmp_path / "app.py") in top
    assert json.__file__ not in top
