"""Exports for people and for CI: what each says of a finding, and that content of a trace stays content."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from crosslane.replay.errors import ExportError
from crosslane.replay.export.findings import ExportSource, load_finding, save
from crosslane.replay.export.formats import FORMATS, format_named
from crosslane.replay.export.html import html
from crosslane.replay.export.junit import junit, junit_report
from crosslane.replay.export.mermaid import mermaid
from crosslane.replay.export.sarif import sarif, sarif_report
from crosslane.replay.export.saving import save_export
from crosslane.replay.export.trace_file import trace_file
from crosslane.replay.report import Carrier, Known
from crosslane.replay.trace.store import load
from crosslane.tui.commands.exporting import formats_for_shells

from .examples import crossing, found, observed, report, source_of, sources


def test_shells_complete_the_formats() -> None:
    assert formats_for_shells("s") == ["script", "svg", "sarif"]
    assert set(formats_for_shells("")) == set(FORMATS)


def test_a_format_is_chosen_by_name_or_by_what_the_file_ends_in() -> None:
    assert format_named("mermaid", "x.py") is FORMATS["mermaid"]
    assert format_named(None, "out/x.sarif") is FORMATS["sarif"]
    assert format_named(None, "-") is FORMATS["script"]
    with pytest.raises(ExportError, match="no format 'pdf'; known: script"):
        format_named("pdf", "x")


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_replaces_an_earlier_one_and_nothing_else(name: str, tmp_path: Path) -> None:
    chosen, (finding, *_) = FORMATS[name], sources("hello")
    file = tmp_path / "out"
    save_export(file, chosen.write(finding), chosen)
    later = chosen.write(sources("another")[0])
    save_export(file, later, chosen)
    assert file.read_text("utf-8") == later
    for own in ("async def handle(message): ...\n", '{"k": "header", "v": 1}\n', "<svg><text>mine</text></svg>", "\0"):
        file.write_text(own)
        with pytest.raises(ExportError, match="out: is there already, and is no export of this format; name another"):
            save_export(file, later, chosen)
        assert file.read_text() == own


def test_the_observed_run_is_kept_with_a_finding(tmp_path: Path) -> None:
    finding = observed(crossing(), "hello")
    save((finding.crossing,), "a.py:b", None, Path("/srv"), tmp_path, (finding,))
    assert load_finding("abc123", tmp_path, tmp_path).finding == finding


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("script", "pytest")])
def test_a_finding_of_a_running_service_has_every_export_but_those_that_hold_its_process(name: str) -> None:
    assert FORMATS[name].write(ExportSource(crossing(), "http://127.0.0.1:8000", None, "/srv"))


def test_the_page_of_a_running_service_says_how_to_repeat_it_without_a_script() -> None:
    page = html(ExportSource(crossing(), "http://127.0.0.1:8000", None, "/srv"))
    assert "crosslane check incident.jsonl http://127.0.0.1:8000" in page
    assert "repro.py" not in page


async def test_the_diagram_draws_the_write_and_the_read_in_the_order_in_which_they_happened() -> None:
    result = await found("overlap.jsonl", "overlap.py:handle_message")
    lines = [line.strip() for line in mermaid(source_of(result, "overlap.py:handle_message")).splitlines()]
    assert lines[:4] == [
        "sequenceDiagram",
        "participant L1 as alice",
        "participant L2 as bob",
        "participant C as overlap.current_profile",
    ]
    asked = lines.index("Note over L2: asks When is my next payment due?")
    write = next(n for n, line in enumerate(lines) if line.startswith("L1->>C: writes at overlap.py"))
    read = next(n for n, line in enumerate(lines) if line.startswith("C-->>L2: is read at overlap.py"))
    crossed = next(n for n, line in enumerate(lines) if line.startswith("Note over L2: ✗ Alice Ferrante"))
    assert write < asked < read < crossed
    assert lines[-1] == "Note over L1,L2: bob was answered with alice's data"


def test_a_finding_without_its_run_is_told_from_what_is_known() -> None:
    lines = mermaid(sources("hello")[0]).splitlines()
    assert [line.split(":")[0].strip() for line in lines[4:]] == [
        "Note over L1", "L1->>C", "Note over L2", "C-->>L2", "Note over L2", "Note over L1,L2",
    ]  # fmt: skip


async def test_the_trace_has_the_smallest_requests_and_shows_the_finding_again(tmp_path: Path) -> None:
    result = await found("shared_list.jsonl", "shared_list.py:handle_message")
    path = tmp_path / "small.jsonl"
    path.write_text(trace_file(source_of(result, "shared_list.py:handle_message")))
    small = load(path)
    assert (len(small.exchanges), small.problems, small.closed) == (2, (), True)
    again = await found(str(path), "shared_list.py:handle_message")
    assert again.report.crossings[0].id == result.report.crossings[0].id


def test_recorded_upstream_answers_travel_with_the_trace(tmp_path: Path) -> None:
    made = sources("x")[0]
    made.crossing.requests[0]["answers"] = [["post api.test", {"a": 1}, {"b": 2}]]
    path = tmp_path / "t.jsonl"
    path.write_text(trace_file(made))
    (call,) = load(path).exchanges[0].upstream
    assert (call.name, call.sent, call.answered) == ("post api.test", {"a": 1}, {"b": 2})


# ---- SARIF


def test_results_stand_at_the_read_line_from_the_root_of_the_repository(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "service").mkdir()
    log = json.loads(sarif_report(report(crossing(at="my app/a.py:12")), str(tmp_path / "service")))
    (result,) = well_formed(log)["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "service/my%20app/a.py", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": 12}
    assert result["ruleId"] == "crosslane/contaminated"
    assert result["partialFingerprints"]["crosslaneFinding/v1"] == "abc123"
    moved = json.loads(sarif_report(report(crossing(at="my app/a.py:99")), str(tmp_path)))["runs"][0]["results"][0]
    assert moved["partialFingerprints"] == result["partialFingerprints"], "lines that move change no fingerprint"
    said = [step["location"]["message"]["text"] for step in result["codeFlows"][0]["threadFlows"][0]["locations"]]
    assert said == ["alice writes app.x", "bob reads app.x"]


def test_a_line_outside_the_repository_is_an_absolute_address() -> None:
    (result,) = json.loads(sarif_report(report(crossing(at="/opt/lib/x.py:3")), "/srv/app"))["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///opt/lib/x.py"}


def test_what_could_not_be_judged_is_a_failed_invocation_and_what_is_known_a_suppressed_result() -> None:
    run = well_formed(json.loads(sarif_report(report(verdict="inconclusive", reason="a socket"), "/srv")))
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    assert {"level": "error", "message": {"text": "a socket"}} in invocation["toolExecutionNotifications"]
    known = report(crossing(), known=(Known("abc123", "ticket 7"),))
    (result,) = well_formed(json.loads(sarif_report(known, "/srv")))["results"]
    assert result["suppressions"] == [{"kind": "external", "justification": "ticket 7"}]
    assert json.loads(sarif_report(report(verdict="clean"), "/srv"))["runs"][0]["results"] == []


def well_formed(log: dict) -> dict:
    """The run of a log, after the rules of the SARIF 2.1.0 schema that apply to what we write."""
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert set(run) <= {"tool", "columnKind", "originalUriBaseIds", "results", "invocations"}
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert result["message"]["text"]
        assert all(isinstance(value, str) for value in result["partialFingerprints"].values())
        for location in [*result.get("locations", []), *result.get("relatedLocations", [])]:
            uri = location["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"[A-Za-z0-9._~/%:@!$&'()*+,;=-]+", uri), uri
            assert location["physicalLocation"]["region"]["startLine"] >= 1
        for suppression in result.get("suppressions", []):
            assert suppression["kind"] in ("inSource", "external")
    for invocation in run.get("invocations", []):
        assert isinstance(invocation["executionSuccessful"], bool)
        for note in invocation["toolExecutionNotifications"]:
            assert note["level"] in ("none", "note", "warning", "error")
            assert note["message"]["text"]
    return run


# ---- JUnit


def cases(text: str) -> dict[str, list[str]]:
    """The children's tags of each test case by name, with the counts checked."""
    root = ElementTree.fromstring(text.encode())
    (suite,) = root
    found = {case.attrib["name"]: [child.tag for child in case] for case in suite}
    tags = [tag for children in found.values() for tag in children]
    counts = (len(found), tags.count("failure"), tags.count("error"), tags.count("skipped"))
    assert counts == tuple(int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped"))
    return found


def test_each_finding_is_a_failed_case_and_a_known_one_is_skipped() -> None:
    assert cases(junit_report(report(crossing()))) == {
        "check of alice, bob": ["system-out"],
        "abc123 alice to bob": ["failure"],
    }
    known = junit_report(report(crossing(), known=(Known("abc123", "ticket <7>"),)))
    assert cases(known)["abc123 alice to bob"] == ["skipped"]
    assert "known: ticket &lt;7&gt;" in known


def test_clean_passes_and_inconclusive_is_an_error_with_its_reason() -> None:
    assert cases(junit_report(report(verdict="clean"))) == {"check of alice, bob": ["system-out"]}
    text = junit_report(report(verdict="inconclusive", reason="a socket"))
    assert cases(text) == {"check of alice, bob": ["error"]}
    assert 'message="a socket"' in text


def test_one_finding_alone_is_a_suite_too() -> None:
    assert cases(junit(sources("x")[0])) == {"abc123 x to bob": ["failure"]}
    assert well_formed(json.loads(sarif(sources("x")[0])))["results"]


@pytest.mark.parametrize(("kind", "words"), [("instance attribute", "an instance attribute"), ("file", "a file")])
def test_the_kind_of_a_carrier_has_its_article(kind: str, words: str) -> None:
    assert Carrier("agent.store", kind, None).kind_in_words == words
