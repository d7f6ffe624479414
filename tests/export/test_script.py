"""The exported script: needs no Crosslane, fails while the bug is there, passes once it is fixed, carries data as data."""

from __future__ import annotations

import ast
import json
import os
import py_compile
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
from crosslane.replay.errors import ExportError
from crosslane.replay.export import standalone
from crosslane.replay.export.findings import ExportSource, drop_oldest, load_finding, save
from crosslane.replay.export.script import CARRIED, CARRIED_UPSTREAM, script
from crosslane.replay.export.standalone import folder_of_the_handler, stands_in
from crosslane.replay.report import Access, Carrier, Crossing, Needs, Sink, Source
from hypothesis import given, settings
from hypothesis import strategies as st

from ..conftest import SAMPLES, Bench, turns
from .examples import found, statements


def run(path: Path, *arguments: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """In a process that cannot see Crosslane (isolated), with a hash seed of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONDONTWRITEBYTECODE": "1", **more}
    return subprocess.run(
        [sys.executable, str(path), *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("trace", "agent", "fixed"),
    [
        ("shared_list.jsonl", "shared_list.py", "fixed_lock.py"),
        ("shared_list.jsonl", "class_attribute.py", "fixed_session.py"),
        ("overlap.jsonl", "overlap.py", "overlap_fixed.py"),
    ],
)
async def test_the_script_fails_ten_times_of_ten_and_passes_on_the_fix(
    tmp_path: Path, trace: str, agent: str, fixed: str
) -> None:
    result = await found(trace, f"{agent}:handle_message")
    path = tmp_path / "repro.py"
    source = ExportSource(result.report.crossings[0], f"{agent}:handle_message", None, str(SAMPLES))
    path.write_text(script(source), encoding="utf-8")
    # Compiling it takes most of a run, and depends on nothing that could differ between two: once is enough.
    compiled = py_compile.compile(str(path), str(tmp_path / "repro.pyc"), doraise=True)
    for each in (path, *[Path(compiled)] * 9):
        done = run(each, cwd=tmp_path)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "bob was shown alice's data" in done.stdout
    done = run(path, f"{fixed}:handle_message", cwd=SAMPLES)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fixed: nothing crossed" in done.stdout


async def test_the_script_runs_applications_too(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    result = await found("fastapi_app.jsonl", "fastapi_app.py:app")
    path = tmp_path / "repro.py"
    path.write_text(script(ExportSource(result.report.crossings[0], "fastapi_app.py:app", None, str(SAMPLES))))
    assert run(path, cwd=tmp_path).returncode == 1


def test_a_short_value_is_only_found_as_a_word_of_its_own() -> None:
    assert stands_in("42", "pin: 42.")
    assert not stands_in("42", "order 1423")
    assert stands_in("ferrante", "xFERRANTEx".casefold())


def test_the_script_imports_the_standard_library_alone() -> None:
    tree = ast.parse(script(ExportSource(a_crossing(), "a.py:b", None, "/")))
    roots = {
        (node.module or "").partition(".")[0]
        if isinstance(node, ast.ImportFrom)
        else node.names[0].name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert roots <= set(sys.stdlib_module_names)
    assert not any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))


async def test_a_handler_that_is_gone_or_fails_is_not_called_fixed(tmp_path: Path) -> None:
    result = await found("shared_list.jsonl", "shared_list.py:handle_message")
    path = tmp_path / "repro.py"
    path.write_text(
        script(ExportSource(result.report.crossings[0], "shared_list.py:handle_message", None, str(SAMPLES)))
    )
    assert run(path, "gone.py:handle", cwd=tmp_path).returncode == 2
    (tmp_path / "broken.py").write_text("async def handle(message):\n    raise ValueError('no model')\n")
    done = run(path, "broken.py:handle", cwd=tmp_path)
    assert (done.returncode, "ValueError: no model" in done.stdout) == (3, True)
    (tmp_path / "leaving.py").write_text("import sys\nsys.exit(0)\n")
    done = run(path, "leaving.py:handle", cwd=tmp_path)
    assert (done.returncode, "cannot run leaving.py:handle: SystemExit: 0" in done.stdout) == (2, True)


def test_a_script_under_an_older_python_says_so_and_is_no_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    body = ast.parse(script(ExportSource(a_crossing(), "a.py:b", None, "/"))).body
    first, *_ = (place for place, node in enumerate(body) if not isinstance(node, (ast.Import, ast.ImportFrom)))
    guard = compile(ast.Module([body[first]], []), "guard", "exec")
    with pytest.raises(SystemExit) as ended:
        exec(guard, {"sys": SimpleNamespace(version_info=(3, 10, 13), exit=sys.exit)})
    assert (ended.value.code, capsys.readouterr().out) == (2, "this needs Python 3.11 or later\n")
    exec(guard, {"sys": sys})


def test_what_a_script_prints_holds_no_escape_and_fits_any_terminal(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("async def handle(message):\n    return '\\x1b[2J\\ud800é'\n")
    path = tmp_path / "repro.py"
    request = {"k": "req", "id": "r2", "t": 1, "session": "s2", "user": "b", "message": "hi", "lane": "b\x1b]0;x\x07"}
    hostile = replace(a_crossing(), requests=(request,), schedule=())
    path.write_text(script(ExportSource(hostile, "agent.py:handle", None, str(tmp_path))))
    done = run(path, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "\\u25cf b\\x1b]0;x\\x07      \\x1b[2J\\ud800\\xe9\nfixed: nothing crossed\n"


def test_a_script_finds_the_handler_of_the_checkout_that_it_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "second checkout"
    (checkout / "app").mkdir(parents=True)
    (checkout / "app" / "main.py").write_text("")
    monkeypatch.setattr(standalone, "__file__", str(checkout / "tests" / "repros" / "repro.py"))
    for handler in ("app/main.py:app", "app.main:app"):
        assert folder_of_the_handler(handler, str(tmp_path)) == str(checkout)
    assert folder_of_the_handler("other.py:app", str(tmp_path)) == str(tmp_path)
    assert folder_of_the_handler("other.py:app", str(tmp_path / "gone")) is None


def a_crossing(text: str = "x", evidence: str = "secret", lane: str = "alice") -> Crossing:
    request = {"k": "req", "id": "r1", "t": 1, "session": "s1", "user": lane, "message": text, "lane": lane}
    return Crossing(
        "abc123",
        "verbatim",
        Source(lane, "s1", "r1"),
        Sink("bob", "s2", "r2", "response", "body", evidence),
        Carrier(text, "module global", "a.py:1"),
        Access(lane, "a.py:1", text),
        None,
        Needs("sequential", 0, 2, 2),
        ({"lane": lane, "enabled": [lane], "at": None},),
        "fix",
        "",
        (evidence,),
        (request,),
    )


NASTY = [
    '"""',
    "'''",
    "\\",
    "\n",
    "{{",
    "{0}",
    "</script>",
    "\0",
    "\x1b[31m",
    "\u202e",
    "\ud800",
    "#",
    "$(rm)",
    "%s",
    "\r",
    "import os",
]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(NASTY) | st.text(max_size=5), max_size=8).map("".join))
def test_content_of_a_trace_is_data_in_the_script_whatever_it_is(text: str) -> None:
    source = script(ExportSource(a_crossing(text, text or "x", text or "y"), "a.py:b", None, text))
    body = statements(source)
    values = {
        target.id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign)
        and isinstance(target := node.targets[0], ast.Name)
        and target.id in ("REQUESTS", "FOLDER")
    }
    assert values["REQUESTS"][0]["message"] == text
    assert values["FOLDER"] == text
    assert [type(node) for node in body] == _plain_statements()


@cache
def _plain_statements() -> list[type[ast.stmt]]:
    return [type(node) for node in ast.parse(script(ExportSource(a_crossing(), "a.py:b", None, "/"))).body]


def test_findings_are_kept_under_their_id_for_the_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    save((a_crossing(),), "a.py:b", "function", Path("/srv"), folder)
    for reference in ("abc123", "abc"):
        source = load_finding(reference, folder, tmp_path)
        assert source == ExportSource(a_crossing(), "a.py:b", "function", "/srv")
    (kept,) = folder.glob("abc123-*.json")
    assert kept.stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


def test_only_the_newest_findings_are_kept(tmp_path: Path) -> None:
    for number in range(205):
        save((replace(a_crossing(), id=f"id{number:03}"),), "a.py:b", None, Path("/"), tmp_path)
        os.utime(next(tmp_path.glob(f"id{number:03}-*.json")), (number, number))
    kept = sorted(path.stem.partition("-")[0] for path in tmp_path.glob("*.json"))
    assert (len(kept), kept[-1]) == (200, "id204")
    drop_oldest(tmp_path, ".jsonl")
    assert len(list(tmp_path.iterdir())) == 200


def test_two_projects_with_findings_of_one_id_each_export_their_own(tmp_path: Path) -> None:
    for project in ("shop", "desk"):
        save((a_crossing(),), "app/main.py:app", None, Path("/srv", project), tmp_path)
    assert load_finding("abc123", tmp_path, Path("/srv/shop")).cwd == "/srv/shop"
    assert load_finding("abc123", tmp_path, Path("/srv/desk")).cwd == "/srv/desk"
    with pytest.raises(ExportError, match=r"'abc123' was found in 2 programs: .*; name one of them") as refused:
        load_finding("abc123", tmp_path, Path("/elsewhere"))
    named = [word for word in str(refused.value).split() if word.startswith("abc123-")]
    assert [load_finding(name, tmp_path, Path("/elsewhere")).cwd for name in named] == ["/srv/shop", "/srv/desk"]


def test_a_finding_that_is_found_again_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    (tmp_path / "abc123.json").write_text(
        json.dumps({"handler": "a.py:b", "cwd": "/srv", "crossings": [a_crossing().to_json()]})
    )
    os.utime(tmp_path / "abc123.json", (1, 1))
    save((replace(a_crossing(), fix="later"),), "a.py:b", None, Path("/srv"), tmp_path)
    assert load_finding("abc123", tmp_path, tmp_path).crossing.fix == "later"


@pytest.mark.parametrize(
    ("reference", "content", "said"),
    [
        ("nope", None, "no finding 'nope' is kept"),
        ("nope.json", None, "no such report"),
        ("../../etc", None, "no such report"),
        ("report.json", "not json", "cannot be read"),
        ("report.json", "[]", "is not a report"),
        ("report.json", "{}", "is not a report"),
        ("report.json", '{"handler":"a","crossings":[]}', "has no crossing in it"),
        ("report.json", '{"handler":"a","crossings":[{"id":"x"}]}', "is not a report"),
    ],
)
def test_what_is_no_finding_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, content: str | None, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / reference).write_text(content)
    with pytest.raises(ExportError, match=said):
        load_finding(reference, tmp_path / "state", tmp_path)


async def test_a_report_names_its_findings(bench: Bench, tmp_path: Path) -> None:
    result = await bench.run(
        "import asyncio\nlog = []\nasync def handle(message):\n    log.append(message)\n    await asyncio.sleep(0)\n    return log\n",
        turns(("s1", "alice", "I am Alice Ferrante"), ("s2", "bob", "I am Bob Okafor")),
    )
    report = tmp_path / "report.json"
    report.write_text(json.dumps(result.report.to_json()))
    crossing = result.report.crossings[0]
    assert load_finding(f"{report}#{crossing.id}", tmp_path, tmp_path).crossing == crossing
    with pytest.raises(ExportError, match="has no finding 'zzz'"):
        load_finding(f"{report}#zzz", tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("source", "fixed", "options"),
    [
        (  # a thread, switched between two lines
            "current = ''\ndef handle(message):\n    global current\n    current = message\n    return current\n",
            "def handle(message):\n    current = message\n    return current\n",
            {},
        ),
        (  # a prompt
            "notes = []\nasync def think(prompt):\n    return 'ok'\nasync def handle(message):\n"
            "    notes.append(message)\n    return await think(' '.join(notes))\n",
            "async def think(prompt):\n    return 'ok'\nasync def handle(message):\n    return await think(message)\n",
            {"upstream_calls": ("think",)},
        ),
        (  # a log record
            "import logging\nlast = []\nasync def handle(message):\n    last.append(message)\n"
            "    logging.warning('%s', last)\n    return 'ok'\n",
            "import logging\nasync def handle(message):\n    logging.warning('%s', message)\n    return 'ok'\n",
            {},
        ),
        (  # a derived value
            "import asyncio\nlast = ''\nasync def handle(message):\n    global last\n    last = message\n"
            "    await asyncio.sleep(0)\n    return {'size': len(last)}\n",
            "async def handle(message):\n    return {'size': f'{len(message)} letters'}\n",
            {},
        ),
        (  # a cancelled request
            "import asyncio\nopen_ = []\nasync def handle(message):\n    open_.append(message)\n"
            "    await asyncio.sleep(0)\n    return open_.pop(0)\n",
            "import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n    return message\n",
            {"concurrency": 1},
        ),
    ],
)  # fmt: skip
async def test_every_kind_of_finding_is_shown_again_by_its_script(
    bench: Bench, source: str, fixed: str, options: dict[str, object]
) -> None:
    result = await bench.run(source, turns(("s1", "alice", "I am Alice Ferrante"), ("s2", "bob", "hello")), **options)
    crossing = result.report.crossings[0]
    path = bench.folder / "repro.py"
    path.write_text(script(ExportSource(crossing, "agent.py:handle", None, str(bench.folder))))
    (bench.folder / "fixed.py").write_text(fixed)

    def ran(*arguments: str) -> int:
        return subprocess.run(
            [sys.executable, path, *arguments], cwd=bench.folder, check=False, capture_output=True
        ).returncode

    assert [ran(), ran(), ran("fixed.py:handle")] == [1, 1, 0]


def test_no_two_modules_that_a_script_carries_give_one_name_to_different_things() -> None:
    engine = Path(standalone.__file__).parent.parent
    defined: dict[str, set[str]] = {}
    for module in {*CARRIED, *CARRIED_UPSTREAM}:
        for node in ast.parse((engine / module).read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                defined.setdefault(node.name, set()).add(module)
            elif isinstance(node, (ast.Assign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name):
                        defined.setdefault(target.id, set()).add(module)
    assert {name: modules for name, modules in defined.items() if len(modules) > 1} == {}
