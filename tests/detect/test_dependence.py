"""What is another's although nobody said it; and what looks so because of the clock, the memory or the program."""

from __future__ import annotations

import pytest

from ..conftest import Bench, turns

LAST = """
    import asyncio, base64, datetime, hashlib, logging, random, secrets, select, time
    log = logging.getLogger("agent.audit")
    last = {}
    async def think(prompt):
        await asyncio.sleep(0)
        return "fine"
    async def handle(user, message):
        before = last.get(KEY, "")
        last[KEY] = PUT
        await asyncio.sleep(0)
        BODY
    """


def agent(body: str, put: str = "message", key: str = "'all'") -> str:
    return LAST.replace("KEY", key).replace("PUT", put).replace("BODY", body)


@pytest.mark.parametrize(
    ("body", "where", "path"),
    [
        ("log.info('%s', base64.b64encode(before.encode())); return message", "log", "log.agent.audit[0]"),
        ("await think(before[::-1]); return message", "upstream", "upstream.think[0].prompt"),
        ("[await think('') for _ in before]; return message", "upstream", "upstream.think[]"),
    ],
    ids=["a log record", "a prompt", "the number of calls"],
)
async def test_what_depends_on_anothers_words_is_found_in_every_sink(
    bench: Bench, body: str, where: str, path: str
) -> None:
    leaking = await bench.run(agent(body), upstream_calls=("think",))
    first = leaking.report.crossings[0]
    assert (first.kind, first.sink.where, first.sink.path) == ("derived", where, path)
    assert (first.source.lane, first.sink.lane) == ("alice", "bob")
    clean = await bench.run(agent(body, key="user"), upstream_calls=("think",))
    assert clean.report.verdict == "clean", clean.report.reason


async def test_a_record_at_info_is_heard_though_the_program_leaves_the_level_to_its_starter(bench: Bench) -> None:
    result = await bench.run(agent("log.info('after %s', before); return message"))
    (crossing,) = result.report.crossings
    assert (crossing.sink.where, crossing.sink.path) == ("log", "log.agent.audit[0]")


async def test_a_total_in_a_log_is_nobodys_data(bench: Bench) -> None:
    result = await bench.run(
        agent("log.info('%d letters so far', last['n']); return message", "last.get('n', 0) + len(message)", "'n'")
        .replace('last.get(\'n\', "")', "last.get('n', 0)")
    )  # fmt: skip
    assert result.report.verdict == "clean", result.report.reason


async def test_a_letter_of_anothers_name_is_found(bench: Bench) -> None:
    result = await bench.run(agent("return {'avatar': (before or user)[0].upper()}", put="user"))
    assert (result.report.crossings[0].kind, result.report.crossings[0].sink.path) == ("derived", "body.avatar")


async def test_a_place_in_a_queue_that_is_chosen_by_a_name_is_no_data(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, hashlib
        queues = [[], []]
        async def handle(user, message):
            queue = queues[hashlib.md5(user.encode()).digest()[0] % 2]
            queue.append(user)
            place = len(queue)
            await asyncio.sleep(0)
            queue.remove(user)
            return {"place": place, "echo": message}
        """,
        turns(("s1", "alice", "I am Alice"), ("s2", "bob", "I am Bob"), ("s3", "carol", "I am Carol")),
    )
    assert result.report.verdict == "clean", result.report.reason


async def test_a_token_made_for_one_user_is_that_users_though_no_request_holds_it(bench: Bench) -> None:
    made = "secrets.token_hex(8)"
    leaking = await bench.run(agent("return {'token': last['all']}", made))
    first = leaking.report.crossings[0]
    assert (first.kind, first.sink.path) == ("verbatim", "body.token")
    clean = await bench.run(agent("return {'token': last[user]}", made, "user"))
    assert clean.report.verdict == "clean", clean.report.reason


@pytest.mark.parametrize("shown", ["hashlib.md5(said.encode()).hexdigest()", "len(said)"])
async def test_what_a_cancelled_request_left_behind_is_found_though_none_of_its_words_is_shown(
    bench: Bench, shown: str
) -> None:
    result = await bench.run(
        f"""
        import asyncio, hashlib
        buffer, lock = [], asyncio.Lock()
        async def handle(message):
            async with lock:
                buffer.append(message)
                await asyncio.sleep(0.1)
                said = "".join(buffer)
                buffer.clear()
                return {shown}
        """,
    )
    first = result.report.crossings[0]
    assert (first.kind, first.needs.cls, first.carrier and first.carrier.name) == (
        "derived",
        "cancellation",
        "agent.buffer",
    )


async def test_a_leak_behind_a_counter_is_found_after_the_counter_has_differed_many_times(bench: Bench) -> None:
    source = """
        import asyncio, hashlib
        count, open_for = 0, []
        async def handle(message):
            global count
            count += 1
            said = message
            open_for.append(message)
            for _ in range(3):
                await asyncio.sleep(0)
            if OVERLAPPING:
                said = open_for[0]
            open_for.remove(message)
            return f"{count} {hashlib.md5(said.encode()).hexdigest()}"
        """
    leaking = await bench.run(source.replace("OVERLAPPING", "len(open_for) == 2 and count == 2"), faults=False)
    assert leaking.report.crossings[0].needs.cls == "interleaved"
    clean = await bench.run(source.replace("OVERLAPPING", "False"))
    assert (clean.report.verdict, clean.report.influences[0].path) == ("clean", "body")


# ---- what only looks so


@pytest.mark.parametrize(
    "body",
    [
        "began = time.monotonic(); await asyncio.sleep(len(message) / 1000)\n"
        "        return {'took': f'{time.monotonic() - began:.3f}s'}",
        "await asyncio.sleep(len(message)); return {'at': time.time()}",
        "await asyncio.sleep(len(message)); log.info('at %s', time.strftime('%H:%M:%S', time.gmtime(time.time())))\n"
        "        return message",
        "began = asyncio.get_running_loop().time(); await asyncio.sleep(len(message) / 1000)\n"
        "        return {'took': f'{asyncio.get_running_loop().time() - began:.3f}s'}",
        "await asyncio.sleep(len(message)); return {'at': asyncio.get_running_loop().time()}",
    ],
    ids=[
        *("how long it took", "the time of day", "the time in a log", "how long it took, by the loop's time"),
        "the loop's time",
    ],
)
async def test_time_that_passes_with_the_length_of_anothers_text_is_no_data(bench: Bench, body: str) -> None:
    result = await bench.run(agent(body), most_executions=100)
    assert result.report.verdict == "clean", result.report.reason


async def test_how_long_it_took_by_the_clock_on_the_wall_is_no_data(bench: Bench) -> None:
    result = await bench.run(
        agent(
            "began = datetime.datetime.now(); await asyncio.sleep(0)\n"
            "        if user == 'alice': select.select([], [], [], len(message) / 2000)\n"
            "        return f'{(datetime.datetime.now() - began).total_seconds():.2f}'"
        ),
        most_executions=100,
    )
    # A machine that is busy with something else makes it another each time, and then nothing can be said.
    assert (result.report.verdict == "clean" or "outside control" in result.report.reason, result.report.crossings) == (
        True,
        (),
    )


async def test_what_stands_beside_a_time_of_day_is_still_found(bench: Bench) -> None:
    result = await bench.run(
        agent("await asyncio.sleep(len(message)); return f'{time.time():.0f} {hashlib.md5(before.encode()).digest()}'")
    )
    assert (result.report.crossings[0].kind, result.report.crossings[0].sink.path) == ("derived", "body")


@pytest.mark.parametrize(
    "body",
    [
        "return [str(thing) for thing in {object(), object(), *message.split()}]",
        "return {'hash': hash(object()), 'short': id(object()) % 1000}",
        "tasks = [asyncio.ensure_future(think(w)) for w in message.split()]\n"
        "        return [w for t in (await asyncio.wait(tasks))[0] for w in tasks if w is t].index(tasks[0])",
    ],
    ids=["the order of a set", "a hash", "the tasks that asyncio.wait gives back"],
)
async def test_what_the_layout_of_the_memory_decides_is_no_data(bench: Bench, body: str) -> None:
    result = await bench.run(agent(body), most_executions=100)
    assert result.report.verdict == "clean", result.report.reason


async def test_the_programs_own_text_is_not_the_users_who_owns_one_of_its_words(bench: Bench) -> None:
    source = """
        import asyncio
        tier = {"alice": "standard", "bob": "premium"}
        served = 0
        async def handle(user, message):
            global served
            served += 1
            busy = served > 1
            await asyncio.sleep(0)
            return "Busy. Standard accounts have to wait" if busy else f"Your account is {tier[user]}"
        """
    busy = await bench.run(source)
    assert busy.report.verdict == "clean", busy.report.reason
