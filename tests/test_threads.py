"""Handlers that run in threads, and async handlers that use them: line by line, through real locks and queues."""

from __future__ import annotations

import pytest

from .conftest import Bench, turns

NAMES = ("alice", "bob")


async def test_a_plain_function_is_switched_between_two_adjacent_lines(bench: Bench) -> None:
    result = await bench.run(
        """
        current = None
        def handle(message):
            global current
            current = message
            return f"you said {current}"
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.carrier.name, crossing.needs.cls, crossing.needs.switches) == ("agent.current", "interleaved", 1)
    assert (crossing.write.at, crossing.read.at) == ("agent.py:5", "agent.py:6")


@pytest.mark.parametrize(
    "lock",
    [
        "threading.Lock()",
        "threading.RLock()",
        "threading.Condition()",
        "threading.Semaphore(1)",
        "threading.BoundedSemaphore()",
    ],
)
async def test_a_global_under_a_lock_for_the_whole_turn_is_clean(bench: Bench, lock: str) -> None:
    result = await bench.run(
        f"""
        import threading, time
        lock = {lock}
        current = None
        def handle(message):
            global current
            with lock:
                current = message
                time.sleep(1)
                answer = current
            return answer
        """
    )
    assert result.report.verdict == "clean", result.report.reason


async def test_a_lock_that_is_given_up_too_early_does_not_help(bench: Bench) -> None:
    result = await bench.run(
        """
        import threading
        lock = threading.Lock()
        current = None
        def handle(message):
            global current
            with lock:
                current = message
            with lock:
                return current
        """
    )
    assert result.report.verdict == "contaminated"


async def test_what_one_request_leaves_in_a_thread_local_meets_the_next_on_that_thread(bench: Bench) -> None:
    source = """
        import threading
        local = threading.local()
        def handle(user, message):
            seen = getattr(local, "history", [])
            local.history = {kept}
            return local.history
        """
    leaking = await bench.run(source.format(kept="seen + [message]"))
    assert leaking.report.verdict == "contaminated"
    crossing = leaking.report.crossings[0]
    assert crossing.needs.cls == "sequential"
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("agent.local.history", "thread-local")
    clean = await bench.run(source.format(kept="[message]"))
    assert clean.report.verdict == "clean"


@pytest.mark.parametrize(
    ("made", "asked", "fix"),
    [
        ("threading.local()", 'getattr(local, "user", "nobody")', "local.user = None"),
        ("Mine()", "local.user", "local.user = None"),
    ],
)
async def test_a_thread_local_of_a_flask_application_is_named_with_its_lines_and_a_fix(
    bench: Bench, made: str, asked: str, fix: str
) -> None:
    from .handler.test_applications import posts

    source = f"""
        import threading
        from flask import Flask, request
        app = Flask(__name__)
        class Mine(threading.local):
            def __init__(self):
                self.user = "nobody"
        local = {made}
        @app.post("/chat")
        def chat():
            {{first}}
            text = request.get_json()["text"]
            if "ZX" in text:
                local.user = text
            return "you are " + ({asked} or "nobody")
        """
    leaking = await bench.run(source.format(first="pass"), posts(), "agent.py:app", variants=False, switches=1)
    crossing = leaking.report.crossings[0]
    assert crossing.carrier is not None
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == ("agent.local.user", "thread-local")
    assert (crossing.write.at, crossing.write.code) == ("agent.py:14", "local.user = text")
    assert crossing.read.at == "agent.py:15"
    assert "delete it in a finally clause" in crossing.fix
    clean = await bench.run(source.format(first=fix), posts(), "agent.py:app", variants=False, switches=1)
    assert clean.report.verdict == "clean", clean.report.reason


async def test_a_deadlock_is_named_with_who_waits_where_and_who_holds(bench: Bench) -> None:
    result = await bench.run(
        """
        import threading
        one = threading.Lock()
        two = threading.Lock()
        def handle(user, message):
            first, second = (one, two) if user == "alice" else (two, one)
            with first:
                x = 1
                with second:
                    return message
        """
    )
    assert result.report.verdict == "inconclusive"
    for part in (
        "deadlock",
        "alice waits at agent.py:9 for the lock made at agent.py:4, held by bob",
        "bob waits at agent.py:9 for the lock made at agent.py:3, held by alice",
    ):
        assert part in result.report.reason


async def test_the_body_of_to_thread_is_searched_at_its_lines(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        current = None
        def work(message):
            global current
            current = message
            return current
        async def handle(message):
            return await asyncio.to_thread(work, message)
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.needs.switches) == ("agent.current", 1)


async def test_a_pool_of_the_program_is_under_the_same_baton(bench: Bench) -> None:
    result = await bench.run(
        """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(2)
        last = None
        def work(message):
            global last
            last = message
            return last
        def handle(message):
            with ThreadPoolExecutor(1) as own:
                quoted = list(own.map(repr, [message]))
            return pool.submit(work, message).result() + quoted[0]
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.last"


async def test_a_thread_that_is_started_past_threading_is_controlled(bench: Bench) -> None:
    result = await bench.run(
        """
        import _thread, threading
        last = None
        def work(message, said, done):
            global last
            last = message
            said.append(last)
            done.release()
        def handle(message):
            said, done = [], threading.Lock()
            done.acquire()
            _thread.start_new_thread(work, (message, said, done))
            with done:
                return said
        """,
        switches=1,
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.last"
    assert result.report.coverage.uncontrolled == ()


@pytest.mark.parametrize(("key", "verdict"), [("'reply'", "contaminated"), ("user", "clean")])
async def test_threads_queues_and_joins_of_the_program_are_controlled(bench: Bench, key: str, verdict: str) -> None:
    result = await bench.run(
        f"""
        import queue, threading
        box = {{}}
        def handle(user, message):
            todo, done = queue.Queue(), queue.SimpleQueue()
            def work():
                box[{key}] = todo.get()
                done.put(box[{key}])
            thread = threading.Thread(target=work)
            thread.start()
            todo.put(message)
            answer = done.get(timeout=5)
            thread.join()
            return answer
        """
    )
    assert result.report.verdict == verdict, result.report.reason


async def test_threads_that_never_end_are_ended_with_the_execution(bench: Bench) -> None:
    result = await bench.run(
        """
        import threading, time
        def beat():
            while True:
                time.sleep(1)
        def handle(message):
            threading.Thread(target=beat, daemon=True).start()
            answer = message
            return answer
        """,
        budget_s=3.0,
    )
    assert result.report.verdict == "clean", result.report.reason
    assert result.report.executions > 50


async def test_a_synchronous_handler_may_run_a_coroutine_of_its_own(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        current = None
        async def think(message):
            global current
            current = message
            await asyncio.sleep(0.1)
            return current
        def handle(message):
            return asyncio.run(think(message))
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.needs.switches) == ("agent.current", 1)
    kept_apart = await bench.run(
        """
        import asyncio, time
        async def think(message):
            current = await asyncio.to_thread(str.upper, message)
            await asyncio.gather(asyncio.sleep(0.1), asyncio.wait_for(asyncio.sleep(0.2), 5))
            return current
        def handle(message):
            with asyncio.Runner() as runner:
                return runner.run(think(message))
        """
    )
    assert kept_apart.report.verdict == "clean", kept_apart.report.reason


LOOP_OF_ITS_OWN = """
    import asyncio, threading
    loop = None
    starting = threading.Lock()
    current = {{}}
    def the_loop():
        global loop
        with starting:
            if loop is None:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, daemon=True).start()
            return loop
    async def think(user, message):
        current[{key}] = message
        await asyncio.sleep(0.1)
        return current[{key}]
    def handle(user, message):
        return asyncio.run_coroutine_threadsafe(think(user, message), the_loop()).result(10)
    """


@pytest.mark.parametrize(("key", "verdict"), [("0", "contaminated"), ("user", "clean")])
async def test_a_loop_in_a_thread_of_its_own_serves_one_request_while_another_sleeps_in_it(
    bench: Bench, key: str, verdict: str
) -> None:
    result = await bench.run(LOOP_OF_ITS_OWN.format(key=key), switches=1, variants=False)
    assert result.report.verdict == verdict, result.report.reason
    for crossing in result.report.crossings:
        assert crossing.carrier is not None
        assert crossing.carrier.name == "agent.current"


async def test_an_async_handler_that_blocks_on_a_lock_of_a_thread_lets_that_thread_go_on(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, threading
        lock = threading.Lock()
        count = 0
        def work():
            global count
            with lock:
                before = count
                count = before + 1
        async def handle(message):
            job = asyncio.create_task(asyncio.to_thread(work))
            await asyncio.sleep(0)
            with lock:
                pass
            await job
            return message
        """
    )
    assert result.report.verdict == "clean", result.report.reason


async def test_a_stream_of_a_plain_generator_is_switched_between_its_parts(bench: Bench) -> None:
    result = await bench.run(
        """
        words = []
        def handle(message):
            words.clear()
            words.extend(message.split())
            while words:
                yield words.pop(0)
        """
    )
    assert result.report.verdict == "contaminated"


async def test_a_thread_stuck_in_c_code_stops_its_own_request_only(bench: Bench) -> None:
    result = await bench.run(
        """
        import select
        def handle(message):
            x = 1
            select.select([], [], [], 1000)
            return message
        """,
        blocked_after_s=0.3,
    )
    assert result.report.verdict == "inconclusive"
    assert "agent.py:5" in result.report.reason


async def test_the_same_schedule_of_threads_gives_the_same_run(bench: Bench) -> None:
    source = """
        import threading, time
        log = []
        def handle(user, message):
            for n in range(3):
                log.append((user, n, threading.current_thread().name))
                time.sleep(0.1)
            return len(log)
        """
    first, second = [
        await bench.run(
            source, action="replay", order="random", seed=7, exchanges=turns(*[("s" + n, n, n) for n in NAMES])
        )
        for _ in range(2)
    ]
    assert first.run == second.run
    assert first.run.switches > 2


WORKER = """
    import asyncio, logging, queue, threading
    log = logging.getLogger("worker")
    todo = None

    async def drain():
        while True:
            message, reply = await todo.get()
            await asyncio.sleep(0)
            log.warning("working on %s", message)
            reply.set_result("done " + message)

    async def handle(message):
        global todo
        if todo is None:
            todo = asyncio.Queue()
            asyncio.create_task(drain())
        reply = asyncio.get_running_loop().create_future()
        todo.put_nowait((message, reply))
        return await reply
    """

THREAD_WORKER = """
    import logging, queue, threading
    log = logging.getLogger("worker")
    todo = None

    def drain():
        while True:
            message, reply = todo.get()
            log.warning("working on %s", message)
            reply.put("done " + message)

    def handle(message):
        global todo
        if todo is None:
            todo = queue.Queue()
            threading.Thread(target=drain, daemon=True).start()
        reply = queue.SimpleQueue()
        todo.put((message, reply))
        return reply.get()
    """


@pytest.mark.parametrize("source", [WORKER, THREAD_WORKER], ids=["task", "thread"])
async def test_a_worker_that_the_first_request_started_works_for_whom_it_took_the_item_from(
    bench: Bench, source: str
) -> None:
    result = await bench.run(source, switches=1, faults=False, variants=False, most_executions=1_500)
    assert result.report.verdict == "clean", (result.report.reason, result.report.crossings[:1])
    bob = result.solo["bob"].outcomes[0]
    assert bob.logs == (("worker", "working on My name is Bob Okafor"),)


async def test_a_time_limit_of_a_condition_passes_in_virtual_time(bench: Bench) -> None:
    result = await bench.run(
        """
        import queue, threading
        cond = threading.Condition()
        def handle(user, message):
            with cond:
                cond.wait_for(lambda: False, timeout=3_000)
            try:
                queue.Queue().get(timeout=3_000)
            except queue.Empty:
                return message
        """,
        switches=1,
        faults=False,
        variants=False,
        most_executions=100,
    )
    assert result.report.verdict == "clean", result.report.reason


async def test_a_process_pool_is_said_to_have_left_control(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, concurrent.futures
        pool = concurrent.futures.ProcessPoolExecutor(1)
        async def handle(message):
            return await asyncio.get_running_loop().run_in_executor(pool, str.upper, message)
        """
    )
    assert result.report.verdict == "inconclusive"
    assert "process pool" in result.report.reason


async def test_a_database_in_memory_is_kept_apart_by_forks(bench: Bench) -> None:
    source = """
        import sqlite3, threading
        db = sqlite3.connect(":memory:", check_same_thread=False)
        db.execute("create table notes (user, text)")
        lock = threading.Lock()
        def handle(user, message):
            with lock:
                db.execute("insert into notes values (?, ?)", (user, message))
                rows = db.execute("select text from notes{where}", {values}).fetchall()
            return [row[0] for row in rows]
        """
    options = {"switches": 0, "faults": False, "variants": False}
    leaking = await bench.run(source.format(where="", values="()"), **options)
    assert leaking.report.verdict == "contaminated"
    clean = await bench.run(source.format(where=" where user = ?", values="(user,)"), **options)
    assert clean.report.verdict == "clean", clean.report.reason


async def test_a_thread_that_was_started_at_import_is_named_where_it_is_waited_for(bench: Bench) -> None:
    source = """
        import queue, threading
        asked = queue.Queue()
        def worker():
            while True:
                message, done = asked.get()
                done.set()
        threading.Thread(target=worker, daemon=True).start()
        def handle(message):
            done = threading.Event()
            asked.put((message, done))
            done.wait()
            return message
        """
    report = (await bench.run(source, action="replay")).report
    assert report.verdict == "inconclusive"
    assert "a thread that was started at import, which is not controlled (worker at agent.py:4)" in report.reason
