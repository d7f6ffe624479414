"""The offline audit: what of one lane is seen in another's recorded traffic, and what is no crossing."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from crosslane.replay.detect import audited
from crosslane.replay.detect.audit import audit
from crosslane.replay.detect.audited import Audit
from crosslane.replay.detect.encoded import carried
from crosslane.replay.detect.ledger import Entry, Ledger
from crosslane.replay.errors import TraceError
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123"
MS = 1_000_000


def sent(identity: str, user: str, at_ms: int, message: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"message": message} if message is not None else {}
    return {"k": "req", "id": identity, "t": at_ms * MS, "session": f"s-{user}", "user": user, **said, **more}


def answered(identity: str, at_ms: int, text: Any = None, **more: Any) -> dict[str, Any]:
    body = {} if text is None else {"json": text}
    return {"k": "res", "id": identity, "t": at_ms * MS, "status": 200, **body, **more}


def of(folder: Path, *events: dict[str, Any], **options: Any) -> Audit:
    path = folder / "t.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in ({"k": "header", "v": 1}, *events)))
    return audit(path, **options)


def in_base64(text: str, url: bool = False) -> str:
    encoded = (base64.urlsafe_b64encode if url else base64.b64encode)(text.encode()).decode()
    return encoded.rstrip("=") if url else encoded


def seen(result: Audit) -> set[tuple[str, str, str, str]]:
    return {(f.value_kind, f.source.lane, f.sink.lane, f.sink.path) for f in result.findings}


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("My name is Alice Ferrante", "name"),
        ("write to alice.f@example.com please", "email"),
        ("where is order ORD-20417-X", "id"),
        (f"use {SECRET}", "secret"),
        ("my landlord wants to evict the whole family before winter", "phrase"),
    ],
)
def test_what_one_lane_sent_is_found_in_anothers_answer(tmp_path: Path, message: str, kind: str) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, message),
        answered("r1", 10, "noted"),
        sent("r2", "tim", 20, "hello"),
        answered("r2", 30, {"reply": f"last: {message}"}),
    )
    assert (kind, "zoe", "tim", "body.reply") in seen(result)
    finding = next(f for f in result.findings if f.value_kind == kind)
    assert (finding.kind, finding.source.request, finding.sink.request) == ("request-value", "r1", "r2")
    assert (finding.overlapped, finding.after_ns) == (False, 30 * MS)
    assert result.exit_code == 1


def test_an_own_value_and_one_that_the_other_sent_before_are_no_crossings(tmp_path: Path) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "I am at zoe@example.com"),
        answered("r1", 10, "noted zoe@example.com"),
        sent("r2", "tim", 20, "mail zoe@example.com for me"),
        answered("r2", 30, "mailed zoe@example.com"),
    )
    assert seen(result) == set()
    assert result.exit_code == 0


def test_a_value_sent_only_after_it_was_shown_is_a_crossing_still(tmp_path: Path) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "I am at zoe@example.com"),
        answered("r1", 10, "noted"),
        sent("r2", "tim", 20, "hello"),
        answered("r2", 30, "mailed zoe@example.com"),
        sent("r3", "tim", 40, "who is zoe@example.com"),
        answered("r3", 50, "zoe@example.com is somebody"),
    )
    assert [(f.sink.request, f.count) for f in result.findings if f.value_kind == "email"] == [("r2", 1)]


def test_what_everybody_sends_belongs_to_nobody(tmp_path: Path) -> None:
    events = [
        event
        for n, user in enumerate(("zoe", "tim", "ann", "joe"))
        for event in (
            sent(
                f"r{n}",
                user,
                100 * n,
                request={"headers": [["x-tenant", "org-4711-a"]], "json": {"q": "My name is Test"}},
            ),
            answered(f"r{n}", 100 * n + 10, "org-4711-a welcomes you"),
        )
    ]
    assert seen(of(tmp_path, *events)) == set()


def test_dates_small_numbers_and_model_names_tell_nothing(tmp_path: Path) -> None:
    words = "2026-11-20 42 1795204555 v1.2.3 gpt-4o-2024-08-06 12:30 99.95 utf-8"
    assert not of(
        tmp_path, sent("r1", "zoe", 0, words), answered("r1", 1), sent("r2", "tim", 2, "hi"), answered("r2", 3, words)
    ).findings


def test_a_value_cut_over_chunks_and_events_is_found(tmp_path: Path) -> None:
    def event(part: str) -> str:
        return f"data: {json.dumps({'choices': [{'delta': {'content': part}}]})}\n\n"

    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "order ORD-20417-X and zoe@example.com"),
        sent("r2", "tim", 1, "hello"),
        {"k": "chunk", "id": "r2", "t": 5 * MS, "text": "it is ORD-20"},
        {"k": "chunk", "id": "r2", "t": 6 * MS, "text": "417-X"},
        answered("r2", 7),
        sent("r3", "ann", 2, "hello"),
        *({"k": "chunk", "id": "r3", "t": 8 * MS, "text": event(p)} for p in ("write zoe@exa", "mple.com", " now")),
        answered("r3", 9),
        answered("r1", 20),
    )
    assert {(f.sink.lane, f.sink.path) for f in result.findings} == {
        ("tim", "chunks"),
        ("ann", "chunks.choices[].delta.content"),
    }
    assert all(finding.overlapped for finding in result.findings)


def test_prompts_headers_cookies_and_encoded_bodies_are_sinks(tmp_path: Path) -> None:
    cookie = {
        "path": "/chat",
        "headers": [["Cookie", "theme=dark; sid=a81fe9b2c4d6"]],
        "json": {"mail": "zoe@example.com"},
    }
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, request=cookie),
        answered("r1", 1),
        sent("r2", "tim", 2, "hi"),
        {
            "k": "up",
            "parent": "r2",
            "t": 3 * MS,
            "name": "chat",
            "in": {"messages": ["context: zoe@example.com"]},
            "out": "ok",
        },
        answered("r2", 4, "fine", headers=[["Set-Cookie", "sid=a81fe9b2c4d6; Path=/"]]),
        sent("r3", "ann", 5, "hi"),
        {"k": "res", "id": "r3", "t": 6 * MS, "b64": base64.b64encode(b"mail zoe@example.com").decode()},
    )
    assert seen(result) >= {
        ("email", "zoe", "tim", "upstream.chat[0].messages[0]"),
        ("secret", "zoe", "tim", "headers.set-cookie"),
        ("email", "zoe", "ann", "body"),
    }
    secret = next(f for f in result.findings if f.value_kind == "secret")
    assert "a81fe9b2c4d6" not in secret.sink.evidence


def test_stored_data_that_a_tool_fetched_for_one_lane_is_its_own(tmp_path: Path) -> None:
    fetched = {
        "k": "up",
        "parent": "r1",
        "t": 2 * MS,
        "dt": 1,
        "name": "db",
        "in": "q",
        "out": {"iban": "DE02120377811234"},
    }
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "balance"),
        fetched,
        answered("r1", 9, "account DE02120377811234"),
        sent("r2", "tim", 1, "balance"),
        answered("r2", 8, "account DE02120377811234"),
    )
    assert [(f.kind, f.source.lane, f.sink.lane, f.overlapped) for f in result.findings] == [
        ("response-value", "zoe", "tim", True)
    ]


def test_an_article_shown_to_two_users_one_after_the_other_is_no_ones(tmp_path: Path) -> None:
    def asked(later: int) -> Audit:
        return of(
            tmp_path,
            *(
                event
                for n in range(4)
                for event in (sent(f"x{n}", f"x{n}", n, "hi"), answered(f"x{n}", n + 1, "nothing"))
            ),
            sent("r1", "zoe", 10, "shoes"),
            answered("r1", 30, "take SKU-88213-B"),
            sent("r2", "tim", later, "shoes"),
            answered("r2", 50, "take SKU-88213-B"),
        )

    assert not asked(later=40).findings
    assert [f.kind for f in asked(later=20).findings] == ["response-value"]


def test_a_constant_of_the_service_is_nobodys_stored_data(tmp_path: Path) -> None:
    events = [
        event
        for n, user in enumerate(("zoe", "tim"))
        for event in (sent(f"r{n}", user, n), answered(f"r{n}", n, "mail help@example.com, ticket line 5551234567"))
    ]
    for event in events[::2]:
        event["message"] = "hello"
    assert not of(tmp_path, *events).findings


def test_one_value_in_several_places_of_one_pair_is_one_finding(tmp_path: Path) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "I am zoe@example.com"),
        answered("r1", 1),
        sent("r2", "tim", 2, "hi"),
        answered("r2", 3, {"a": "zoe@example.com", "b": ["zoe@example.com"]}),
        sent("r3", "tim", 4, "hi"),
        answered("r3", 5, "zoe@example.com"),
    )
    assert [(f.sink.request, f.count) for f in result.findings] == [("r2", 3)]


def test_places_of_one_request_that_contradict_are_a_finding(tmp_path: Path) -> None:
    def claimed(identity: str, at: int, user: str, cookie: str) -> dict[str, Any]:
        claims = [["user", user, "header:x-user"], ["user", cookie, "jwt:sub"]]
        return sent(identity, user, at, "hi", claims=claims)

    result = of(
        tmp_path, claimed("r1", 0, "zoe", "zoe"), claimed("r2", 1, "tim", "tim"), claimed("r3", 2, "tim", "zoe")
    )
    assert [(f.kind, f.source.lane, f.sink.lane, f.sink.request) for f in result.findings] == [
        ("identity", "zoe", "tim", "r3")
    ]


def test_the_boundary_decides_whose_a_value_is(tmp_path: Path) -> None:
    events = (
        sent("r1", "zoe", 0, "I am zoe@example.com") | {"session": "one"},
        answered("r1", 1),
        sent("r2", "zoe", 2, "hi") | {"session": "two"},
        answered("r2", 3, "zoe@example.com"),
    )
    assert not of(tmp_path, *events).findings
    assert ("email", "one", "two", "body") in seen(of(tmp_path, *events, boundary="session"))


def crowded(user: str, at: int, n: int) -> list[dict[str, Any]]:
    """A request with an order and a phrase of its own, answered."""
    words = " ".join(
        f"{word}{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}" for word in ("some", "long", "words", "they", "said")
    )
    return [
        sent(f"{user}{n}", user, at, f"{words}. Order ORD-{n:06d}-X"),
        answered(f"{user}{n}", at + 1, {"order": f"ORD-{n:06d}-X"}),
    ]


@pytest.mark.parametrize(
    ("shown", "kind"),
    [
        ("where is ORD-000003-X", "id"),
        ("ORD-000059-X is on its way", "id"),
        ("somedk longdk wordsdk theydk saiddk", "phrase"),
        (SECRET, "secret"),
    ],
)
def test_values_that_have_no_room_as_text_are_found_all_the_same(tmp_path: Path, shown: str, kind: str) -> None:
    events = [event for n in range(60) for event in crowded("zoe", 10 * n, n)]
    late = [sent("s", "zoe", 700, f"use {SECRET}"), sent("b", "tim", 710, "hi"), answered("b", 720, shown)]
    result = of(tmp_path, *events, *late, most_values=10)
    assert {(f.value_kind, f.sink.lane) for f in result.findings} == {(kind, "tim")}
    assert result.kept_by_hash > 50
    assert not result.capped


def test_an_answer_that_ends_before_the_owners_request_does_is_found_without_room_too(tmp_path: Path) -> None:
    events = [event for n in range(60) for event in crowded("zoe", 10 * n, n)]
    overlapping = [
        sent("a", "zoe", 700, "order ORD-999999-X"),
        sent("b", "tim", 701, "hi"),
        answered("b", 702, "ORD-999999-X"),
        *[event for n in range(60, 90) for event in crowded("zoe", 703 + n, n)],
        answered("a", 900, "fine"),
    ]
    assert {f.sink.lane for f in of(tmp_path, *events, *overlapping, most_values=10).findings} == {"tim"}


def test_what_two_lanes_sent_is_nobodys_without_room_too(tmp_path: Path) -> None:
    events = [event for n in range(60) for user in ("zoe", "ann") for event in crowded(user, 10 * n, n)]
    events += [sent("b", "tim", 710, "hi"), answered("b", 720, "somedk longdk wordsdk theydk saiddk")]
    assert seen(of(tmp_path, *events, most_values=10)) == set()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12), st.integers(0, 12), st.booleans()), max_size=40))
def test_with_little_room_the_same_is_found_as_with_much(turns: list[tuple[str, int, int, bool]]) -> None:
    import tempfile
    from pathlib import Path

    events: list[dict[str, Any]] = []
    for n, (user, asked, told, fetched) in enumerate(turns):
        events.append(
            sent(f"r{n}", user, 10 * n, f"order ORD-{asked:06d}-X, {'please ' * (asked % 2)}look at it again for me")
        )
        if fetched:
            events.append(
                {
                    "k": "up",
                    "parent": f"r{n}",
                    "t": (10 * n + 1) * MS,
                    "name": "db",
                    "in": "q",
                    "out": f"ORD-{told:06d}-X",
                }
            )
        events.append(answered(f"r{n}", 10 * n + 15, f"it is ORD-{told:06d}-X"))
    if not events:
        return
    with tempfile.TemporaryDirectory() as folder:
        much, little = of(Path(folder), *events), of(Path(folder), *events, most_values=2)
    assert little.findings == much.findings or little.capped


def test_a_value_for_which_there_is_no_room_at_all_leaves_no_clean_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosslane.replay.detect.owners.Ledger", lambda most: Ledger(5))
    result = of(tmp_path, *(event for n in range(60) for event in crowded("zoe", 10 * n, n)), most_values=10)
    assert result.capped
    assert (result.findings, result.exit_code) == ([], 3)


@given(st.dictionaries(st.text(max_size=6), st.integers(-1, 2**40), max_size=300))
def test_a_ledger_knows_what_a_dictionary_does(values: dict[str, int]) -> None:
    ledger = Ledger(200)
    kept: dict[str, int] = {}
    for text, request in values.items():
        if ledger.put(text, Entry(request, 3, request)):
            kept[text] = request
    assert len(ledger) == len(kept) == min(200, len(values))
    for text in values:
        entry = ledger.get(text)
        assert (None if entry is None else (entry.request, entry.mark, entry.since_ns)) == (
            (kept[text], 3, kept[text]) if text in kept else None
        )


def test_an_interrupt_keeps_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phases: list[str] = []

    def stop(phase: str, size: int) -> None:
        phases.append(phase)
        if phases.count("searching") == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("crosslane.replay.trace.store._LATE", 0)
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "I am zoe@example.com"),
        sent("r2", "tim", 2, "hi"),
        answered("r2", 3, "zoe@example.com"),
        sent("r3", "ann", 4, "hi"),
        answered("r3", 5, "zoe@example.com"),
        progress=stop,
    )
    assert [f.sink.lane for f in result.findings] == ["tim"]
    assert result.stopped == "while searching"


def test_bad_lines_cost_only_themselves_and_nothing_usable_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    good = (
        sent("r1", "zoe", 0, "I am zoe@example.com"),
        sent("r2", "tim", 2, "hi"),
        answered("r2", 3, "zoe@example.com"),
    )
    path.write_text("{torn\n" + "".join(json.dumps(event) + "\n" for event in good) + '{"k": "res", "id": 7}\n')
    result = audit(path)
    assert len(result.findings) == 1
    assert [problem.line for problem in result.problems] == [1, 5]
    path.write_text("nonsense\n")
    with pytest.raises(TraceError, match="no usable request"):
        audit(path)


@given(st.recursive(st.text(max_size=30) | st.integers() | st.none(), lambda c: st.lists(c, max_size=3) | st.dictionaries(st.text(max_size=8), c, max_size=3)))  # fmt: skip
def test_no_request_whatever_it_holds_breaks_the_audit(value: Any) -> None:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        of(
            Path(folder),
            sent("r1", "zoe", 0, request={"path": "/x", "headers": value, "json": value, "query": value}),
            answered("r1", 1, value),
            sent("r2", "tim", 2, request=value if value is not None else "x"),
            {"k": "up", "parent": "r2", "t": 1, "in": value, "out": value},
            answered("r2", 3, value),
        )


def test_the_text_of_json_is_complete(tmp_path: Path) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "I am zoe@example.com"),
        sent("r2", "tim", 1, "hi"),
        answered("r2", 3, "zoe@example.com"),
    )
    data = result.to_json()
    assert data["version"] == audited.VERSION
    assert set(data) >= {"trace", "requests", "lanes", "values", "capped", "findings", "problems"}
    assert set(data["findings"][0]) >= {"id", "kind", "source", "sink", "overlapped", "rank"}


@given(st.recursive(st.sampled_from(["zoe@example.com", 'say "zoe@example.com"', "a\nzoe@example.com", "a\\zoe@example.com", "é\tzoe@example.com", '{"a": "zoe@example.com"}', "hi"]), lambda c: st.lists(c, max_size=2) | st.dictionaries(st.sampled_from(["a", 'b"c', "d\n"]), c, max_size=2)))  # fmt: skip
def test_wherever_a_value_stands_in_an_answer_it_is_found(value: Any) -> None:
    import tempfile
    from pathlib import Path

    events = (sent("r1", "zoe", 0, "I am zoe@example.com"), sent("r2", "tim", 1, "hi"), answered("r2", 3, value))
    with tempfile.TemporaryDirectory() as folder:
        assert bool(of(Path(folder), *events).findings) == ("zoe@example.com" in json.dumps(value))


def test_a_value_counts_as_the_most_telling_kind_it_was_seen_as(tmp_path: Path) -> None:
    shouted = SECRET.upper()  # has the look of an id; only as it was made is it known for a secret
    result = of(
        tmp_path,
        *(event for n in range(4) for event in (sent(f"x{n}", f"x{n}", n, "hi"), answered(f"x{n}", n + 1, "nothing"))),
        sent("r1", "zoe", 10, "hi"),
        answered("r1", 20, shouted),
        sent("r2", "tim", 30, "hi"),
        answered("r2", 40, SECRET),
    )
    assert [(f.kind, f.value_kind) for f in result.findings] == [("response-value", "secret")]


def test_each_message_of_a_websocket_is_a_text_of_its_own(tmp_path: Path) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "My name is Alice Ferrante"),
        answered("r1", 10, "noted"),
        sent("r2", "tim", 20, method="GET", path="/ws", headers=[], messages=[]),
        {"k": "chunk", "id": "r2", "t": 21 * MS, "text": "Alice Ferrante"},
        {"k": "chunk", "id": "r2", "t": 22 * MS, "text": "hello"},
        answered("r2", 30),
    )
    assert ("name", "zoe", "tim", "messages[0]") in seen(result)


def crossed(folder: Path, said: str | dict[str, Any], told: Any) -> set[tuple[str, str]]:
    """What of one lane's request, (kind, evidence), is found in another lane's answer."""
    asked = {"message": said} if isinstance(said, str) else {"path": "/chat", "json": said}
    result = of(
        folder,
        sent("r1", "zoe", 0, **asked),
        answered("r1", 10, "noted"),
        sent("r2", "tim", 20, "hello"),
        answered("r2", 30, told),
    )
    return {(finding.value_kind, finding.sink.evidence) for finding in result.findings}


@pytest.mark.parametrize(
    ("said", "told", "found"),
    [
        ("my name is Séan O'Brien-Fitzgerald", "<b>S&eacute;an O&#39;Brien-Fitzgerald</b>", "Séan O'Brien-Fitzgerald"),
        ("my name is Zoë Crémieux", "Zoe\u0308 Cre\u0301mieux", "Zoë Crémieux"),
        ("my name is Zoe\u0308 Cre\u0301mieux", "Zoë Crémieux", "Zoë Crémieux"),
        ("my address is 221B Baker Street London", "it is 221B Baker\n  Street  London", "221B Baker Street"),
        ("ich wohne Lange Musterstraße 12", "Musterstraße 12", "Musterstraße 12"),
        ("my iban is DE89 3704 0044 0532 0130 00", "we have DE89370400440532013000", "DE89370400440532013000"),
        ("my iban is DE89370400440532013000", "we have DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("card 4111 1111 1111 1111", {"card": 4111111111111111}, "4111111111111111"),
        ("call +49 170 1234567", "calling +491701234567", "491701234567"),
        ("call +49 170 1234567", "calling +49 (170) 123-4567", "491701234567"),
        ("my name is Alexandrina Bartholomew", {"first": "Alexandrina", "last": "Bartholomew"}, "Alexandrina Bartholomew"),
        ({"firstName": "Ada", "lastName": "Byron-King"}, "Dear Ada Byron-King", "Ada Byron-King"),
        ("اسمي فاطمة الزهراء بنت محمود", "مرحبا فاطمة الزهراء بنت محمود", "فاطمة الزهراء بنت محمود"),
        ("اسمي فاطمة الزهراء وأريد حجزا", "مرحبا فاطمة الزهراء", "فاطمة الزهراء"),
        ("меня зовут Анна Каренина и я", "Анна  Каренина", "Анна Каренина"),
        ("Ich heiße Änne Müller", "Frau Änne\u00a0Müller", "Änne Müller"),
    ],
)  # fmt: skip
def test_a_value_is_found_however_it_is_written(tmp_path: Path, said: Any, told: Any, found: str) -> None:
    assert found in {evidence for _, evidence in crossed(tmp_path, said, told)}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("book 01/02/2024 10:30 for 4", "01/02/2024 10:30 is taken"),
        ("book 01.02.2024 at 10:30:00", "01.02.2024 10:30:00 is taken"),
        ("from 2026-12-24 18:30 to 2026-12-25 09:00", "2026-12-24 18:30 is taken"),
        ("it costs 1 000 000.50 EUR", "1 000 000.50 EUR"),
        ("my name is Alexandrina Bartholomew", {"first": "Alexandrina", "last": "Smith"}),
        ("my name is Alexandrina Bartholomew", {"a": {"first": "Alexandrina"}, "b": {"last": "Bartholomew"}}),
        ("ich bin Student in Bonn", "Sie sind Student"),
        ("I live at 12 Long Road", "that is 12 km of long road"),
        ("a &lt;b&gt; &amp; c", "<b> & c"),
        ("this is I'm afraid", "I'm afraid"),
    ],
)
def test_what_only_looks_like_a_value_is_no_crossing(tmp_path: Path, said: str, told: Any) -> None:
    assert crossed(tmp_path, said, told) == set()


def test_who_asks_with_an_own_value_may_be_answered_it_in_another_form(tmp_path: Path) -> None:
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, "my iban is DE89 3704 0044 0532 0130 00 and my name is Zoë Crémieux"),
        answered("r1", 10, "noted"),
        sent("r2", "tim", 20, "does DE89370400440532013000 belong to Zoe\u0308 Cre\u0301mieux?"),
        answered("r2", 30, "DE89 3704 0044 0532 0130 00 is Zo&euml; Cr&eacute;mieux"),
    )
    assert result.findings == []


def answers(folder: Path, *told: Any) -> set[tuple[str, str, str, str]]:
    """What is found where every user asks the same and is answered this, one after the other."""
    events: list[dict[str, Any]] = []
    for number, text in enumerate(told):
        events += [
            sent(f"r{number}", f"user{chr(97 + number)}", number * 20, "hi"),
            answered(f"r{number}", number * 20 + 10, text),
        ]
    return seen(of(folder, *events))


def test_an_account_that_stands_in_two_users_answers_is_a_crossing(tmp_path: Path) -> None:
    assert answers(tmp_path, {"account": "ACC-99281"}, {"account": "ACC-99281"}, {"account": "ACC-10000"}) == {
        ("account", "usera", "userb", "body.account")
    }


@pytest.mark.parametrize(
    "told",
    [
        [{"account": "ACC-99281"}] * 3,
        [{"model": "ACC-99281"}] * 2,
        ["call +1 800 555 0199 or come to 221B Baker Street"] * 2,
        [{"account": "main", "customer": "yes"}] * 2,
        [{"policy": "RETURN-30", "card": "CARD-77A"}] * 2,
    ],
)
def test_what_the_service_tells_everybody_is_nobodys(tmp_path: Path, told: list[Any]) -> None:
    assert answers(tmp_path, *told) == set()


SAID = "My order is ORD-55512-X, please deliver it to my sister in the old mill"


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (f"token: {in_base64('ORD-55512-X')}", "id"),
        (f"state={in_base64('so far: ' + SAID)}&page=2", "id"),
        (f"https://example.com/cb/{in_base64(json.dumps({'q': SAID}), url=True)}/next", "id"),
        (in_base64("please deliver it to my sister in the old mill"), "phrase"),
    ],
)
def test_what_is_answered_in_base64_is_read(tmp_path: Path, told: str, kind: str) -> None:
    result = of(tmp_path, sent("r1", "zoe", 0, SAID), sent("r2", "tim", 1, "hi"), answered("r2", 3, {"reply": told}))
    assert (kind, "zoe", "tim", "body.reply in base64") in seen(result)


def test_what_a_user_sent_in_base64_is_no_news_to_that_user(tmp_path: Path) -> None:
    told = in_base64("ORD-55512-X, paid and sent")
    result = of(
        tmp_path,
        sent("r1", "zoe", 0, SAID),
        sent("r2", "tim", 1, f"what is {told}?"),
        answered("r2", 3, {"reply": f"it is about ORD-55512-X: {told}"}),
    )
    assert not result.findings


@given(st.binary(min_size=18, max_size=60))
def test_what_is_no_readable_text_in_base64_is_nothing(data: bytes) -> None:
    told = list(carried(base64.b64encode(data).decode()))
    try:
        readable = data.decode().translate(str.maketrans("", "", "\n\r\t")).isprintable()
    except UnicodeDecodeError:
        readable = False
    assert readable or data.decode("latin-1") not in told


def test_the_order_of_the_lines_does_not_matter_where_the_times_are_right(tmp_path: Path) -> None:
    events = (sent("r2", "tim", 5, "hi"), answered("r2", 9, "ORD-55512-X"), sent("r1", "zoe", 0, SAID))
    assert seen(of(tmp_path, *events)) == {("id", "zoe", "tim", "body")}


@pytest.mark.parametrize("key", ["full_name", "customerName", "patient-name", "contact_full_name"])
def test_a_member_that_is_called_somebodys_name_holds_a_name_however_it_is_written(tmp_path: Path, key: str) -> None:
    said = {"request": {"path": "/x", "json": {key: "zoe ferrante-li", "q": "hi"}}}
    result = of(tmp_path, sent("r1", "z1", 0, **said), sent("r2", "t2", 1, "hi"), answered("r2", 3, "Zoe Ferrante-Li"))
    assert seen(result) == {("name", "z1", "t2", "body")}


@pytest.mark.parametrize(
    ("key", "value"),
    [("name", "blue shirt"), ("file_name", "blue shirt"), ("tool_name", "look up"), ("full_name", "shirt"),
     ("customer_name", "number 5 of all"), ("full_name", "no one at all who is known to us")],
)  # fmt: skip
def test_other_names_are_nobodys(tmp_path: Path, key: str, value: str) -> None:
    said = {"request": {"path": "/x", "json": {key: value, "q": "hi"}}}
    result = of(
        tmp_path, sent("r1", "z1", 0, **said), sent("r2", "t2", 1, "hi"), answered("r2", 3, f"the {value} is here")
    )
    assert not result.findings


def test_what_is_recorded_while_the_trace_is_read_is_left_to_the_next_audit(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    first = (sent("r1", "zoe", 0, "order ORD-20417-X"), answered("r1", 10, "noted"))
    late = (
        answered("r0", 12, {"reply": "ORD-20417-X"}),
        sent("r2", "tim", 20, "hello"),
        answered("r2", 30, {"reply": "last: ORD-20417-X"}),
    )
    path.write_text("".join(json.dumps(event) + "\n" for event in ({"k": "header", "v": 1}, *first)))
    path.write_text(json.dumps(sent("r0", "ann", 1, "hi")) + "\n" + path.read_text())

    def grows(phase: str, size: int) -> None:
        if phase == "searching" and "r2" not in path.read_text():
            with path.open("a") as file:
                file.writelines(json.dumps(event) + "\n" for event in late)

    growing = audit(path, progress=grows)
    assert growing.requests == 2
    assert seen(growing) == {("id", "zoe", "ann", "body.reply")}
    assert {sink for _, _, sink, _ in seen(audit(path))} == {"ann", "tim"}
