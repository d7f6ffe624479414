"""Finding the application of a project by reading it."""

from __future__ import annotations

from pathlib import Path

import pytest
from crosslane.replay.handler.discover import candidates_in


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from fastapi import FastAPI\napp = FastAPI()", {"m.py:app": "FastAPI"}),
        ("from fastapi import FastAPI as F\napp: F = F(title='x')", {"m.py:app": "FastAPI"}),
        ("import fastapi\napi = fastapi.FastAPI()", {"m.py:api": "FastAPI"}),
        ("from starlette.applications import Starlette\nasgi = Starlette()", {"m.py:asgi": "Starlette"}),
        ("from aiohttp import web\napp = web.Application()", {"m.py:app": "aiohttp"}),
        ("import aiohttp.web\napp = aiohttp.web.Application()", {"m.py:app": "aiohttp"}),
        ("from flask import Flask\nserver = Flask(__name__)", {"m.py:server": "Flask"}),
        (
            "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()",
            {"m.py:application": "Django (WSGI)"},
        ),
        (
            "def create_app():\n    from flask import Flask\n    app = Flask(__name__)\n    return app",
            {"m.py:create_app()": "Flask factory"},
        ),
        (
            "from flask import Flask\ndef make():\n    return Flask('x')\napp = make()",
            {"m.py:app": "Flask"},
        ),
        ("from flask import Flask\ndef make(config):\n    return Flask('x')", {}),
        ("from mine import FastAPI\napp = FastAPI()", {}),
        ("async def handle(user_id, message): ...\ndef other(x): ...", {"m.py:handle": "function"}),
        (
            "from flask import Flask\ntry:\n    import x\nexcept ImportError:\n    x = None\nif x:\n    app = Flask('a')\n"
            "else:\n    app = Flask('b')\nif __name__ == '__main__':\n    own = Flask('c')",
            {"m.py:app": "Flask"},
        ),
        ("app = (", {}),
        ("raise SystemExit('run')", {}),
    ],
)
def test_an_application_is_known_by_what_makes_it(tmp_path: Path, source: str, found: dict[str, str]) -> None:
    (tmp_path / "m.py").write_text(source)
    looked = candidates_in(tmp_path)
    assert {candidate.spec: candidate.what for candidate in looked.candidates} == found
    assert len(looked.candidates) == len(found)
    assert looked.unread == (("m.py:1",) if source == "app = (" else ())


def test_environments_tests_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    for place in ("env", ".hidden", "tests", "node_modules", "src/shop"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "app.py").write_text("from flask import Flask\napp = Flask('x')")
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "test_app.py").write_text("from flask import Flask\napp = Flask('x')")
    assert [(c.spec, c.at) for c in candidates_in(tmp_path).candidates] == [
        ("src/shop/app.py:app", "src/shop/app.py:2")
    ]
