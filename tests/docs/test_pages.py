"""Every command block of the README and of docs/ is executed, as it stands, in a folder like a user's."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.service.launch import free_port

from ..conftest import ROOT, SAMPLES
from ..service.services import NODE_GLOBAL, TWO
from ..tui.terminal import Terminal
from .pages import Command, blocks, commands, differs

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("CONTRIBUTING.md")])
INTERACTIVE = ("demo", "open")


LOG = [
    {"timestamp": "2026-11-20T10:00:00Z", "duration_ms": 900, "session_id": "s-1", "user_id": "alice", "path": "/chat",
     "request": {"message": "My name is Alice Ferrante, order ORD-20417-X"}, "response": {"reply": "noted"}},
    {"timestamp": "2026-11-20T10:00:02Z", "duration_ms": 900, "session_id": "s-2", "user_id": "bob", "path": "/chat",
     "request": {"message": "where is my order"}, "response": {"reply": "ORD-20417-X is on its way"}},
]  # fmt: skip


class Service(BaseHTTPRequestHandler):
    """What a page means by `http://127.0.0.1:8000`, when it records what passes."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder: an agent with the bug, traces, logs, and what the pages speak of."""
    for sample in SAMPLES.iterdir():
        if sample.suffix in (".py", ".jsonl"):
            shutil.copy(sample, tmp_path)
    shutil.copy(SAMPLES / "overlap.py", tmp_path / "app.py")
    shutil.copy(SAMPLES / "overlap.jsonl", tmp_path / "trace.jsonl")
    requests = "".join(json.dumps(exchange.request.to_json()) + "\n" for exchange in TWO)
    (tmp_path / "requests.jsonl").write_text(requests)
    (tmp_path / "export.json.gz").write_bytes(gzip.compress(json.dumps(LOG).encode(), mtime=0))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "one.jsonl").write_text('{"session": "s9", "user": "eve", "message": "hello"}\n')
    (tmp_path / "server.js").write_text(NODE_GLOBAL)
    return tmp_path


@pytest.fixture
def environment(folder: Path) -> dict[str, str]:
    here = Path(sys.executable).parent
    return {
        **os.environ,
        "PATH": f"{here}{os.pathsep}{os.environ['PATH']}",
        "CROSSLANE_STATE_DIR": str(folder / ".state"),
        "CROSSLANE_CONFIG_DIR": str(folder / ".config"),
        "COLUMNS": "80",
    }


@pytest.fixture
def service():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def run(command: Command, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    line = command.line.replace(":8000", f":{free_port()}")
    done = subprocess.run(
        ["bash", "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stdout + done.stderr


def look(command: Command, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """Open the interface in a terminal, and leave it as soon as it stands there."""
    with Terminal(["bash", "-c", f"exec {command.line}"], cwd=folder, env=environment) as terminal:
        terminal.until("crosslane")
        terminal.until("palette")
        terminal.send("q")
        return terminal.wait(), terminal.text


def record_one(command: Command, folder: Path, environment: dict[str, str], service: int) -> tuple[int, str]:
    """Start the recorder, send one request through it, and end it with ctrl-c."""
    line = command.line.replace(":8000", f":{service}").replace("--port 9000", "--port 0")
    line = re.sub(r"-o (\S+)", r"-o recorded-\1", line)
    process = subprocess.Popen(
        ["bash", "-c", f"exec {line}"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    told = process.stderr.readline()
    listening = re.search(r"recording http://127\.0\.0\.1:(\d+)", told)
    assert listening, told + process.stderr.read()
    client = HTTPConnection("127.0.0.1", int(listening[1]))
    client.request("GET", "/", headers={"x-user": "alice"})
    assert client.getresponse().read() == b"ok"
    client.close()
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read()
    return process.wait(30), told + rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_does_what_the_page_says(
    page: Path, folder: Path, environment: dict[str, str], service: int
) -> None:
    for block in blocks(page.read_text("utf-8")):
        if "file" in block.notes:
            target = folder / block.notes["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text)
        for command in commands(block):
            if command.needs and shutil.which(command.needs) is None:
                continue
            words = command.line.split()
            if words[0] == "crosslane" and words[1] in INTERACTIVE:
                code, printed = look(command, folder, environment)
            elif words[:2] == ["crosslane", "record"]:
                code, printed = record_one(command, folder, environment, service)
            else:
                code, printed = run(command, folder, environment)
            where = f"{page.name}:{command.at}: {command.line}"
            assert code == command.exits, f"{where}\nexited {code}, not {command.exits}\n{printed}"
            assert "Traceback" not in printed, f"{where}\n{printed}"
            missing = differs(command.output, printed)
            assert not missing, f"{where}\ndid not print {missing!r}\n{printed}"


def test_python_blocks_are_programs() -> None:
    for page in PAGES:
        for block in blocks(page.read_text("utf-8")):
            if block.kind == "python":
                compile(block.text, f"{page.name}:{block.line}", "exec")


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            assert "://" in link or (page.parent / link).exists(), f"{page.name}: {link}"


def test_a_page_is_read_as_it_is_meant() -> None:
    page = "<!-- exits 1 -->\n```sh\n# look\nfalse \\\n  --really  # it fails\ntrue\n```\n\n```\n$ not run\n```\n"
    (first, second) = [command for block in blocks(page) for command in commands(block)]
    assert (first.line, first.at, first.exits) == ("false --really", 5, 1)
    assert (second.line, second.exits) == ("true", 0)
    assert differs(("a 12 b", "c…"), "x\na 7 b\ncd\n") == ""
    assert differs(("c…", "a 12 b"), "x\na 7 b\ncd\n") == "a 12 b"


def test_every_command_and_option_has_its_place_in_the_reference() -> None:
    from crosslane.tui.commands.program import app
    from typer.main import get_command

    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    commands_: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands_.items():
        heading = re.search(rf"^## .*\b{name}\b", page, re.M)
        assert heading is not None, f"the reference has no {name}"
        for parameter in command.params:
            for option in (*parameter.opts, *parameter.secondary_opts):
                if option.startswith("--") and option != "--help":
                    assert f"`{option}`" in page, f"the reference does not have {option} of {name}"


def test_every_setting_has_its_place_in_the_reference() -> None:
    from crosslane.replay.settings import _KEYS

    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    for key in _KEYS:
        assert re.search(rf"^(\[\[)?{key}\b", page, re.M), key
