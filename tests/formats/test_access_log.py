"""Access logs give who was in flight when, and say what they do not know."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.trace.identity import Rules
from hypothesis import given
from hypothesis import strategies as st

from .imported import imported

COMBINED = '10.0.0.1 - ann [20/Nov/2026:12:00:00 +0200] "POST /chat?session_id=s-1 HTTP/1.1" 200 12 "-" "curl/8"'
ENVOY = (
    '[2026-11-20T10:00:00.250Z] "GET /chat HTTP/1.1" 200 - 0 12 750 749 "10.0.0.1" "curl" "req-1" "app" "10.1.1.1:80"'
)
ENVOY_JSON = {
    "start_time": "2026-11-20T10:00:00.000Z",
    "duration": "900",
    "method": "POST",
    "path": "/chat",
    "response_code": "200",
    "x_request_id": "req-1",
}
NGINX_JSON = {
    "msec": "1795168801.500",
    "request_time": "0.500",
    "request": "GET /a?user=u HTTP/1.1",
    "status": "499",
    "remote_user": "bob",
}
WALL = 1_795_168_800 * 10**9


@pytest.mark.parametrize(
    ("line", "start_ns", "took_ns", "status", "notes"),
    [
        (COMBINED, 0, 0, 200, {"times to the second only", "no duration: taken as over at once"}),
        (COMBINED + ' rt=0.250 uct="0.001"', -250_000_000, 250_000_000, 200, {"times to the second only"}),
        (COMBINED + " 0.250", -250_000_000, 250_000_000, 200, {"times to the second only"}),
        (ENVOY, 250_000_000, 750_000_000, 200, set()),
        (json.dumps(ENVOY_JSON), 0, 900_000_000, 200, set()),
        (json.dumps(NGINX_JSON), 10**9, 500_000_000, 499, set()),
    ],
)
def test_each_kind_of_line_says_when_its_request_was_in_flight(
    tmp_path: Path, line: str, start_ns: int, took_ns: int, status: int, notes: set[str]
) -> None:
    summary, trace = imported(tmp_path, line + "\n")
    assert summary.files[0].format == "access-log"
    (exchange,) = trace.exchanges
    assert trace.header["clock"]["wall0_ns"] == WALL + start_ns
    assert exchange.request.grade == "timing-only"
    assert exchange.response is not None
    assert (exchange.response.at_ns, exchange.response.status) == (took_ns, status)
    assert {note for note in summary.files[0].lossy if "guessed" not in note} == notes


def test_what_names_a_session_or_user_is_used(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, COMBINED)
    assert (trace.requests[0].session, trace.requests[0].user) == ("s-1", "ann")
    _, trace = imported(tmp_path, json.dumps(NGINX_JSON), rules=Rules(session=("path:/{s}",)))
    assert (trace.requests[0].session, trace.requests[0].user) == ("a", "u")
    _, trace = imported(tmp_path, ENVOY)
    assert (trace.requests[0].id, trace.requests[0].session) == ("req-1", "request in0:1")


def test_a_client_that_left_is_said(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, json.dumps(NGINX_JSON))
    assert trace.exchanges[0].response is not None
    assert trace.exchanges[0].response.end == "cancelled"


def test_equal_lines_are_as_many_requests(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, f"{COMBINED}\n{COMBINED}\n")
    assert len(trace.requests) == 2


def test_json_logs_with_content_are_plain_logs(tmp_path: Path) -> None:
    summary, _ = imported(tmp_path, json.dumps({**ENVOY_JSON, "request_body": '{"session_id": "s"}'}))
    assert summary.files[0].format == "plain"


LINES = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=40) | st.sampled_from(
    [
        COMBINED.replace("Nov", "Foo"),
        COMBINED.replace("+0200", "+9999"),
        COMBINED.replace("20/", "99/"),
        json.dumps({**ENVOY_JSON, "duration": "x"}),
        json.dumps({**NGINX_JSON, "request_time": 1e400}),
        '{"start_time": [], "duration": {}}',
        "[" * 5000,
        COMBINED.replace('"POST', '"' + "\\" * 3000),
    ]
)


@given(st.lists(LINES, max_size=5))
def test_garbage_between_good_lines_costs_only_itself(garbage: list[str]) -> None:
    good: list[Any] = [COMBINED, *garbage, ENVOY.replace("/chat", "/chat?session_id=s-2")]
    with tempfile.TemporaryDirectory() as folder:
        summary, trace = imported(Path(folder), "\n".join(good))
    assert {"s-1", "s-2"} <= {request.session for request in trace.requests}
    written = sum(1 for line in garbage if line.encode().strip())
    assert len(trace.requests) + summary.files[0].dropped_total == 2 + written
