"""VCR.py cassettes: calls alone, in YAML or JSON."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import TraceError

from .imported import imported

CASSETTE = """\
interactions:
- request:
    body: '{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
    headers:
      content-type: [application/json]
    method: POST
    uri: https://api.openai.com/v1/chat/completions
  response:
    body: {string: '{"choices": []}'}
    headers:
      Content-Type: [application/json]
    status: {code: 200, message: OK}
- request: {body: null, headers: {}, method: GET, uri: 'http://tools/x'}
  response:
    body:
      string: !!binary |
        H4sIAAAAAAAC/8pIzcnJBwAAAP//AwCGphA2BQAAAA==
    headers: {content-encoding: [gzip]}
    status: {code: 200, message: OK}
version: 1
"""
JSON = {
    "version": 1,
    "interactions": [
        {
            "request": {"method": "GET", "uri": "http://t/a", "body": None, "headers": {}},
            "response": {"status": {"code": 200}, "headers": {}, "body": {"string": "yo"}},
        }
    ],
}


def test_a_yaml_cassette_is_its_calls_and_says_what_it_is_not(tmp_path: Path) -> None:
    summary, trace = imported(tmp_path, CASSETTE, names=("chat.yaml",))
    (exchange,) = trace.exchanges
    assert (summary.files[0].format, exchange.request.session, exchange.request.grade) == (
        "vcr",
        "cassette chat",
        "needs-body",
    )
    first, second = exchange.upstream
    assert first.name == "POST api.openai.com/v1/chat/completions"
    assert first.sent["messages"][0]["content"] == "hi"
    assert first.answered == {"choices": []}
    assert (second.name, second.sent) == ("GET tools/x", None)
    assert any(note.startswith("upstream calls only") for note in summary.files[0].lossy)


def test_a_json_cassette_is_the_same(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, json.dumps(JSON))
    assert [call.answered for call in trace.exchanges[0].upstream] == ["yo"]


def test_a_broken_interaction_costs_only_itself(tmp_path: Path) -> None:
    (good,) = JSON["interactions"]  # type: ignore[misc]
    odd: list[Any] = [None, 5, {}, {"request": {}}, {"request": {"method": 1, "uri": 2}, "response": {}}]
    text = json.dumps({"interactions": [good, *odd, good]})
    summary, trace = imported(tmp_path, text)
    assert (len(trace.exchanges[0].upstream), summary.files[0].dropped_total) == (2, 5)
    summary, trace = imported(tmp_path, text[:-40])
    assert (len(trace.exchanges[0].upstream), summary.files[0].dropped_total) == (1, 6)


@pytest.mark.parametrize(
    "text",
    [
        "interactions:\n- !!python/object/apply:os.system ['exit 1']\n",
        "interactions:\n- {request: [\n",
        "interactions:\n  5\n",
        "interactions:\n- " + "[" * 100_000,
    ],
)
def test_yaml_is_read_by_the_safe_loader_alone(tmp_path: Path, text: str) -> None:
    with pytest.raises(TraceError, match="no usable record"):
        imported(tmp_path, text)


def test_aliases_that_multiply_do_not_grow(tmp_path: Path) -> None:
    bombs = "\n".join(f"- &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 30))
    text = f"version: 1\ninteractions:\n- &x0 [a]\n{bombs}\n" + CASSETTE.split("\n", 1)[1]
    summary, trace = imported(tmp_path, text)
    assert len(trace.exchanges[0].upstream) == 2
    assert summary.files[0].dropped_total == 30


def test_without_the_yaml_package_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "yaml":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(TraceError, match=r"crosslane\[vcr\]"):
        imported(tmp_path, CASSETTE)
