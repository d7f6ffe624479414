"""Redaction: private values are gone in every shape, and what crossed is still seen to have crossed."""

from __future__ import annotations

import base64
import html
import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from crosslane.replay.detect.audit import audit
from crosslane.replay.errors import RedactionError
from crosslane.replay.trace.identity import claims_of, places_of
from crosslane.replay.trace.redact_file import redact_file
from crosslane.replay.trace.redaction import Redactor
from crosslane.replay.trace.redaction_key import key_id, redaction_key
from crosslane.replay.trace.redaction_rules import RedactionRules, rules_of
from crosslane.replay.trace.store import load
from crosslane.replay.trace.stream_redaction import StreamRedactor
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterable

KEY, OTHER = b"k" * 32, b"o" * 32
STRIPE = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
GITHUB = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
SHAPED = {
    "sk-ant-api03-" + "Ab1" * 12: "key",
    "sk-proj-" + "Zy9" * 12: "key",
    GITHUB: "key",
    "AKIA" + "IOSFODNN7EXAMPLE": "key",
    "xoxb-" + "123456789012-abcdefABCDEF": "key",
    "AIza" + "Sy" * 17 + "x": "key",
    STRIPE: "key",
    "glpat-" + "x" * 20: "key",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----": "pem",
}


def jwt(**claims: Any) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJlLW9mLXRva2Vu"


def sent(headers: Iterable[tuple[str, str]] = (), **more: Any) -> dict[str, Any]:
    request = {"method": "POST", "path": "/chat", "headers": [list(pair) for pair in headers], **more}
    return {"k": "req", "id": "r1", "t": 0, "session": "s1", "user": "u1", "request": request}


def stand_ins(value: Any) -> list[str]:
    return re.findall(r"[a-z]+_[a-z2-7]{12}\b", json.dumps(value))


@pytest.mark.parametrize(("secret", "kind"), SHAPED.items())
def test_a_known_shape_is_replaced_in_any_text(secret: str, kind: str) -> None:
    text = Redactor(KEY).text(f"use {secret}, please")
    assert re.fullmatch(rf"use {kind}_[a-z2-7]{{12}}, please", text)


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Api-Key", "api-key", "Proxy-Authorization"])
def test_credentials_of_headers_are_replaced_and_found_again_in_an_answer(name: str) -> None:
    redactor = Redactor(KEY)
    value = "sid=0f9e8d7c6b5a" if name == "Cookie" else "0f9e8d7c6b5a"
    first = redactor.event(sent([(name, value)]))
    answer = redactor.event({"k": "res", "id": "r9", "t": 1, "text": "your key is 0F9E8D7C6B5A, right?"})
    assert "0f9e8d7c6b5a" not in json.dumps([first, answer]).lower()
    assert stand_ins(first) == stand_ins(answer) != []


def test_each_cookie_is_replaced_apart_and_keeps_its_name() -> None:
    redacted = Redactor(KEY).event(sent([("Cookie", 'a=1234567890; theme=dark; b="1234567890"')]))
    assert re.fullmatch(r'a=(cookie_\w{12}); theme=cookie_\w{12}; b="\1"', redacted["request"]["headers"][0][1])


def test_an_ordinary_cookie_word_stays_in_texts() -> None:
    redactor = Redactor(KEY)
    redactor.event(sent([("Cookie", "theme=dark")]))
    assert redactor.text("dark mode") == "dark mode"


def test_a_bearer_token_stays_a_bearer_with_its_claims_as_stand_ins() -> None:
    event = sent(
        [("Authorization", f"Bearer {jwt(sub='auth0|77', sid='sess-0815', role='admin')}")], json={"q": "I am auth0|77"}
    )
    event |= {"user": "auth0|77", "claims": [["user", "auth0|77", "jwt:sub"], ["session", "s1", "header:x-session-id"]]}
    redacted = Redactor(KEY).event(event)
    scheme, token = redacted["request"]["headers"][0][1].split(" ")
    claims = claims_of(places_of(redacted["request"]))
    assert (scheme, token.count(".")) == ("Bearer", 2)
    assert {claim.place: claim.value for claim in claims}["jwt:sub"] == redacted["user"] == redacted["claims"][0][1]
    assert redacted["session"] == "s1"
    assert redacted["request"]["json"]["q"] == f"I am {redacted['user']}"
    assert "admin" not in base64.urlsafe_b64decode(token.split(".")[1] + "==").decode()


@pytest.mark.parametrize(
    "shape",
    [
        str.upper,
        quote,
        lambda v: quote(v, safe=""),
        lambda v: json.dumps({"in": v}),
        lambda v: json.dumps(json.dumps({"in": v})),
        lambda v: base64.b64encode(f"before {v} after é".encode()).decode(),
        lambda v: base64.urlsafe_b64encode(f"??>>{v}".encode()).decode().rstrip("="),
        lambda v: f"x{v}y",
    ],
)
def test_a_value_is_found_in_every_shape_with_one_stand_in(shape: Any) -> None:
    redactor = Redactor(KEY)
    value = 'p+ss/wörd "42"'
    name = redactor.event(sent(json={"password": value}))["request"]["json"]["password"]
    text = redactor.text(f"so {shape(value)} it is")
    whole = (
        text
        + "".join(
            base64.urlsafe_b64decode(run + "=" * (-len(run) % 4)).decode("utf-8", "replace")
            for run in re.findall(r"[A-Za-z0-9+/_-]{24,}", text)
            if len(run) % 4 != 1
        )
        + base64.b64decode(
            re.findall(r"[A-Za-z0-9+/]{24,}={0,2}", text + " AAAAAAAAAAAAAAAAAAAAAAAA")[0] + "=="
        ).decode("utf-8", "replace")
    )
    assert name in whole
    assert "wörd" not in whole.lower()


@pytest.mark.parametrize("held", [None, 64, 4])
@pytest.mark.parametrize("events", [False, True])
def test_a_value_cut_over_chunks_is_replaced_and_no_part_is_lost(held: int | None, events: bool) -> None:
    parts = (
        ["hel", "lo ", STRIPE[:5], STRIPE[5:20], STRIPE[20:], " bye", "!"]
        if held != 4
        else ["hi ", STRIPE[:9], STRIPE[9:], "!"]
    )
    frame = (lambda part: f"data: {json.dumps({'d': {'text': part}})}\n\n") if events else str
    stream = StreamRedactor(Redactor(KEY), held)
    out: list[dict[str, Any]] = []
    for at, part in enumerate(parts):
        out += stream.events({"k": "chunk", "id": "r1", "t": at, "text": frame(part)})
    out += stream.events({"k": "res", "id": "r1", "t": 99, "status": 200})
    text = "".join(event.get("text", "") for event in out)
    if events:
        text = "".join(json.loads(line[6:])["d"]["text"] for line in text.split("\n\n") if line)
    assert [event["t"] for event in out] == [*range(len(parts)), 99]
    assert re.fullmatch(r"(hello|hi) key_[a-z2-7]{12}( bye)?!", text)


@pytest.mark.parametrize("events", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("before", [0, 6, 13, 19])
def test_a_value_that_runs_past_what_is_held_is_replaced_whole(size: int, before: int, events: bool) -> None:
    said, rest = "hello there, you!! "[:before], " bye"
    parts = [*said, *(STRIPE[at : at + size] for at in range(0, len(STRIPE), size)), *(20 * rest)]
    frame = (lambda part: f"data: {json.dumps({'id': 'c-1', 'd': {'text': part}})}\n\n") if events else str
    stream = StreamRedactor(Redactor(KEY), 16)
    out: list[dict[str, Any]] = []
    for at, part in enumerate(parts):
        out += stream.events({"k": "chunk", "id": "r1", "t": at, "text": frame(part)})
    assert len(out) > 20
    out += stream.events({"k": "res", "id": "r1", "t": 999, "status": 200})
    assert [event["t"] for event in out] == [*range(len(parts)), 999]
    text = "".join(event.get("text", "") for event in out)
    if events:
        text = "".join(json.loads(line[6:])["d"]["text"] for line in text.split("\n\n") if line)
    before_it, _, after = text.partition("key_")
    assert before_it == said
    assert re.fullmatch(rf"[a-z2-7]{{12}}{20 * rest}", after), text


def test_a_stream_in_which_everything_is_replaced_is_not_held_for_ever() -> None:
    stream = StreamRedactor(Redactor(KEY), 4)
    out = [
        each for at in range(200) for each in stream.events({"k": "chunk", "id": "r1", "t": at, "text": STRIPE[:30]})
    ]
    assert len(out) > 100
    assert STRIPE[:20] not in json.dumps([*out, *stream.rest()])


def test_what_never_ends_is_given_at_the_end() -> None:
    stream = StreamRedactor(Redactor(KEY))
    assert stream.events({"k": "chunk", "id": "r1", "t": 0, "text": f"it is {STRIPE}"}) == []
    assert STRIPE not in json.dumps(given := stream.rest())
    assert len(given) == 1
    assert stream.rest() == []


def test_rules_name_headers_paths_patterns_and_kinds() -> None:
    rules = rules_of(
        [
            "header:X-Tenant",
            "json:$.user.email",
            "json:$.items[*].ref",
            r"pattern:ACC-\d+",
            "kind:phone",
            "kind:card",
            "kind:iban",
        ],
        defaults=False,
    )
    body = {
        "user": {"email": "a.b@example.com", "plan": "pro"},
        "items": [{"ref": 77}, {"ref": "x9"}],
        "note": "ACC-123 and +49 30 1234567, DE89 3704 0044 0532 0130 00, 4111 1111 1111 1111 and 4111 1111 1111 1112",
    }
    redacted = Redactor(KEY, rules).event(sent([("X-Tenant", "acme"), ("Authorization", "Bearer abc")], json=body))
    request = redacted["request"]
    assert request["headers"][1][1] == "Bearer abc"
    assert re.fullmatch(r"token_\w{12}", request["headers"][0][1])
    assert re.fullmatch(r"email_\w{12}", request["json"]["user"]["email"])
    assert request["json"]["user"]["plan"] == "pro"
    assert [item["ref"][:6] for item in request["json"]["items"]] == ["value_"] * 2
    assert re.fullmatch(
        r"value_\w{12} and phone_\w{12}, iban_\w{12}, card_\w{12} and 4111 1111 1111 1112", request["json"]["note"]
    )


@pytest.mark.parametrize(
    "rule",
    ["pattern:(", "pattern:(a+)+b", "pattern:x*", "kind:name", "json:", "colour:red", "email", "pattern:" + "a" * 600],
)
def test_a_rule_that_cannot_be_used_is_refused_in_one_line(rule: str) -> None:
    with pytest.raises(RedactionError) as error:
        rules_of([rule])
    assert "\n" not in str(error.value)


def test_another_key_gives_other_stand_ins_and_one_key_always_the_same() -> None:
    one, again, other = (stand_ins(Redactor(key).text(STRIPE))[0] for key in (KEY, KEY, OTHER))
    assert one == again != other


def test_redacting_what_is_redacted_changes_nothing() -> None:
    event = sent(
        [("Cookie", "sid=0f9e8d7c6b5a"), ("Authorization", f"Bearer {jwt(sub='zoe77')}")],
        json={"password": "hunter22", "q": f"password=hunter22 {STRIPE}"},
    )
    once = Redactor(KEY).event(event)
    assert Redactor(KEY).event(once) == once


def test_only_so_many_values_are_remembered() -> None:
    redactor = Redactor(KEY, most=50)
    for n in range(300):
        redactor.event(sent(json={"password": f"hunter-{n:05d}"}))
    assert redactor.text("hunter-00299") != "hunter-00299"
    assert redactor.text("hunter-00000") == "hunter-00000"
    assert len(redactor.pseudonyms.kinds) == 50


def test_the_key_is_made_once_for_the_user_alone(tmp_path: Path) -> None:
    key = redaction_key(tmp_path / "state")
    assert redaction_key(tmp_path / "state") == key
    assert len(key) == 32
    assert (tmp_path / "state" / "redaction.key").stat().st_mode & 0o777 == 0o600
    assert key.hex() not in key_id(key)
    (tmp_path / "state" / "redaction.key").write_bytes(b"short")
    with pytest.raises(RedactionError, match="is no key"):
        redaction_key(tmp_path / "state")


# ---- both halves on whole files


def written(folder: Path, events: Iterable[dict[str, Any]], name: str = "t.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    return path


SECRETS = st.sampled_from([*list(SHAPED)[:5], STRIPE, "hunter-22x", "0f9e8d7c6b5a4f3e"])
USERS = ("zoe.k@example.com", "tim.b@example.org", "ann.s@example.net")
ENCODED: dict[str, Any] = {
    "plain": lambda v: f"it is {v}.",
    "json": lambda v: json.dumps({"it": v}),
    "pieces": lambda v: v,
    "upper": lambda v: f"it is {v.upper()}.",
}


@st.composite
def traffic(draw: st.DrawFn) -> tuple[list[dict[str, Any]], set[str]]:
    """Three users with credentials, and answers that hold values of whoever; and which values are private."""
    events: list[dict[str, Any]] = [{"k": "header", "v": 1}]
    private: set[str] = set()
    own = {user: draw(st.sets(SECRETS, min_size=1, max_size=2)) for user in USERS}
    pool = sorted({value for values in own.values() for value in values} | set(USERS))
    for n in range(draw(st.integers(2, 7))):
        user = draw(st.sampled_from(USERS))
        secret = draw(st.sampled_from(sorted(own[user])))
        private.add(user)
        place = draw(st.sampled_from(["header", "cookie", "key", "text", "jwt"]))
        if place != "jwt":
            private.add(secret)
        headers: list[list[str]] = []
        body: dict[str, Any] = {"q": draw(st.sampled_from(["hello there", f"I am {user}", "what is the weather"]))}
        if place == "header":
            headers = [["X-Api-Key", secret]]
        elif place == "cookie" and not set(secret) & set(' ;"\n'):
            headers = [["Cookie", f"sid={secret}; theme=dark"]]
        elif place == "key":
            body["password"] = secret
        elif place == "jwt":
            headers = [["Authorization", f"Bearer {jwt(sub=user, n=n)}"]]
        else:
            body["note"] = f"password={secret} it is"
        at = n * 10
        events.append(
            {
                "k": "req",
                "id": f"r{n}",
                "t": at,
                "session": f"conv-{user[:3]}-{ord(user[0])}77",
                "user": user,
                "request": {"method": "POST", "path": "/x", "headers": headers, "json": body},
            }
        )
        leaked = draw(st.sampled_from(pool))
        shape = draw(st.sampled_from(sorted(ENCODED)))
        text = ENCODED[shape](leaked)
        if draw(st.booleans()):
            events.append(
                {"k": "up", "parent": f"r{n}", "t": at + 1, "dt": 1, "name": "llm", "in": {"prompt": text}, "out": "ok"}
            )
        if shape == "pieces":
            events += (
                {"k": "chunk", "id": f"r{n}", "t": at + 2, "text": text[i : i + 4]} for i in range(0, len(text), 4)
            )
            events.append({"k": "res", "id": f"r{n}", "t": at + 15, "status": 200})
        else:
            events.append({"k": "res", "id": f"r{n}", "t": at + 15, "status": 200, "json": {"reply": text}})
    return events, private


def crossings(path: Path) -> set[tuple[str, str, str, str, str]]:
    """Which request's values were found where. Lanes by the request, since their names are stand-ins too."""
    return {(f.kind, f.source.request, f.sink.request, f.sink.where, f.sink.path) for f in audit(path).findings}


@given(traffic())
@settings(max_examples=100, deadline=None)
def test_the_audit_of_a_redacted_trace_is_that_of_the_original_and_no_private_value_is_left(
    made: tuple[list[dict[str, Any]], set[str]],
) -> None:
    events, private = made
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = written(folder, events)
        out = folder / "redacted.jsonl"
        redact_file(raw, out, KEY, RedactionRules(kinds=frozenset({"email"})))
        assert crossings(out) == crossings(raw)
        left = out.read_text().lower()
        for value in private:
            shapes = {value, quote(value, safe=""), json.dumps(value)[1:-1]}
            assert not [shape for shape in shapes if shape.lower() in left]
            assert base64.b64encode(value.encode()).decode().rstrip("=")[:-2].lower() not in left
        redact_file(raw, folder / "other.jsonl", OTHER, RedactionRules(kinds=frozenset({"email"})))
        assert not set(stand_ins(left)) & set(stand_ins((folder / "other.jsonl").read_text()))


def test_a_redacted_trace_says_so_and_loads_as_the_same_requests(tmp_path: Path) -> None:
    raw = written(
        tmp_path,
        [
            sent([("Cookie", "theme=dark; x=0f9e8d7c6b5a")], json={"q": "hi"}),
            {"k": "res", "id": "r1", "t": 5, "text": "ok"},
            {"k": "end", "n": 1},
        ],
    )
    result = redact_file(raw, tmp_path / "out.jsonl.gz", KEY, RedactionRules())
    trace = load(tmp_path / "out.jsonl.gz")
    assert trace.header["redaction"] == {
        "scheme": "hmac-v1",
        "key_id": key_id(KEY),
        "fields": RedactionRules().fields(),
    }
    assert [(r.id, r.session) for r in trace.requests] == [("r1", "s1")]
    assert trace.closed
    assert result.counts == {"cookie": 2}


def test_the_trace_itself_and_one_of_another_key_are_refused(tmp_path: Path) -> None:
    raw = written(tmp_path, [sent(json={"q": STRIPE})])
    with pytest.raises(RedactionError, match="the trace itself"):
        redact_file(raw, raw, KEY, RedactionRules())
    redact_file(raw, tmp_path / "one.jsonl", KEY, RedactionRules())
    with pytest.raises(RedactionError, match="another key"):
        redact_file(tmp_path / "one.jsonl", tmp_path / "two.jsonl", OTHER, RedactionRules())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "t.jsonl"]


def test_a_body_beside_the_trace_is_taken_in(tmp_path: Path) -> None:
    name = "a" * 64
    (tmp_path / "t.blobs").mkdir()
    (tmp_path / "t.blobs" / name).write_text(json.dumps({"password": "hunter22"}))
    raw = written(tmp_path, [sent(json={"q": "hi"}), {"k": "res", "id": "r1", "t": 5, "ref": name}])
    redact_file(raw, tmp_path / "out.jsonl", KEY, RedactionRules())
    body = load(tmp_path / "out.jsonl").exchanges[0].response
    assert body is not None
    assert body.body["password"].startswith("secret_")


@given(st.recursive(st.text(max_size=40) | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False), lambda c: st.lists(c, max_size=3) | st.dictionaries(st.sampled_from(["headers", "password", "claims", "b64", "text", "request", "json", "id", "k"]) | st.text(max_size=5), c, max_size=4)))  # fmt: skip
def test_no_event_whatever_it_holds_breaks_a_redactor(value: Any) -> None:
    redactor = StreamRedactor(Redactor(KEY, rules_of(["json:$.*", "kind:card", "kind:iban", "kind:phone"])))
    for kind in ("req", "res", "up", "chunk", "header", "new", "end"):
        redactor.events(
            {
                "k": kind,
                "headers": value,
                "request": value,
                "json": value,
                "body": value,
                "claims": value,
                "b64": value,
                "text": value,
                "x": value,
            }
        )


@pytest.mark.parametrize(
    "event",
    [
        {"query": "token=SECRET12345&page=2"},
        {"query": "a=1&sig=SECRET12345"},
        {"query": "code=SECRET12345&state=x"},
        {"json": {"token": "SECRET12345"}},
        {"json": {"pwd": "SECRETpass"}},
        {"json": {"otp": "482913"}},
        {"text": "user=a&token=SECRET12345"},
        {"text": '--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nSECRET12345\r\n--x--'},
        {"headers": [["X-My-Token", "SECRET12345"]]},
    ],
)
def test_places_that_often_hold_a_secret_are_looked_at_by_value(event: dict):
    redactor = Redactor(b"k" * 32)
    told = json.dumps(redactor.event({"k": "req", "id": "r1", "t": 1, "session": "s", "path": "/", **event}))
    assert "SECRET" not in told
    assert "482913" not in told


@pytest.mark.parametrize(
    "event",
    [
        {"json": {"token": "Hello"}},
        {"json": {"token": " the", "code": "invalid_request", "key": "profile"}},
        {"query": "key=name&code=de"},
        {"headers": [["X-Max-Tokens", "500"]]},
    ],
)
def test_what_only_sounds_like_a_secret_stays(event: dict):
    given = {"k": "req", "id": "r1", "t": 1, "session": "s", "path": "/", **event}
    assert Redactor(b"k" * 32).event(given) == given


def websocket(redactor: StreamRedactor, identity: str, *messages: str) -> list[str]:
    out = redactor.events({"k": "req", "id": identity, "t": 0, "user": "u1", "path": "/ws", "messages": []})
    for message in messages:
        out += redactor.events({"k": "chunk", "id": identity, "t": 1, "text": message})
    out += redactor.events({"k": "res", "id": identity, "t": 2})
    return [event["text"] for event in out if event["k"] == "chunk"]


@pytest.mark.parametrize("held", [None, 2, 16])
def test_a_secret_in_a_websocket_message_does_not_take_the_next_message_with_it(held: int | None) -> None:
    secret = "sk-proj-" + "abcDEF1234567890abcdefGHIJKLMNOP"
    redactor = StreamRedactor(Redactor(KEY), held)
    told = websocket(redactor, "r1", secret, "hello", f"as JSON {secret}", "and_so_on")
    assert told == [told[0], "hello", f"as JSON {told[0]}", "and_so_on"]
    assert re.fullmatch(r"key_[a-z2-7]{12}", told[0])
    assert websocket(redactor, "r2", secret, "hello") == told[:2]


def test_a_secret_spelled_out_in_websocket_messages_is_found_still() -> None:
    redactor = StreamRedactor(Redactor(KEY))
    told = websocket(redactor, "r1", "so ", STRIPE[:5], STRIPE[5:20], STRIPE[20:], " it is")
    assert re.fullmatch(r"so key_[a-z2-7]{12} it is", "".join(told))
    assert "".join(websocket(redactor, "r2", STRIPE[:20], STRIPE[20:])) == "".join(told)[3:-6]


def test_messages_that_follow_a_question_for_a_key_stay_as_they_are() -> None:
    told = websocket(StreamRedactor(Redactor(KEY)), "r1", "What is your API key:", "Thanks, checking")
    assert told == ["What is your API key:", "Thanks, checking"]


@pytest.mark.parametrize("events", [False, True])
def test_a_known_key_that_ends_with_a_part_of_a_stream_leaves_the_next_part_alone(events: bool) -> None:
    secret = "sk-proj-" + "abcDEF1234567890abcdefGHIJKLMNOP"
    frame = (lambda part: f"data: {json.dumps({'text': part})}\n\n") if events else str
    stream = StreamRedactor(Redactor(KEY))
    [first] = stream.events(sent(json={"q": secret}))
    parts = [frame(secret), frame("hello "), frame(STRIPE[:10]), frame(STRIPE[10:])]
    for part in parts:
        stream.events({"k": "chunk", "id": "r1", "t": 1, "text": part})
    told = "".join(event["text"] for event in stream.rest())
    [stand_in] = stand_ins(first)
    assert stand_in in told
    assert "hello" in told
    assert STRIPE[:10] not in told
    assert STRIPE[10:] not in told


@pytest.mark.parametrize("value", ["O'Brien & Sons", 'Zoë "Ix" D\'Arc <a>', "plain-value-77"])
@pytest.mark.parametrize(
    "shape",
    [
        html.escape,
        lambda v: html.escape(v).replace("&#x27;", "&#39;"),
        lambda v: html.escape(v, quote=False),
        lambda v: html.escape(v).encode("ascii", "xmlcharrefreplace").decode(),
        lambda v: "".join(f"&#{ord(c)};" for c in v),
        lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
        lambda v: "".join(f"\\u{ord(c):04X}" for c in v),
        lambda v: v.encode().hex(),
        lambda v: f"so {v} it is".encode().hex(),
        lambda v: v.encode().hex().upper(),
        lambda v: "".join(f"%{byte:02X}" for byte in v.encode()),
        lambda v: base64.b64encode(v.encode("utf-16-le")).decode(),
        lambda v: base64.b64encode(f"so {v} it is".encode("utf-16-be")).decode(),
    ],
)
def test_a_value_written_in_codes_is_found_as_well(shape: Any, value: str) -> None:
    redactor = Redactor(KEY, rules_of(["json:$.name"]))
    name = redactor.event(sent(json={"name": value}))["request"]["json"]["name"]
    text = redactor.event({"k": "res", "id": "r1", "t": 1, "text": f"so {shape(value)}."})["text"]
    assert shape(value) not in text
    runs = [base64.b64decode(run + "=" * (-len(run) % 4)) for run in re.findall(r"[A-Za-z0-9+/]{12,}={0,2}", text)]
    wide = "".join(run.decode("utf-16-le", "replace") + run.decode("utf-16-be", "replace") for run in runs)
    assert name in text + wide


def test_a_short_value_is_not_looked_for_in_codes() -> None:
    redactor = Redactor(KEY, rules_of(["json:$.name"]))
    redactor.event(sent(json={"name": "abcd"}))
    assert redactor.text("digest 61626364") == "digest 61626364"


def test_a_path_of_a_rule_leads_into_content_and_never_to_the_traces_own_members() -> None:
    redactor = Redactor(KEY, rules_of(["json:$.name", "json:$.method", "json:$.text"]))
    request = redactor.event(
        {"k": "req", "id": "r1", "t": 1, "path": "/chat", "method": "POST", "json": {"name": "Al B"}}
    )
    call = redactor.event({"k": "up", "parent": "r1", "t": 2, "name": "chat", "in": {"name": "Al B"}, "out": {"x": 1}})
    answer = redactor.event({"k": "res", "id": "r1", "t": 3, "text": "we chat"})
    assert (request["method"], call["name"], answer["text"]) == ("POST", "chat", "we chat")
    assert request["json"]["name"] == call["in"]["name"] != "Al B"


@pytest.mark.parametrize("path", ["$..[", "$", "$.", "$..user", "a..b", "$.a[", "$.a[b]", "$.a.", "$user", "", "$.a b"])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(RedactionError, match=r"cannot read the (path|rule)"):
        rules_of([f"json:{path}"])


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("$.user.email", ("user", "email")),
        ("user.email", ("user", "email")),
        ("$.items[*].name", ("items", "*", "name")),
        ("$[0]['full name']", ("0", "full name")),
        ("$.*", ("*",)),
    ],
)
def test_a_path_is_read_step_by_step(path: str, steps: tuple[str, ...]) -> None:
    assert rules_of([f"json:{path}"]).paths == (steps,)


def test_rules_that_match_nothing_are_named(tmp_path: Path) -> None:
    rules = ["json:$.user.emial", "json:$.user.email", "header:x-nobody", "header:X-User", "kind:card", "pattern:ORD-\\d+",
             "pattern:ACC-\\d+", "kind:email"]  # fmt: skip
    event = sent([("x-user", "u1")], json={"user": {"email": "a@example.com"}, "q": "mail b@example.com about ORD-17"})
    (tmp_path / "t.jsonl").write_text(json.dumps(event) + "\n")
    done = redact_file(tmp_path / "t.jsonl", tmp_path / "out.jsonl", KEY, rules_of(rules))
    assert done.unmet == ("json:$.user.emial", "header:x-nobody", "kind:card", "pattern:ACC-\\d+")
