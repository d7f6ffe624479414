"""What every import promises, whatever the format: unique ids, no half files, and a word on what was lost."""

from __future__ import annotations

import base64
import gzip
import json
import stat
from pathlib import Path

import pytest
from crosslane.replay.errors import TraceError
from crosslane.replay.formats.detect import FORMATS
from crosslane.replay.formats.importing import import_files
from crosslane.replay.formats.source import sources

from .imported import imported
from .test_plain import log, record


def test_ids_are_unique_across_files_and_a_given_one_never_takes_anothers(tmp_path: Path) -> None:
    one = log(record(id="a"), record(id="r1"), record(session_id="x"), record(session_id="y"))
    two = log(record(id="a", session_id="other"), record(id="r2", session_id="z"), record(session_id="w"))
    _, trace = imported(tmp_path, one, two)
    assert len({request.id for request in trace.requests}) == len(trace.requests) == 7


def test_what_another_file_had_already_is_taken_once(tmp_path: Path) -> None:
    records = [record(session_id=f"s{n}", ts=1_795_168_800 + n) for n in range(4)]
    summary, trace = imported(tmp_path, log(*records[:3]), log(*records[1:]))
    assert [request.session for request in trace.requests] == ["s0", "s1", "s2", "s3"]
    assert [file.duplicates for file in summary.files] == [0, 2]


def test_a_request_made_twice_is_two_requests(tmp_path: Path) -> None:
    _, trace = imported(tmp_path, log(record(), record()))
    assert len(trace.requests) == 2


def test_nothing_usable_is_one_clear_line_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"no usable record \(in0:1 names neither"):
        imported(tmp_path, '{"a": 1}\n')
    assert {path.name for path in tmp_path.iterdir()} == {"in0"}


def test_an_import_that_fails_leaves_the_target_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out.jsonl").write_text("before")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("crosslane.replay.formats.importing._finish", fail)
    with pytest.raises(KeyboardInterrupt):
        imported(tmp_path, log(record()))
    assert (tmp_path / "out.jsonl").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"in0", "out.jsonl"}


def test_an_import_that_is_stopped_closes_what_it_has_and_says_so(tmp_path: Path) -> None:
    asked = iter([False, False, True])
    summary, trace = imported(tmp_path, log(*[record(ts=n) for n in range(9)]), stopped=lambda: next(asked))
    assert summary.interrupted
    assert (summary.requests, len(trace.requests)) == (2, 2)


def test_an_import_that_is_stopped_at_once_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="stopped before anything was read"):
        imported(tmp_path, log(record()), stopped=lambda: True)
    assert {path.name for path in tmp_path.iterdir()} == {"in0"}


def test_a_trace_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    imported(tmp_path, log(record()))
    assert stat.S_IMODE((tmp_path / "out.jsonl").stat().st_mode) == 0o600


def test_a_torn_compressed_file_keeps_what_came_before(tmp_path: Path) -> None:
    packed = gzip.compress(log(*[record(ts=n, id=f"{n * 7919:x}") for n in range(5000)]).encode())
    summary, trace = imported(tmp_path, packed[: len(packed) // 2])
    assert 100 < len(trace.requests) < 5000
    assert "torn" in summary.files[0].dropped[-1].reason


def test_a_token_or_a_session_of_several_users_is_said_without_its_value(tmp_path: Path) -> None:
    records = [
        record(user_id=f"u{n}", session_id="default", headers={"Authorization": "Bearer secret"}) for n in range(3)
    ]
    summary, _ = imported(tmp_path, log(*records))
    assert summary.shared == (
        "the same authorization header comes from several users (1 such, up to 3 users)",
        "the same session id comes from several users: default",
    )
    assert "secret" not in json.dumps(summary.to_json())


def test_places_are_counted_disagreements_too_and_a_token_is_said_to_be_unverified(tmp_path: Path) -> None:
    claims = base64.urlsafe_b64encode(b'{"sub":"u-9"}').decode().rstrip("=")
    records = [
        record(user_id=None, headers={"authorization": f"Bearer e30.{claims}.x"}),
        record(headers={"x-session-id": "s-1"}, session_id="s-2"),
        record(headers={"x-session-id": "s-2"}, session_id="s-2"),
    ]
    summary, _ = imported(tmp_path, log(*records))
    assert summary.places["user"] == {"field:user_id": 2, "jwt:sub": 1}
    assert summary.places["session"] == {"header:x-session-id": 2, "field:session_id": 1}
    assert summary.to_json()["unverified"] == ["jwt:sub"]
    assert summary.disagreements == 1


def test_a_reader_that_breaks_keeps_what_it_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crosslane.replay.formats.plain.lines", lambda stream: iter([(1, stream.readline()), 5]))
    summary, trace = imported(tmp_path, log(record(), record()))
    assert len(trace.requests) == 1
    assert "cannot be read on (TypeError)" in summary.files[0].dropped[0].reason


@pytest.mark.parametrize("text", ["hello", "<xml/>", '{"a": [\n1]}', "\x00\x01\x02"])
def test_what_is_in_no_known_format_lists_those_that_are(tmp_path: Path, text: str) -> None:
    with pytest.raises(TraceError, match="plain"):
        imported(tmp_path, text)


def test_a_trace_is_no_import_and_an_unknown_format_is_named(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is a Crosslane trace already"):
        imported(tmp_path, '{"k":"header","v":1}\n{"session":"s","message":"m"}')
    with pytest.raises(TraceError, match="there is no format 'nope'"):
        imported(tmp_path, log(record()), format_name="nope")


def test_a_target_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log(record()))
    with sources([str(tmp_path / "log")]) as opened, pytest.raises(TraceError, match="cannot be written"):
        import_files(opened, tmp_path / "no" / "out.jsonl")


def test_every_name_of_the_table_is_there_once() -> None:
    assert len({format_.name for format_ in FORMATS}) == len(FORMATS)
