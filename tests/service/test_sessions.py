"""Tokens of the recording have expired: a replay sends what the service issues this time, and compares as if it had not."""

from __future__ import annotations

from .services import GLOBAL, TWO, Stand, posted

LOGIN = """
import secrets
users = {}

async def handle(path, headers, body):
    if path == "/login":
        token = "tok_" + secrets.token_hex(8)
        users[token] = body["user"]
        return {"ok": True}, f"set-cookie: sid={token}; Path=/\\r\\n"
    token = headers.get("cookie", "").removeprefix("sid=")
    if token not in users:
        return {"error": "who are you?"}
    await ask("hello")
    return {"reply": f"{users[token]} is here", "token": token}
"""


def logged_in(lane: str, number: int, token: str):
    cookie = (("Set-Cookie", f"sid={token}; Path=/"),)
    login = posted(
        f"r{number}", lane, lane, {"user": lane}, number, "/login", answered={"ok": True}, answered_headers=cookie
    )
    chat = posted(f"r{number + 1}", lane, lane, {"message": "hi"}, number + 1, headers={"cookie": f"sid={token}"})
    return login, chat


async def test_a_cookie_of_this_login_takes_the_place_of_the_recorded_one(stand: Stand) -> None:
    exchanges = (*logged_in("alice", 1, "tok_1111aaaa"), *logged_in("bob", 3, "tok_2222bbbb"))
    result = await stand.run(LOGIN, exchanges, action="replay")
    bodies = {outcome.request: outcome.body for outcome in result.run.outcomes}
    assert bodies["r2"] == {"reply": "alice is here", "token": "tok_1111aaaa"}
    assert bodies["r4"] == {"reply": "bob is here", "token": "tok_2222bbbb"}
    assert (result.report.verdict, result.report.influences) == ("clean", ())


async def test_a_login_that_issues_nothing_any_more_is_said(stand: Stand) -> None:
    exchanges = (*logged_in("alice", 1, "tok_1111aaaa"), *logged_in("bob", 3, "tok_2222bbbb"))
    source = LOGIN.replace('f"set-cookie: sid={token}; Path=/\\r\\n"', '""')
    report = (await stand.run(source, exchanges, action="replay", keep_state=True)).report
    assert any(
        "nothing was issued this time where something was when recorded (r1: cookie sid)" in w for w in report.warnings
    )


async def test_fresh_sessions_do_not_meet_what_earlier_executions_left_in_theirs(stand: Stand) -> None:
    source = """
    history = {}

    async def handle(path, headers, body):
        turns = history.setdefault(headers["x-session-id"], [])
        turns.append(body["message"])
        await ask("hello")
        return {"turns": len(turns), "session": headers["x-session-id"]}
    """
    exchanges = tuple(
        posted(f"r{n}", session, user, {"message": "hi"}, n, headers={"x-session-id": session})
        for n, (session, user) in enumerate((("conv-aa11bb", "ann"), ("conv-cc22dd", "ben")), 1)
    )
    fresh = await stand.run(source, exchanges, action="replay", keep_state=True, identity="fresh")
    assert [o.body for o in fresh.run.outcomes] == [
        {"turns": 1, "session": "conv-aa11bb"},
        {"turns": 1, "session": "conv-cc22dd"},
    ]
    recorded = await stand.run(source, exchanges, action="replay", keep_state=True)
    assert [o.body["turns"] for o in recorded.run.outcomes] == [3, 3]


async def test_a_bug_is_found_with_fresh_sessions_as_well(stand: Stand) -> None:
    assert (await stand.run(GLOBAL, TWO, action="replay", identity="fresh")).report.verdict == "contaminated"
