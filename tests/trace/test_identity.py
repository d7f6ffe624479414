"""Whose request it was: which places are believed, and where they contradict each other."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from crosslane.replay.errors import SettingsError
from crosslane.replay.trace.header_text import as_meant, on_the_wire
from crosslane.replay.trace.identity import (
    Rules,
    chosen,
    claims_of,
    disagreements,
    places_of,
    used_places,
)
from crosslane.replay.trace.lanes import lane_name
from crosslane.replay.trace.model import Request
from hypothesis import given
from hypothesis import strategies as st


def bearer(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer eyJhbGciOiJub25lIn0.{body}.c2lnbmF0dXJl"


def request(**parts: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/chat", "headers": [], **parts}


@pytest.mark.parametrize(
    ("given", "role", "value", "place"),
    [
        (request(headers=[["X-Session-Id", "s-1"]]), "session", "s-1", "header:x-session-id"),
        (request(headers={"X-User-Id": "u-1"}), "user", "u-1", "header:x-user-id"),
        (request(json={"user_id": 7}), "user", "7", "body:user_id"),
        (request(text='{"conversation": {"id": "c-9"}}'), "session", "c-9", "body:conversation.id"),
        (request(json={"config": {"configurable": {"thread_id": "t"}}}), "session", "t", "body:config.configurable.thread_id"),
        (request(path="/chat?session_id=q-1"), "session", "q-1", "query:session_id"),
        (request(query="user_id=u%201"), "user", "u 1", "query:user_id"),
        (request(headers=[["Cookie", "theme=dark; sessionid=abc"]]), "session", "abc", "cookie:sessionid"),
        (request(headers=[["Authorization", bearer(sub="auth0|7", sid="z")]]), "user", "auth0|7", "jwt:sub"),
        (request(headers=[["baggage", "session.id=b%2D1;p=1, user.id=u"]]), "session", "b-1", "baggage:session.id"),
    ],
)  # fmt: skip
def test_each_usual_place_is_known(given: Any, role: Any, value: str, place: str) -> None:
    claim = chosen(claims_of(places_of(given)), role)
    assert claim is not None
    assert (claim.value, claim.place) == (value, place)


def test_a_header_is_believed_before_a_body_and_a_rule_before_both() -> None:
    places = places_of(request(headers=[["X-User-Id", "h"]], json={"user_id": "b", "meta": {"who": "m"}}))
    assert [claim.value for claim in claims_of(places)] == ["h", "b"]
    assert [claim.value for claim in claims_of(places, Rules(user=("body:meta.who",)))] == ["m", "h", "b"]


def test_a_path_names_a_session_by_template_or_by_number() -> None:
    places = places_of(request(path="/v1/threads/t%2F9/runs"))
    for place in ("path:/v1/threads/{id}", "path:2", "path:/*/threads/{id}/runs"):
        claim = chosen(claims_of(places, Rules(session=(place,))), "session")
        assert claim is not None
        assert claim.value == "t/9"
    assert claims_of(places, Rules(session=("path:/v2/threads/{id}",))) == ()


@pytest.mark.parametrize("junk", ["Bearer a.b.c", "Bearer " + "x" * 50, "Basic YTpi", "Bearer e30.////.x", ""])
def test_what_is_no_token_claims_nothing(junk: str) -> None:
    assert claims_of(places_of(request(headers=[["Authorization", junk]]))) == ()


@pytest.mark.parametrize("value", [True, None, {"a": 1}, ["x"], "", "x" * 300])
def test_what_is_no_name_claims_nothing(value: Any) -> None:
    assert claims_of(places_of(request(json={"user_id": value}))) == ()


@pytest.mark.parametrize("place", ["x-user-id", "headers:x", "header:", "path:/chat"])
def test_a_place_that_cannot_be_read_is_refused_with_the_way_to_write_it(place: str) -> None:
    with pytest.raises(SettingsError, match="write it like header:x-session-id"):
        Rules(user=(place,))


def named(identity: str, *claims: tuple[Any, str, str]) -> Request:
    parts: dict[str, Any] = {"headers": [], "json": {}}
    attributes: dict[str, str] = {}
    for _, value, place in claims:
        kind, _, name = place.partition(":")
        if kind == "header":
            parts["headers"].append([name, value])
        elif kind == "cookie":
            parts["headers"].append(["cookie", f"{name}={value}"])
        else:
            attributes[name] = value
    found = claims_of(places_of(request(**parts), attributes))
    return Request(identity, "s", None, 0, None, {}, 1, found)


def test_a_span_that_carries_another_requests_session_is_a_disagreement() -> None:
    requests = [
        named("r1", ("session", "s-3", "header:x-session-id"), ("session", "s-7", "attribute:session.id")),
        named("r2", ("session", "s-7", "header:x-session-id"), ("session", "s-7", "attribute:session.id")),
    ]
    (found,) = disagreements(requests)
    assert (found.request, found.used.value, found.other.value) == ("r1", "s-3", "s-7")


def test_two_names_for_the_same_session_are_none_but_one_cookie_with_two_users_is() -> None:
    same = [
        named(f"r{n}", ("session", "s-1", "header:x-session-id"), ("session", "ck-1", "cookie:sessionid"))
        for n in (1, 2)
    ]
    assert disagreements(same) == ()
    other = named("r3", ("session", "s-2", "header:x-session-id"), ("session", "ck-1", "cookie:sessionid"))
    assert {found.request for found in disagreements([*same, other])} == {"r1", "r2", "r3"}


def test_the_report_says_which_place_named_how_many_requests() -> None:
    requests = [
        named("r1", ("user", "u", "header:x-user-id")),
        named("r2", ("user", "u", "header:x-user-id")),
        named("r3"),
    ]
    assert used_places(requests)["user"] == {"header:x-user-id": 2, "none": 1}


@pytest.mark.parametrize("user", ["漢字", "Zoë", "bob", "Ünal Öz"])
def test_a_user_in_utf8_in_a_header_is_named_as_the_client_meant(user: str) -> None:
    wire = user.encode().decode("latin-1")
    (claim,) = claims_of(places_of(request(headers=[["X-User-Id", wire]])))
    assert claim.value == user


def test_a_header_that_is_no_utf8_is_left_as_latin_1() -> None:
    (claim,) = claims_of(places_of(request(headers=[["X-User-Id", "Zo\xeb"]])))
    assert claim.value == "Zoë"


def test_a_boundary_in_a_header_names_its_lanes_as_they_were_meant() -> None:
    wire = "漢字".encode().decode("latin-1")
    asked = Request("r1", "s1", None, 0, None, request(headers=[["X-Tenant", wire]]), 1)
    assert lane_name(asked, "headers.x-tenant") == "漢字"
    assert asked.request["headers"] == [["X-Tenant", wire]], "the header itself stays"


@given(st.text(max_size=20))
def test_what_stands_on_the_wire_is_read_as_it_was_meant(text: str) -> None:
    assert as_meant(on_the_wire(text)) == text
