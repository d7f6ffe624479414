"""Cancelled requests, time limits and failing upstream calls; prompts, logs and derived values; sharing on purpose.
Each bug stands beside its fixed twin, which must be clean."""

from __future__ import annotations

import pytest
from crosslane.replay.allow import Allow

from .conftest import Bench, turns

SECRETS = turns(("s1", "alice", "my code is ZX-4411"), ("s2", "bob", "my code is QW-9922"))

POOL = """
    import asyncio

    class Connection:
        def __init__(self):
            self.replies = []
        async def ask(self, text):
            self.replies.append("echo " + text)
            await asyncio.sleep(0.01)
            return self.replies.pop(0)

    class Pool:
        def __init__(self):
            self.idle = [Connection(), Connection()]
        def take(self):
            return self.idle.pop()
        def put(self, connection):
            self.idle.append(connection)

    pool = Pool()

    async def handle(user, message):
        connection = pool.take()
        try:
            return await connection.ask(message)
        finally:
            {clean}
            pool.put(connection)
    """


async def test_a_connection_left_dirty_by_a_cancelled_request_is_found(bench: Bench) -> None:
    leaking = await bench.run(POOL.format(clean="pass"), SECRETS)
    (crossing,) = leaking.report.crossings
    assert (crossing.needs.cls, crossing.needs.switches) == ("cancellation", 0)
    assert any(step.get("action") == "cancel" for step in crossing.schedule)
    assert crossing.carrier is not None
    assert crossing.carrier.name.endswith(".replies")
    assert "finally" in crossing.fix
    clean = await bench.run(POOL.format(clean="connection.replies.clear()"), SECRETS)
    assert clean.report.verdict == "clean", clean.report.reason
    assert "cancelled" in clean.report.coverage.statement


async def test_a_time_limit_that_passes_first_is_tried(bench: Bench) -> None:
    source = """
        import asyncio
        inbox = asyncio.Queue()
        async def worker(message):
            await asyncio.sleep(0.01)
            inbox.put_nowait(message)
        async def handle(message):
            try:
                async with asyncio.timeout(5):
                    await worker(message)
                    return inbox.get_nowait()
            except TimeoutError:
                {late}
                return "try again later"
        """
    leaking = await bench.run(source.format(late="inbox.put_nowait(message)"), SECRETS)
    (crossing,) = leaking.report.crossings
    assert crossing.needs.cls == "cancellation"
    assert any(step.get("action") == "timeout" for step in crossing.schedule)
    clean = await bench.run(source.format(late="pass"), SECRETS)
    assert clean.report.verdict == "clean", clean.report.reason


UPSTREAM = """
    import asyncio
    notes = []

    class EchoLLM:
        async def complete(self, prompt):
            await asyncio.sleep(0.01)
            return "ok"

    llm = EchoLLM()

    async def handle(message):
        notes.append(message)
        try:
            answer = await llm.complete(" ".join(notes))
        except ConnectionError:
            return "sorry"
        except asyncio.CancelledError:
            notes.clear()
            raise
        {end}
        return answer
    """


async def test_a_failing_upstream_call_is_tried_and_its_prompt_is_a_sink(bench: Bench) -> None:
    result = await bench.run(
        UPSTREAM.format(end="notes.clear()"), SECRETS, upstream_calls=("EchoLLM.complete",), concurrency=1
    )
    (crossing,) = result.report.crossings
    assert (crossing.needs.cls, crossing.sink.where) == ("exception", "upstream")
    assert crossing.sink.path == "upstream.EchoLLM.complete[0].prompt"
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.notes"


async def test_a_prompt_is_a_sink_though_the_answer_shows_nothing(bench: Bench) -> None:
    leaking = await bench.run(UPSTREAM.format(end="pass"), SECRETS, upstream_calls=("llm.complete",))
    assert {c.sink.where for c in leaking.report.crossings} == {"upstream"}
    unnamed = await bench.run(UPSTREAM.format(end="pass"), SECRETS)
    assert unnamed.report.verdict == "clean"
    source = UPSTREAM.format(end="pass").replace("notes.append(message)", "notes = [message]")
    clean = await bench.run(source, SECRETS, upstream_calls=("llm.complete",))
    assert clean.report.verdict == "clean", clean.report.reason


@pytest.mark.parametrize(
    ("logged", "verdict"),
    [
        ('"served %s", current', "contaminated"),
        ('"served", extra={"about": {"who": [current]}}', "contaminated"),
        ('"served %s", message, extra={"who": message, "about": Everything()}', "clean"),
    ],
    ids=["in its text", "in its extra fields", "one's own, and an object that leads to all"],
)
async def test_a_log_record_is_a_sink(bench: Bench, logged: str, verdict: str) -> None:
    result = await bench.run(
        f"""
        import asyncio, logging
        log = logging.getLogger("agent.audit")
        current = ""
        class Everything:
            def __init__(self):
                self.current = current
        async def handle(message):
            global current
            current = message
            await asyncio.sleep(0)
            log.info({logged})
            log.warning({logged})
            return "done"
        """,
        SECRETS,
    )
    assert result.report.verdict == verdict, result.report.reason
    if verdict == "contaminated":
        sink = result.report.crossings[0].sink
        assert (sink.where, sink.path) == ("log", "log.agent.audit[0]")


@pytest.mark.parametrize(
    ("made", "word"),
    [
        ("hashlib.sha256(last.encode()).hexdigest()", "sha256"),
        ("base64.b64encode(last.encode()).decode()", "base64"),
        ("last[::-1]", "reversal"),
        ("len(last)", "depends on what"),
        ("sum(map(ord, last))", "depends on what"),
    ],
)
async def test_a_value_derived_from_another_users_words_is_found(bench: Bench, made: str, word: str) -> None:
    source = """
        import asyncio, base64, hashlib
        last = ""
        async def handle(message):
            global last
            {owner} = message
            await asyncio.sleep(0)
            return {{"etag": {made}}}
        """
    leaking = await bench.run(
        source.format(made=made, owner="last"), turns(("s1", "alice", "my code is ZX-4411"), ("s2", "bob", "hello"))
    )
    crossing = leaking.report.crossings[0]
    assert crossing.kind == "derived"
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.last"
    assert word in crossing.explained
    clean = await bench.run(source.format(made=made, owner="last").replace("global last", "pass"), SECRETS)
    assert clean.report.verdict == "clean", clean.report.reason


SHARED_ON_PURPOSE = {
    "an FAQ cache": """
        import asyncio
        faq = {}
        async def handle(message):
            hit = message in faq
            if not hit:
                await asyncio.sleep(0)
                faq[message] = "answer to " + message
            return {"reply": faq[message], "cached": hit}
        """,
    "a rate limit": """
        import asyncio
        count = 0
        async def handle(message):
            global count
            count += 1
            await asyncio.sleep(0)
            return {"remaining": 100 - count}
        """,
    "a version number": """
        import asyncio
        version = 0
        async def handle(message):
            global version
            seen = version
            await asyncio.sleep(0)
            if version != seen:
                return "conflict, try again"
            version += 1
            return f"saved as version {version}"
        """,
    "a global that is written and never read": """
        import asyncio
        last_message = None
        async def handle(message):
            global last_message
            last_message = message
            await asyncio.sleep(0)
            return "thanks"
        """,
    "a pool whose objects are reset": """
        import asyncio
        idle = [{}]
        async def handle(user, message):
            buffer = idle.pop() if idle else {}
            buffer.clear()
            buffer[user] = message
            await asyncio.sleep(0)
            answer = dict(buffer)
            idle.append(buffer)
            return answer
        """,
    "an answer at random": """
        import asyncio, random, uuid, time
        async def handle(message):
            await asyncio.sleep(random.random())
            return {"id": str(uuid.uuid4()), "n": random.randint(0, 10**9), "at": time.time(), "names": list({"a", "b", message})}
        """,
    "a cached prompt with an equal question": """
        import asyncio
        cache = {}
        async def handle(user, message):
            if message not in cache:
                cache[message] = len(message)
                await asyncio.sleep(0)
            return {"user": user, "length": len(message)}
        """,
}


@pytest.mark.parametrize("what", SHARED_ON_PURPOSE)
async def test_what_is_shared_on_purpose_is_not_accused(bench: Bench, what: str) -> None:
    result = await bench.run(SHARED_ON_PURPOSE[what], SECRETS)
    assert result.report.crossings == (), what
    assert result.report.verdict == "clean", result.report.reason


async def test_users_who_share_a_name_or_quote_each_other_are_not_accused(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        async def handle(message):
            await asyncio.sleep(0)
            return "you said: " + message
        """,
        turns(("s1", "sam", "I am Sam Porter, ask Sam Rivera"), ("s2", "sam2", "I am Sam Rivera, ask Sam Porter")),
    )
    assert result.report.verdict == "clean", result.report.reason


ROOM = """
    import asyncio
    room = []
    hidden = []
    async def handle(user, message):
        room.append(message)
        hidden.append(message)
        await asyncio.sleep(0)
        return {{"room": room, "hidden": {hidden}}}
    """


async def test_declared_sharing_is_allowed_and_said_and_hides_nothing_else(bench: Bench) -> None:
    rule = Allow(("alice", "bob"), "agent.room", "body.room*", "members of one room")
    allowed = await bench.run(ROOM.format(hidden="0"), SECRETS, allow=(rule,))
    assert allowed.report.verdict == "clean", allowed.report.reason
    assert {(a.carrier, a.reason) for a in allowed.report.allowed} == {("agent.room", "members of one room")}
    other = await bench.run(ROOM.format(hidden="hidden"), SECRETS, allow=(rule,))
    assert {c.carrier.name for c in other.report.crossings if c.carrier} == {"agent.hidden"}
    elsewhere = await bench.run(ROOM.format(hidden="0"), SECRETS, allow=(Allow(("alice", "carol"), "", "", "x"),))
    assert elsewhere.report.verdict == "contaminated"


async def test_state_that_surfaces_only_in_a_later_request_is_found(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        saved = {}
        drafts = {}
        async def handle(user, message):
            await asyncio.sleep(0)
            answer = saved.get(user, "nothing yet")
            for name in drafts:
                saved[name] = message
            drafts[user] = 1
            return answer
        """,
        SECRETS,
    )
    (crossing,) = result.report.crossings
    assert "once more" in crossing.explained


async def test_two_users_who_ask_the_same_are_tried(bench: Bench) -> None:
    source = """
        import asyncio
        accounts = {{"alice": "IBAN DE1111222233334444", "bob": "IBAN FR9999888877776666"}}
        cache = {{}}
        async def handle(user, message):
            await asyncio.sleep(0)
            if {key} not in cache:
                cache[{key}] = accounts[user]
            return cache[{key}]
        """
    lines = turns(("s1", "alice", "what is my account?"), ("s2", "bob", "show me my number"))
    leaking = await bench.run(source.format(key="message"), lines)
    assert leaking.report.verdict == "contaminated"
    assert "says the same" in leaking.report.crossings[0].explained
    clean = await bench.run(source.format(key="(user, message)"), lines)
    assert clean.report.verdict == "clean", clean.report.reason


async def test_every_distinct_cause_is_reported(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        class Agent:
            last = ""
        log = []
        current = ""
        async def handle(message):
            global current
            log.append(message)
            Agent.last, seen = message, Agent.last
            current = message
            await asyncio.sleep(0)
            return {"log": list(log), "last": seen, "current": current}
        """,
        SECRETS,
    )
    assert {c.carrier.name for c in result.report.crossings if c.carrier} == {
        "agent.log",
        "Agent.last",
        "agent.current",
    }


async def test_what_differs_by_itself_is_named_with_its_source_and_accuses_nobody(bench: Bench) -> None:
    source = """
        import asyncio, datetime
        async def handle(message):
            await asyncio.sleep(0)
            return {"reply": message, "at": datetime.datetime.now().isoformat(), "object": id(object())}
        """
    result = await bench.run(source, SECRETS)
    assert result.report.verdict == "clean", result.report.reason
    assert any(
        "body.at of r1 differs by itself" in w and "datetime.now() at agent.py:5" in w for w in result.report.warnings
    )


async def test_a_length_is_found_though_both_users_wrote_equally_much(bench: Bench) -> None:
    source = """
        import asyncio
        last = ""
        async def handle(message):
            global last
            {mine}last = message
            await asyncio.sleep(0)
            return {{"characters": len({mine}last)}}
        """
    leaking = await bench.run(source.format(mine=""), SECRETS)
    assert leaking.report.verdict == "contaminated", leaking.report.reason
    (crossing,) = leaking.report.crossings
    assert crossing.kind == "derived"
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.last"
    clean = await bench.run(source.format(mine="my_"), SECRETS)
    assert clean.report.verdict == "clean", clean.report.reason
