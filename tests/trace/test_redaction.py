from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from crosslane.replay.errors import SettingsError
from crosslane.replay.trace.redaction import Redactor, Rules
from crosslane.replay.trace.redaction_key import key_id, redaction_key
from hypothesis import given
from hypothesis import strategies as st

KEY = b"k" * 32
TOKEN = "tok9f8e7d6c5b4a3"


def redact(*events: dict, rules: tuple[str, ...] = (), key: bytes = KEY) -> list[dict]:
    redactor = Redactor(key, Rules.of(rules))
    return [written for event in events for written in redactor.events(event)]


def req(**members) -> dict:
    return {"k": "req", "id": "r1", "t": 1, "session": "s1", "method": "POST", "path": "/", "headers": [], **members}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("Authorization", f"Bearer {TOKEN}", "Bearer secret_"),
        ("authorization", f"Basic {base64.b64encode(b'alice:pw').decode()}", "Basic secret_"),
        ("X-Api-Key", TOKEN, "secret_"),
        ("Cookie", f"sid={TOKEN}; theme=dark", "sid=secret_"),
        ("Set-Cookie", f"sid={TOKEN}; Path=/; HttpOnly", "sid=secret_"),
    ],
)
def test_credentials_in_headers_are_replaced_and_the_rest_of_the_header_stays(name: str, value: str, kept: str):
    ((told, shown),) = redact(req(headers=[[name, value]]))[0]["headers"]
    assert told == name
    assert shown.startswith(kept)
    assert TOKEN not in shown
    if name == "Set-Cookie":
        assert shown.endswith("; Path=/; HttpOnly")


@pytest.mark.parametrize(
    "token",
    [
        "sk-proj-" + "aB3" * 10,
        "sk-ant-api03-" + "xY9" * 10,
        "ghp_" + "a1B2" * 9,
        "AKIA" + "ABCD1234EFGH5678",
        "xoxb-1234567890-abcdefghij",
        "AIza" + "a" * 35,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_known_token_shapes_are_replaced_wherever_they_stand(token: str):
    written = redact(
        req(json={"message": f"my key is {token}, keep it", "deep": [{"a": token}]}),
        {"k": "up", "parent": "r1", "t": 2, "in": {"json": json.dumps({"m": token})}, "out": None},
    )
    assert token not in json.dumps(written).replace("\\n", "\n")
    assert "secret_" in written[0]["json"]["message"]
    assert written[0]["json"]["message"].startswith("my key is ")


def test_values_under_secret_keys_are_replaced_in_bodies_queries_and_json_inside_texts():
    event = req(
        query=f"a=1&api_key={TOKEN}",
        json={"password": "hunter2hunter2", "max_tokens": 5, "args": '{"secret": "s3cr3ts3cr3t"}'},
    )
    (written,) = redact(event)
    text = json.dumps(written)
    assert "hunter2" not in text
    assert "s3cr3t" not in text
    assert TOKEN not in text
    assert written["json"]["max_tokens"] == 5
    assert written["query"].startswith("a=1&api_key=secret_")


def test_a_secret_of_one_request_is_the_same_stand_in_in_anothers_answer_in_every_shape():
    """The crossing stays visible: that is what the pseudonym is for."""
    alice = req(headers=[["Authorization", "Bearer ab/cd+12-" + TOKEN]])
    secret = "ab/cd+12-" + TOKEN
    shapes = [
        f"your token is {secret}.",
        f"https://x/?t={quote(secret, safe='')}",
        secret.upper(),
        "see " + base64.b64encode(f"token={secret};".encode()).decode(),
        json.dumps({"t": secret}),
    ]
    stand_in = redact(alice)[0]["headers"][0][1].removeprefix("Bearer ")
    for shape in shapes:
        bob = {"k": "res", "id": "r2", "t": 9, "status": 200, "json": {"reply": shape}}
        reply = redact(alice, bob)[1]["json"]["reply"]
        assert TOKEN not in reply
        assert TOKEN.upper() not in reply
        decoded = base64.b64decode(reply.removeprefix("see ")).decode() if reply.startswith("see ") else reply
        assert stand_in in decoded, shape


def test_a_secret_that_is_cut_over_parts_of_a_stream_is_replaced():
    parts = [f"data: {TOKEN[:6]}", TOKEN[6:], " and more\n\n", f"again {TOKEN[:3]}", TOKEN[3:]]
    events = [{"k": "chunk", "id": "r2", "t": n, "text": text} for n, text in enumerate(parts)]
    written = redact(req(headers=[["X-Api-Key", TOKEN]]), *events, {"k": "res", "id": "r2", "t": 9, "status": 200})
    text = "".join(event["text"] for event in written if event["k"] == "chunk")
    stand_in = written[0]["headers"][0][1]
    assert text == f"data: {stand_in} and more\n\nagain {stand_in}"


def test_what_the_user_names_is_replaced_everywhere():
    event = req(
        headers=[["X-Tenant", "acme-corp"]],
        query="card=1&coupon=SPRING-77",
        json={
            "user": {"email": "alice@example.com", "name": "Alice Cooper"},
            "message": "I am Alice Cooper, alice@example.com, account ACC-123456, card 4111 1111 1111 1111",
        },
    )
    rules = ("header:x-tenant", "query:coupon", "json:$.user.name", "pattern:ACC-[0-9]+", "kind:email", "kind:card")
    (written,) = redact(event, rules=rules)
    text = json.dumps(written)
    for value in ("acme-corp", "SPRING-77", "Cooper", "alice@example.com", "ACC-123456", "4111"):
        assert value not in text
    assert "@redacted.invalid" in written["json"]["user"]["email"]
    assert written["json"]["user"]["name"] in written["json"]["message"]


def test_ordinary_words_of_a_cookie_stay_words_elsewhere():
    (written,) = redact(req(headers=[["Cookie", "theme=dark"]], json={"message": "the dark side"}))
    assert written["json"]["message"] == "the dark side"
    assert "dark" not in written["headers"][0][1]


def test_a_session_that_a_cookie_named_is_named_by_its_stand_in():
    event = req(
        session="sess-1234567890",
        headers=[["Cookie", "sid=sess-1234567890"]],
        claims=[["session", "sess-1234567890", "cookie:sid"]],
    )
    (written,) = redact(event)
    assert written["session"] == written["claims"][0][1] == written["headers"][0][1].removeprefix("sid=")
    assert "sess-" not in json.dumps(written)


def test_redacting_twice_changes_nothing_more():
    event = req(headers=[["X-Api-Key", TOKEN]], json={"message": f"it is {TOKEN}, mail a@b.example"})
    (once,) = redact(event, rules=("kind:email",))
    (twice,) = redact(once, rules=("kind:email",))
    assert twice == once


def test_another_key_gives_other_stand_ins():
    event = req(headers=[["X-Api-Key", TOKEN]])
    assert redact(event) != redact(event, key=b"x" * 32)


def test_the_event_that_is_given_stays_as_it_is():
    event = req(headers=[["X-Api-Key", TOKEN]], json={"password": "pppppppp1"})
    before = json.dumps(event)
    redact(event)
    assert json.dumps(event) == before


def test_memory_stays_bounded():
    redactor = Redactor(KEY, Rules.of(()), most=100)
    for number in range(1000):
        redactor.events(req(headers=[["X-Api-Key", f"{TOKEN}{number}"]]))
    assert len(redactor.stand_ins) <= 100
    (written,) = redactor.events(req(json={"message": f"see {TOKEN}999"}))
    assert TOKEN not in written["json"]["message"]


@pytest.mark.parametrize("rule", ["email", "header:", "json:user", "pattern:(", "kind:name", ""])
def test_a_rule_that_cannot_be_read_is_one_clear_line(rule: str):
    with pytest.raises(SettingsError, match=r"cannot (read the rule|be read)"):
        Rules.of((rule,))


def test_the_key_is_made_once_for_its_owner_alone_and_can_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CROSSLANE_STATE_DIR", str(tmp_path / "state"))
    key = redaction_key()
    assert redaction_key() == key
    assert (tmp_path / "state" / "redaction.key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("CROSSLANE_REDACTION_KEY", "shared between two machines")
    assert redaction_key() != key
    assert key.hex() not in key_id(key)


values = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)


@given(values, values, st.sampled_from(["plain", "url", "json", "base64"]))
def test_whatever_the_text_a_secret_in_it_is_gone_and_the_same_everywhere(before: str, after: str, shape: str):
    text = f"{before} {TOKEN} {after}"
    if shape == "url":
        text = quote(text)
    elif shape == "json":
        text = json.dumps({"a": text})
    elif shape == "base64":
        text = base64.b64encode(text.encode()).decode()
    header = req(headers=[["X-Api-Key", TOKEN]])
    written = redact(header, {"k": "res", "id": "r1", "t": 2, "json": {"reply": text}})
    reply = written[1]["json"]["reply"]
    printable = f"{before} {TOKEN} {after}".replace("\n", " ").replace("\t", " ").isprintable()
    if shape == "base64":
        if printable:
            assert TOKEN not in base64.b64decode(reply).decode()
        return
    assert TOKEN not in reply
    assert written[0]["headers"][0][1] in reply
