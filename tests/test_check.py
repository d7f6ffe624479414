"""The whole road in the worker: each way of sharing is found and named, each way of keeping apart is cleared."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from crosslane.replay.investigation import _stop_reason
from crosslane.replay.report import Report, Result
from crosslane.replay.trace.store import load
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job

from .conftest import SAMPLES, TWO_USERS, Bench, turns


async def check_sample(trace: str, agent: str) -> Result:
    async with Worker(WorkerOptions(cwd=SAMPLES)) as worker:
        return await worker.run(Job("check", trace, load(SAMPLES / trace).exchanges, agent))


def line_of(agent: str, text: str) -> str:
    lines = (SAMPLES / agent).read_text().splitlines()
    return f"{agent}:{next(n for n, line in enumerate(lines, 1) if text in line)}"


@pytest.mark.parametrize(
    ("agent", "name", "kind", "defined", "written", "read"),
    [
        ("shared_list.py", "shared_list.current_context", "module global", "current_context = []",
         "current_context.append", "complete(current_context)"),
        ("wrong_key.py", "wrong_key.histories['support']", "module global", "histories = {}", "history.append", "histories.setdefault"),
        ("class_attribute.py", "Assistant.preferences", "class attribute", "preferences = []",
         "self.preferences.append", "complete(self.preferences)"),
        ("default_argument.py", "handle_message(history=…)", "default argument", "history=[]",
         "history.append", "complete(history)"),
    ],
)  # fmt: skip
async def test_a_shared_thing_is_named_with_the_lines_that_wrote_and_read_it(
    agent: str, name: str, kind: str, defined: str, written: str, read: str
) -> None:
    result = await check_sample("shared_list.jsonl", f"{agent}:handle_message")
    assert result.report.verdict == "contaminated"
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.write is not None
    assert crossing.read is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == (name, kind)
    assert crossing.carrier.defined_at == line_of(agent, defined)
    assert (crossing.write.lane, crossing.write.at) == ("alice", line_of(agent, written))
    assert (crossing.read.lane, crossing.read.at) == ("bob", line_of(agent, read))
    assert (crossing.source.lane, crossing.sink.lane) == ("alice", "bob")
    assert crossing.needs.cls == "sequential"
    assert (crossing.needs.switches, crossing.needs.requests) == (0, 2)
    assert "Alice Ferrante" in crossing.sink.evidence


async def test_a_fastapi_application_is_checked_through_its_real_routing() -> None:
    pytest.importorskip("fastapi")
    result = await check_sample("fastapi_app.jsonl", "fastapi_app.py:app")
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "fastapi_app.current_context"
    assert crossing.sink.path == "body.reply"


async def test_state_that_is_read_after_an_await_needs_an_overlap_of_one_switch() -> None:
    result = await check_sample("overlap.jsonl", "overlap.py:handle_message")
    (crossing,) = result.report.crossings
    assert (crossing.needs.cls, crossing.needs.switches) == ("interleaved", 1)
    assert crossing.carrier is not None
    assert crossing.carrier.name == "overlap.current_profile"
    assert crossing.write is not None
    assert crossing.write.at == line_of("overlap.py", "await load_profile(user)")
    finding = result.findings[0]
    assert finding.run.switches == 1


@pytest.mark.parametrize("agent", ["fixed_lock", "fixed_contextvar", "fixed_session"])
async def test_each_fix_of_the_shared_list_is_judged_clean(agent: str) -> None:
    result = await check_sample("shared_list.jsonl", f"{agent}.py:handle_message")
    assert result.report.verdict == "clean"
    assert result.report.coverage.statement.startswith("all ")


async def test_a_contextvar_that_forgets_the_conversation_is_a_warning_and_no_contamination() -> None:
    forgetful = await check_sample("shared_list.jsonl", "fixed_contextvar.py:handle_message")
    assert forgetful.report.warnings == ("isolated, but session s1 lost its own turn 1",)
    remembers = await check_sample("shared_list.jsonl", "fixed_session.py:handle_message")
    assert remembers.report.warnings == ()


async def test_when_nothing_is_left_to_try_the_statement_counts_all_interleavings(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        async def handle(user, message):
            await asyncio.sleep(0)
            return message
        """
    )
    assert result.report.verdict == "clean"
    assert result.report.coverage.statement.startswith("all 6 interleavings")
    assert result.report.coverage.interior_points == {"alice": 1, "bob": 1}


async def test_the_fixed_run_of_a_finding_shows_that_keeping_the_carrier_apart_heals_it() -> None:
    result = await check_sample("shared_list.jsonl", "shared_list.py:handle_message")
    fixed = result.findings[0].fixed_run
    assert fixed is not None
    assert {o.lane: o.body for o in fixed.outcomes} == {
        "alice": "You told me: alice: My name is Alice Ferrante",
        "bob": "You told me: bob: My name is Bob Okafor",
    }


async def test_the_same_inputs_give_the_same_run_event_for_event_in_two_processes() -> None:
    first = await check_sample("overlap.jsonl", "overlap.py:handle_message")
    second = await check_sample("overlap.jsonl", "overlap.py:handle_message")
    assert first.findings == second.findings
    assert first.solo == second.solo


async def test_a_result_survives_the_trip_through_json() -> None:
    result = await check_sample("shared_list.jsonl", "shared_list.py:handle_message")
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result
    report = Report.from_json(json.loads(json.dumps(result.report.to_json())))
    assert report.crossings == result.report.crossings


# ---- what must not be accused


async def test_a_phrase_of_the_program_that_a_user_happens_to_use_is_an_influence(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        seen = 0
        async def handle(user, message):
            global seen
            seen += 1
            await asyncio.sleep(0)
            return "limit exceeded, please wait" if seen > 1 else "welcome"
        """,
        turns(("s1", "alice", "please wait for me"), ("s2", "bob", "hello there")),
    )
    assert result.report.verdict == "clean"
    assert result.report.influences[0].path == "body"


async def test_an_answer_that_the_source_sees_alone_but_anyone_would_see_is_no_evidence(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        calls = 0
        async def handle(user, message):
            global calls
            calls += 1
            await asyncio.sleep(0)
            return "quota exhausted today" if calls > 1 else "welcome"
        """,
        turns(("s1", "alice", "hi"), ("s1", "alice", "hi"), ("s2", "bob", "yo")),
    )
    assert result.report.verdict == "clean"


async def test_the_same_first_name_in_two_lanes_is_no_evidence(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        last = None
        async def handle(user, message):
            global last
            mine, last = last, message
            await asyncio.sleep(0)
            return f"{message} after {'somebody' if mine else 'nobody'}"
        """,
        turns(("s1", "u1", "I am Sam"), ("s2", "u2", "I am Sam too")),
    )
    assert result.report.verdict == "clean"


async def test_a_user_who_quotes_another_is_not_contaminated(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        async def handle(user, message):
            await asyncio.sleep(0)
            return "You said: " + message
        """,
        turns(("s1", "alice", "I am Alice Ferrante"), ("s2", "bob", "Alice Ferrante told me to ask")),
    )
    assert result.report.verdict == "clean"


async def test_a_global_behind_a_lock_for_the_whole_turn_is_clean(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        lock, current = asyncio.Lock(), None
        async def handle(user, message):
            global current
            async with lock:
                current = message
                await asyncio.sleep(0)
                return current
        """
    )
    assert result.report.verdict == "clean"


async def test_a_global_that_is_written_and_never_read_is_clean(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        audit = []
        async def handle(user, message):
            audit.append(message)
            await asyncio.sleep(0)
            return "thanks"
        """
    )
    assert result.report.verdict == "clean"


async def test_the_decoy_dict_per_session_is_not_named_and_the_shared_list_beside_it_is(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        sessions = {}
        class Memory:
            notes = []
        async def handle(session_id, message):
            sessions.setdefault(session_id, []).append(message)
            Memory.notes.append(message)
            await asyncio.sleep(0)
            return {"own": sessions[session_id], "all": Memory.notes}
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "Memory.notes"
    assert crossing.sink.path.startswith("body.all")


async def test_two_causes_are_two_findings(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        names = []
        current = None
        async def handle(user, message):
            global current
            names.append(user)
            current = message
            await asyncio.sleep(0)
            answer, current = current, None
            return {"names": list(names), "answer": answer}
        """
    )
    found = {(c.carrier.name if c.carrier else None, c.needs.cls) for c in result.report.crossings}
    assert ("agent.names", "sequential") in found


# ---- honest verdicts


async def test_a_handler_without_a_switch_point_inside_is_inconclusive(bench: Bench) -> None:
    result = await bench.run("def handle(message):\n    return message\n")
    assert result.report.verdict == "inconclusive"
    assert "suspended" in result.report.reason


async def test_a_trace_of_one_lane_is_inconclusive(bench: Bench) -> None:
    result = await bench.run(
        "import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n    return message\n",
        turns(("s1", "alice", "hello")),
    )
    assert result.report.verdict == "inconclusive"
    assert result.report.reason == "the trace has one lane only (alice): nobody else's data could cross"
    lossy = await bench.run(exchanges=turns(("s1", "alice", "hello")), skipped=2)
    assert "; 2 lines of it were skipped" in lossy.report.reason


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "__import__('sqlite3').connect('file:x?mode=memory&cache=shared', uri=True).close()",
            "database opened at agent.py",
        ),
        ("await asyncio.open_connection('127.0.0.1', 9)", "network call"),
        ("__import__('subprocess').run(['true'])", "subprocess started at agent.py"),
    ],
)
async def test_what_escapes_control_makes_a_clean_search_inconclusive(bench: Bench, body: str, said: str) -> None:
    result = await bench.run(
        f"""
        import asyncio
        async def handle(message):
            await asyncio.sleep(0)
            try:
                {body}
            except OSError:
                pass
            return message
        """
    )
    assert result.report.verdict == "inconclusive"
    assert said in " ".join(result.report.coverage.uncontrolled)


async def test_a_handler_that_fails_at_everything_is_not_called_clean(bench: Bench) -> None:
    result = await bench.run(
        "import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n    raise KeyError('model')\n"
    )
    assert result.report.verdict == "inconclusive"
    assert "KeyError: model at agent.py:4" in result.report.reason


async def test_a_deadlock_is_named_with_who_waits(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        ready = {}
        async def handle(user, message):
            other = {"alice": "bob", "bob": "alice"}[user]
            ready.setdefault(user, asyncio.Event())
            if other in ready:
                await ready[user].wait()
            return message
        """
    )
    assert result.report.verdict == "inconclusive"
    assert result.report.reason == "deadlock: bob waits at agent.py:8 for an Event of asyncio"


@pytest.mark.parametrize(
    ("waiting", "said"),
    [
        ("a", "a waits"),
        ("ab", "a and b wait"),
        ("cab", "a, b and c wait"),
        ("", "a background task waits"),
    ],
)
def test_who_waits_in_a_deadlock_is_said_in_a_sentence(waiting: str, said: str) -> None:
    outcomes = [SimpleNamespace(lane=lane, finished=False) for lane in waiting]
    stopped: Any = SimpleNamespace(stopped="deadlock", outcomes=[SimpleNamespace(lane="d", finished=True), *outcomes])
    assert _stop_reason(stopped) == f"deadlock: {said} for something that no lane will bring"


@pytest.mark.parametrize("body", ["raise GeneratorExit", "raise GeneratorExit('of ' + user)"])
async def test_a_generator_exit_of_the_handler_is_what_it_answers_and_no_deadlock(bench: Bench, body: str) -> None:
    result = await bench.run(
        f"""
        import asyncio
        async def handle(user, message):
            await asyncio.sleep(0)
            {body}
        """
    )
    assert "deadlock" not in result.report.reason
    assert all(o.finished and (o.error or "").startswith("GeneratorExit") for o in result.run.outcomes)


async def test_an_exception_that_carries_foreign_data_is_a_crossing(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        log = []
        async def handle(message):
            log.append(message)
            await asyncio.sleep(0)
            if len(log) > 1:
                raise RuntimeError("context too long: " + " ".join(log))
            return "ok"
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.sink.where == "exception"


async def test_state_that_is_not_cleaned_up_gives_the_same_verdict_after_many_executions(bench: Bench) -> None:
    source = """
        import asyncio, itertools
        counter = itertools.count() if {forked} else None
        class Bot:
            memory = {{}}
        def remember(key, value, store={{}}):
            store[key] = value
            return len(store)
        async def handle(session_id, user, message):
            Bot.memory.setdefault(session_id, []).append(message)
            setattr(Bot, "last_" + user, message)
            size = remember(message, user)
            globals()["made_up_" + user] = message
            await asyncio.sleep(0)
            return {{"turns": Bot.memory[session_id], "mine": getattr(Bot, "last_" + user)}}
        """
    for forked in (False, True):
        result = await bench.run(source.format(forked=forked), TWO_USERS + turns(("s1", "alice", "again"))[:0])
        assert result.report.verdict == "clean", result.report.reason
        assert result.report.executions > 5


# ---- where state hides

CARRIERS = {
    "agent.bot.memory.messages": """
        import asyncio
        class Memory:
            def __init__(self):
                self.messages = []
        class Bot:
            def __init__(self):
                self.memory = Memory()
        bot = Bot()
        async def handle(message):
            bot.memory.messages.append(message)
            await asyncio.sleep(0)
            return bot.memory.messages
        """,
    "agent.bot.current": """
        import asyncio
        class Bot:
            __slots__ = ("current",)
        bot = Bot()
        async def handle(message):
            bot.current = message
            await asyncio.sleep(0)
            return bot.current
        """,
    "agent.greeting": """
        import asyncio, functools
        who = None
        @functools.lru_cache
        def greeting(kind):
            return f"Dear {who}"
        async def handle(message):
            global who
            who = message
            text = greeting("hello")
            await asyncio.sleep(0)
            return text
        """,
    "agent.history.default": """
        import asyncio, contextvars
        history = contextvars.ContextVar("history", default=[])
        async def handle(message):
            history.get().append(message)
            await asyncio.sleep(0)
            return history.get()
        """,
    "make.handle.last": """
        import asyncio
        def make():
            last = None
            async def handle(message):
                nonlocal last
                before, last = last, message
                await asyncio.sleep(0)
                return before
            return handle
        handle = make()
        """,
    "agent.local.user": """
        import asyncio, threading
        local = threading.local()
        async def handle(message):
            local.user = message
            await asyncio.sleep(0)
            return local.user
        """,
}


@pytest.mark.parametrize("name", CARRIERS)
async def test_state_is_found_and_named_wherever_it_hides(bench: Bench, name: str) -> None:
    result = await bench.run(CARRIERS[name])
    assert result.report.verdict == "contaminated"
    names = {c.carrier.name if c.carrier else c.explained for c in result.report.crossings}
    assert names == {name}
    crossing = result.report.crossings[0]
    assert crossing.write is not None
    assert crossing.read is not None


async def test_a_user_kept_on_a_middleware_is_named_though_start_up_made_it(bench: Bench) -> None:
    pytest.importorskip("starlette")
    from crosslane.replay.trace.model import Exchange, Request

    exchanges = tuple(
        Exchange(Request(f"r{n}", u, u, n, None, {"method": "GET", "path": "/", "headers": [["x-user", u]]}, n))
        for n, u in enumerate(("alice", "robert"), 1)
    )
    result = await bench.run(
        """
        import asyncio
        from starlette.applications import Starlette
        from starlette.middleware.base import BaseHTTPMiddleware
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        class Who(BaseHTTPMiddleware):
            async def dispatch(self, request, call_next):
                self.user = request.headers["x-user"]
                response = await call_next(request)
                response.headers["x-served"] = self.user
                return response
        async def home(request):
            await asyncio.sleep(0.01)
            return PlainTextResponse("hello")
        app = Starlette(routes=[Route("/", home)])
        app.add_middleware(Who)
        """,
        exchanges,
        "agent.py:app",
        switches=1,
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name.endswith(".user")
    assert crossing.sink.path == "headers.x-served"
    assert (crossing.needs.cls, crossing.needs.switches) == ("interleaved", 1)


async def test_an_endpoint_that_is_a_plain_function_is_searched_at_its_lines(bench: Bench) -> None:
    pytest.importorskip("fastapi")
    from crosslane.replay.trace.model import Exchange, Request

    exchanges = tuple(
        Exchange(Request(f"r{n}", u, u, n, None, {"path": "/", "json": {"message": f"I am {u} of all"}}, n))
        for n, u in enumerate(("alice", "robert"), 1)
    )
    source = """
        from fastapi import FastAPI
        app = FastAPI()
        log = []
        @app.post("/")
        def chat(body: dict):
            {keep}
            text = body["message"]
            return {{"all": log or text}}
        """
    leaking = await bench.run(source.format(keep="log.append(body['message'])"), exchanges, "agent.py:app")
    (crossing,) = leaking.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.write is not None) == ("agent.log", True)
    clean = await bench.run(source.format(keep="pass"), exchanges, "agent.py:app")
    assert clean.report.verdict == "clean"


@pytest.mark.parametrize(("place", "kind"), [("string", "module global"), ("string.Formatter", "class attribute")])
async def test_state_put_into_one_of_pythons_modules_or_classes_is_put_back_and_named(
    bench: Bench, place: str, kind: str
) -> None:
    result = await bench.run(
        f"""
        import asyncio, string
        async def handle(message):
            {place}.seen = [*getattr({place}, "seen", []), message]
            await asyncio.sleep(0)
            return {place}.seen
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert (crossing.carrier.name, crossing.carrier.kind) == (f"{place}.seen", kind)


async def test_state_outside_every_module_of_the_program_starts_over_with_forks_and_is_found(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, string
        async def handle(message):
            string.capwords.seen = [*getattr(string.capwords, "seen", []), message]
            await asyncio.sleep(0)
            return string.capwords.seen
        """
    )
    assert result.report.verdict == "contaminated"
    assert result.solo["bob"].outcomes[0].body == ["My name is Bob Okafor"]
    assert "not found in the program's own modules" in result.report.crossings[0].explained


async def test_a_name_put_into_builtins_is_named(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, builtins
        async def handle(message):
            builtins.seen = [*getattr(builtins, "seen", []), message]
            await asyncio.sleep(0)
            return builtins.seen
        """
    )
    (crossing,) = result.report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "builtins.seen"


async def test_a_clock_that_cannot_be_controlled_is_no_crossing_and_no_influence(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, datetime
        async def handle(message):
            await asyncio.sleep(0)
            return {"at": str(datetime.datetime.now()), "you": message}
        """
    )
    assert result.report.verdict == "clean"
    assert result.report.influences == ()


async def test_many_lanes_are_covered_whole_and_a_bug_among_them_needs_two(bench: Bench) -> None:
    users = turns(*((f"s{n}", f"user{n}", f"my pin is {10_007 + n * 7_919}") for n in range(5)))
    source = """
        import asyncio
        current = None
        async def handle(message):
            global current
            {write}
            await asyncio.sleep(0)
            return current
        """
    clean = await bench.run(source.format(write="pass"), users, budget_s=120, switches=1)
    assert clean.report.verdict == "clean"
    assert clean.report.coverage.statement.startswith("all 113,400 interleavings, ")  # 10! / 2!^5
    opaque = await bench.run(
        source.format(write="held = __import__('itertools').count()"), users, budget_s=120, switches=1
    )
    assert "every pair of lanes by itself with at most 1 switch" in opaque.report.coverage.statement
    leaking = await bench.run(source.format(write="current = message"), users, budget_s=1)
    (crossing,) = leaking.report.crossings
    assert (crossing.needs.switches, crossing.needs.sessions) == (1, 2)


async def test_a_short_secret_counts_when_changing_it_changes_the_answer(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        pins = []
        async def handle(message):
            pins.append(message.rsplit(" ", 1)[-1])
            await asyncio.sleep(0)
            return "known pins: " + ", ".join(pins)
        """,
        turns(("s1", "alice", "my pin is 42"), ("s2", "bob", "my pin is 77")),
    )
    (crossing,) = result.report.crossings
    assert crossing.sink.evidence == "42"


@pytest.mark.parametrize("said", [("x", "y"), ("é", "ü"), ("1", "2")])
async def test_texts_of_a_character_are_told_apart_by_saying_more(bench: Bench, said: tuple[str, str]) -> None:
    source = """
        import asyncio
        last = {}
        async def handle(message):
            last["note"] = message
            await asyncio.sleep(0)
            return "noted " + last["note"]
        """
    users = turns(("s1", "alice", said[0]), ("s2", "bob", said[1]))
    (crossing,) = (await bench.run(source, users)).report.crossings
    assert crossing.carrier is not None
    assert crossing.carrier.name == "agent.last['note']"
    mute = (await bench.run(source, users, variants=False)).report
    assert (mute.verdict, "telling texts" in mute.reason) == ("inconclusive", True)


async def test_a_finding_in_a_long_trace_comes_down_to_the_requests_that_it_needs(bench: Bench) -> None:
    source = """
        import asyncio
        notes, shown = {}, {}
        async def handle(user, message):
            notes.setdefault(user, []).append(message)
            shown["last"] = notes[user][-2:]
            await asyncio.sleep(0)
            return shown["last"]
        """
    users = [f"user{n}" for n in range(5)]
    trace = turns(
        *((f"s-{user}", user, f"note {n} K{7919 * n % 99991:05d}-{user}") for n in range(12) for user in users)
    )
    result = await bench.run(source, trace, switches=1, faults=False, variants=False, most_executions=20)
    (crossing,) = result.report.crossings
    assert (crossing.needs.sessions, crossing.needs.requests, crossing.needs.switches) == (2, 2, 1)
    assert result.report.executions < 200
