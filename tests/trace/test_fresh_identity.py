"""Values that a service issued are told from a user's own, and new ones stand wherever the recorded ones stood."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from crosslane.replay.trace.fresh_identity import (
    Answered,
    Issued,
    IssuedAt,
    answered_with,
    issued_values,
    minted,
    places_in,
    rewritten,
    sessions_to_mint,
)
from crosslane.replay.trace.identity import Claim
from crosslane.replay.trace.model import Exchange, Request, Response
from hypothesis import given, settings
from hypothesis import strategies as st


def exchange(
    name: str,
    request: Any,
    answered: Any = None,
    headers: tuple[tuple[str, str], ...] = (),
    chunks: tuple[str, ...] = (),
) -> Exchange:
    return Exchange(Request(name, "s", "u", 0, None, request, 0), Response(0, 200, headers, answered, chunks, "ok"))


LATER = {"method": "POST", "path": "/chat/c-778899/send", "headers": {"cookie": "sid=tok_abc123"}, "json": {"n": 1}}


def test_a_value_that_an_answer_brought_and_a_later_request_sent_was_issued() -> None:
    first = exchange(
        "r1", {"path": "/login"}, {"chat": {"id": "c-778899"}}, (("Set-Cookie", "sid=tok_abc123; Path=/"),)
    )
    found = {each.value: each for each in issued_values([first, exchange("r2", LATER)])}
    assert found["c-778899"].place == IssuedAt("json", ("chat", "id"))
    assert found["tok_abc123"].place == IssuedAt("cookie", ("sid",))
    assert {each.request for each in found.values()} == {"r1"}


def test_a_value_that_the_user_sent_first_is_the_users_own() -> None:
    first = exchange("r1", {"path": "/chat", "json": {"chat": "c-778899"}}, {"chat": "c-778899"})
    assert issued_values([first, exchange("r2", LATER)]) == ()


def test_an_id_in_the_first_event_of_a_stream_is_found() -> None:
    chunks = ('data: {"conversation": "c-778899"}\n\n', "data: [DONE]\n\n")
    (found,) = issued_values([exchange("r1", {"path": "/"}, None, (), chunks), exchange("r2", LATER)])
    assert found.place == IssuedAt("event", ("conversation",))


def test_what_is_no_id_is_left_alone() -> None:
    answered = {"status": "ok", "text": "a long sentence with spaces", "n": 1}
    later = {"path": "/", "json": {"status": "ok", "text": "a long sentence with spaces", "n": 1}}
    assert issued_values([exchange("r1", {"path": "/"}, answered), exchange("r2", later)]) == ()


def test_new_values_stand_everywhere_the_recorded_ones_stood() -> None:
    request = {
        "path": "/chat/c-778899?csrf=a%2Fb%2Fc99",
        "headers": [["Cookie", "theme=dark; sid=c-778899"], ["Authorization", "Bearer c-778899"]],
        "json": {"id": "c-778899", "list": ["c-778899"], "c-778899": 7, "note": "see c-778899, not xc-778899x"},
    }
    made = rewritten(request, {"c-778899": "c-112233", "a/b/c99": "d/e/f00"})
    assert made == {
        "path": "/chat/c-112233?csrf=d%2Fe%2Ff00",
        "headers": [["Cookie", "theme=dark; sid=c-112233"], ["Authorization", "Bearer c-112233"]],
        "json": {"id": "c-112233", "list": ["c-112233"], "c-778899": 7, "note": "see c-112233, not xc-778899x"},
    }


def test_a_short_name_is_replaced_where_it_stands_alone_and_never_in_a_sentence() -> None:
    request = {"path": "/s/7?session=7", "json": {"session": "7", "n": 7, "text": "I have 7 cats"}}
    made = rewritten(request, {"7": "4"})
    assert made == {"path": "/s/4?session=4", "json": {"session": "4", "n": 4, "text": "I have 7 cats"}}


def test_sessions_are_minted_unless_the_service_issued_or_signed_them() -> None:
    def request(value: str, place: str) -> Request:
        return Request(
            "r", value, "u", 0, None, {}, 0, (Claim("session", value, place), Claim("user", "u", "header:x"))
        )

    first = exchange("r1", {"path": "/login"}, {"chat": {"id": "c-778899"}})
    issued = issued_values([first, exchange("r2", LATER)])
    requests = [request("mine", "header:x-session-id"), request("c-778899", "path:1"), request("signed", "jwt:sid")]
    assert sessions_to_mint(requests, issued) == ("mine",)


@pytest.mark.parametrize("value", ["s1", "conv-2024-Ab", "42", "d41d8cd98f00b204e9800998ecf8427e", "a_b.c/d"])
def test_a_minted_value_has_the_shape_of_the_recorded_one(value: str) -> None:
    def shape(text: str) -> str:
        if re.fullmatch("[0-9a-f]{8,}", value):
            return re.sub("[0-9a-f]", "h", text)
        return re.sub("[a-z]", "a", re.sub("[A-Z]", "A", re.sub(r"\d", "0", text)))

    made = minted(value, "1", ())
    assert made != value
    assert shape(made) == shape(value)
    assert made == minted(value, "1", ())


@given(st.uuids(version=4))
def test_a_minted_uuid_is_a_uuid_of_the_same_version(value: uuid.UUID) -> None:
    made = uuid.UUID(minted(str(value), "x", ()))
    assert (made.version, made.variant) == (value.version, value.variant)


@given(st.lists(st.text(min_size=1, max_size=12), unique=True, max_size=8), st.text(max_size=3))
def test_minted_values_are_all_different(values: list[str], salt: str) -> None:
    made: list[str] = []
    for value in values:
        made.append(minted(value, salt, (*values, *made)))
    fresh = [new for old, new in zip(values, made, strict=True) if old != new]
    assert len(set(fresh)) == len(fresh)
    assert not set(fresh) & set(values)


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_answer_and_any_request_can_be_looked_at(value: Any) -> None:
    list(places_in(Answered((("set-cookie", "x"),), value)))
    assert rewritten(value, {"not-there-1": "x"}) == value
    issued_values([exchange("r1", value, value), exchange("r2", value, value)])


@given(st.text(alphabet="abc-/ 1", max_size=30))
def test_going_there_and_back_gives_the_recorded_text_again(text: str) -> None:
    there = {"id-recorded-1": "id-of-today-9"}
    back = {new: old for old, new in there.items()}
    recorded = f"{text} id-recorded-1 {text}"
    assert rewritten(rewritten(recorded, there), back) == recorded


def test_the_least_answer_has_the_issued_values_in_their_places() -> None:
    places = [
        IssuedAt("cookie", ("sid",)),
        IssuedAt("header", ("x-token",)),
        IssuedAt("json", ("chat", "turns", 1, "id")),
        IssuedAt("json", ("id",)),
    ]
    issued = [Issued("r1", place, f"value-{n}") for n, place in enumerate(places)]
    assert dict(places_in(answered_with(issued))) == {each.place: each.value for each in issued}
    event = Issued("r1", IssuedAt("event", ("choices", 0, "id")), "value-9")
    assert dict(places_in(answered_with([event]))) == {event.place: event.value}
    assert [Issued.from_json("r1", json.loads(json.dumps(each.to_json()))) for each in issued] == issued


@pytest.mark.parametrize("name", ["漢", "Zoë Ünal"])
def test_a_name_in_utf8_is_rewritten_in_a_header_too(name: str) -> None:
    wire = name.encode().decode("latin-1")
    sent = {"headers": [["x-user-id", wire], ["x-path", f"/users/{wire}"]], "json": {"user": name}}
    assert rewritten(sent, {name: "Größe"}) == {
        "headers": [
            ["x-user-id", "Größe".encode().decode("latin-1")],
            ["x-path", "/users/" + "Größe".encode().decode("latin-1")],
        ],
        "json": {"user": "Größe"},
    }
