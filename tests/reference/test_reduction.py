"""The reduction against brute force: the same outcomes, and the same number of interleavings, or none is claimed.

Generated programs share what can be shared, plainly and in hidden ways; the written ones are each a trap for a search
that prunes what it did not see.
"""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from crosslane.replay.schedule.loop import ControlledLoop
from crosslane.replay.state.fingerprint import Fingerprints
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from .cover import NAMES, by_brute_force, by_independence, by_reduction, loaded
from .depth import examples

SHARED = """
import asyncio, contextvars, itertools, random
from collections import deque, OrderedDict, defaultdict
numbers = []
alias = numbers
nested = {"inner": numbers}
table = {}
names = set()
queue = deque(maxlen=3)
scalar = ""
words = defaultdict(list)
draws = random.Random(7)
variable = contextvars.ContextVar("variable", default=[])
lock = asyncio.Lock()
inbox = asyncio.Queue()
class Agent:
    user = ""
    def __init__(self):
        self.text = ""
agent = Agent()
def closure():
    kept = ["nobody"]
    def change(to):
        before, kept[0] = kept[0], to
        return before
    return change
swap = closure()
def default(message, seen=[]):
    seen.append(message)
    return list(seen)
async def pause():
    await asyncio.sleep(0)
async def said(value):
    await asyncio.sleep(0)
    return value
async def parts(message):
    for part in list(numbers)[:1] + [message]:
        yield part
        await asyncio.sleep(0)
class Odd(Exception):
    pass
async def raising():
    await asyncio.sleep(0)
    raise Odd(scalar)
"""
PLAIN = [
    "numbers.append(message)",
    "answer.append(list(numbers))",
    "answer.append(list(alias))",
    "nested['inner'].append(1)",
    "nested['inner'] = [message]",
    "nested['inner'] = numbers",
    "answer.append(nested['inner'] is numbers)",
    "table[message] = len(table)",
    "answer.append(list(table))",
    "table.pop(message, None)",
    "names.add(message)",
    "names.discard(message)",
    "answer.append(list(names))",
    "queue.append(message)",
    "answer.append(list(queue))",
    "scalar = message",
    "answer.append(scalar)",
    "words[scalar].append(message)",
    "answer.append(dict(words))",
    "answer.append(draws.random())",
    "Agent.user = message",
    "answer.append(Agent.user)",
    "agent.text = message",
    "answer.append(agent.text)",
    "answer.append(swap(message))",
    "answer.append(default(message))",
    "variable.get().append(message)",
    "answer.append(list(variable.get()))",
    "variable.set([message])",
    "mine = numbers",
    "mine = mine if numbers else list(numbers)",
    "mine.append(2)",
    "inbox.put_nowait(message)",
    "answer.append(inbox.qsize())",
    "answer.append(asyncio.get_running_loop().time())",
    "asyncio.get_running_loop().pass_time(1)",
]
WAITING = [
    "await pause()",
    "await asyncio.sleep(0.1)",
    "answer += [scalar, await said(message), scalar]",
    "async with lock: answer.append(scalar); await pause()",
    "answer.append([part async for part in parts(message)])",
    "answer.append(await inbox.get() if inbox.qsize() else 'empty')",
    "answer.append(await asyncio.gather(said(1), said(scalar)))",
    "await asyncio.create_task(said(message))",
    "child = asyncio.create_task(said(message)); child.cancel(); await pause()",
    "mine = [await said(item) for item in numbers]",
]
lines = st.sampled_from(PLAIN)
blocks = st.lists(lines, min_size=1, max_size=3)


@st.composite
def programs(draw: st.DrawFn, users: int, most: int, waiting: list[str]) -> str:
    """A handler in which each user does something else. A few lines are shared by all, so that they meet."""
    source = [SHARED, "async def handle(user, message):", "    global scalar", "    answer, mine, child = [], [], None"]
    for name in NAMES[:users]:
        source.append(f"    if user == {name!r}:")
        for number in range(draw(st.integers(1, most))):
            if number:
                source.append(f"        {draw(st.sampled_from(waiting))}")
            source += [f"        {line}" for line in draw(blocks)]
    return "\n".join([*source, "    return answer"]) + "\n"


def compare(source: str, users: int, folder: Path, most: int = 4_000) -> str:
    """Why nothing is claimed, or "" where all that is claimed is true."""
    program, lanes = loaded(source, users, folder)
    try:
        expected = by_brute_force(program, lanes, most)
    except AssertionError:
        assume(False)
        raise
    covered = by_reduction(program, lanes)
    assert covered.outcomes <= expected.outcomes
    if not covered.refused:
        assert covered.outcomes == expected.outcomes
        assert covered.count == expected.count
    alone = by_independence(program, lanes)
    if not alone.refused:
        assert alone.outcomes == expected.outcomes
        assert alone.count == expected.count
    return covered.refused


checked = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


@settings(checked, max_examples=examples(20))
@given(source=programs(2, 4, WAITING[:1]))
def test_what_two_lanes_share_plainly_is_covered_as_brute_force_covers_it(
    tmp_path_factory: pytest.TempPathFactory, source: str
) -> None:
    assert compare(source, 2, tmp_path_factory.mktemp("m")) == ""


@settings(checked, max_examples=examples(10))
@given(source=programs(3, 2, WAITING))
def test_three_lanes_with_locks_queues_tasks_and_streams_are_covered_as_brute_force_covers_them(
    tmp_path_factory: pytest.TempPathFactory, source: str
) -> None:
    compare(source, 3, tmp_path_factory.mktemp("m"))


@settings(checked, max_examples=examples(12))
@given(source=programs(2, 3, WAITING))
def test_two_lanes_with_everything_are_covered_as_brute_force_covers_them(
    tmp_path_factory: pytest.TempPathFactory, source: str
) -> None:
    compare(source, 2, tmp_path_factory.mktemp("m"))


TRAPS = {
    "an object under two names": """
        first = {"user": ""}
        second = first
        async def handle(user, message):
            global second
            if user == "alice":
                second = dict(first)
            await asyncio.sleep(0)
            first["user"] = message
            await asyncio.sleep(0)
            return second["user"]
        """,
    "equal lists that are one or two": """
        held = {}
        async def handle(user, message):
            if user == "alice":
                held["a"] = held["b"] = []
            else:
                held["a"], held["b"] = [], []
            await asyncio.sleep(0)
            if "a" in held:
                held["a"].append(1)
            await asyncio.sleep(0)
            return len(held["b"])
        """,
    "a value on the evaluation stack": """
        current = ""
        async def said(value):
            await asyncio.sleep(0)
            return value
        async def handle(user, message):
            global current
            current = message
            return [current, await said(1), current, await said(2), current]
        """,
    "an iterator in the middle of a shared list": """
        log = []
        async def handle(user, message):
            log.append(message)
            seen = []
            for item in log:
                seen.append(item)
                await asyncio.sleep(0)
                if len(seen) == 2:
                    break
            return seen
        """,
    "an iterator over a shared dict": """
        table = dict.fromkeys("abc")
        async def handle(user, message):
            seen = []
            table[user[0]] = message
            for key, value in table.items():
                seen.append((key, value))
                await asyncio.sleep(0)
                if len(seen) == 2:
                    break
            return seen
        """,
    "the places that members of a set have left": """
        members = set()
        async def handle(user, message):
            numbers = (1, 9) if user == "alice" else (9, 17)
            members.add(numbers[0])
            await asyncio.sleep(0)
            members.discard(numbers[0])
            members.add(numbers[1])
            await asyncio.sleep(0)
            members.add(25)
            members.add(33)
            return list(members)
        """,
    "an exception that is being handled": """
        current = ""
        class Odd(Exception):
            pass
        async def handle(user, message):
            global current
            current += message
            try:
                raise Odd(current)
            except Odd as error:
                await asyncio.sleep(0)
                current = ""
                await asyncio.sleep(0)
                return error.args
        """,
    "an exception that a finished task holds": """
        current = ""
        async def failing():
            global current
            text, current = current, ""
            raise ValueError(text)
        async def handle(user, message):
            global current
            current += message
            task = asyncio.ensure_future(failing())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            try:
                await task
            except ValueError as error:
                return error.args
        """,
    "a token that was used": """
        variable = contextvars.ContextVar("variable")
        turn = 0
        async def handle(user, message):
            global turn
            token = variable.set(message)
            turn += 1
            if turn % 2:
                variable.reset(token)
                variable.set(message)
            turn = 0 if turn == 2 else turn
            await asyncio.sleep(0)
            try:
                variable.reset(token)
            except RuntimeError:
                return "used"
            return "not used"
        """,
    "a cancelled child": """
        tasks = []
        done = []
        async def child(message):
            try:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                done.append(message)
            except asyncio.CancelledError:
                done.append("cancelled")
                raise
        async def handle(user, message):
            tasks.append(asyncio.create_task(child(message)))
            await asyncio.sleep(0)
            tasks[0].cancel()
            await asyncio.sleep(0)
            return list(done)
        """,
    "a task group": """
        log = []
        async def child(message):
            log.append(message)
            await asyncio.sleep(0)
            log.remove(message)
        async def handle(user, message):
            async with asyncio.TaskGroup() as group:
                for n in range(2):
                    group.create_task(child(message + str(n)))
            return list(log)
        """,
    "a lock and who waits for it": """
        lock = asyncio.Lock()
        log = []
        async def handle(user, message):
            async with lock:
                log.append(message)
                await asyncio.sleep(0)
            return list(log)
        """,
    "a queue between the lanes": """
        inbox = asyncio.Queue()
        async def handle(user, message):
            await inbox.put(message)
            await asyncio.sleep(0)
            return await inbox.get()
        """,
    "a deadlock": """
        first, second = asyncio.Lock(), asyncio.Lock()
        async def handle(user, message):
            one, other = (first, second) if user == "alice" else (second, first)
            async with one:
                await asyncio.sleep(0)
                async with other:
                    return message
        """,
    "the clock": """
        async def handle(user, message):
            start = asyncio.get_running_loop().time()
            await asyncio.sleep(0.5 if user == "alice" else 0.25)
            return asyncio.get_running_loop().time() - start, start
        """,
    "a clock that is read at the very end": """
        async def handle(user, message):
            await asyncio.sleep(0.5 if user == "alice" else 0.25)
            await asyncio.sleep(0.5)
            return asyncio.get_running_loop().time()
        """,
    "a time limit": """
        async def handle(user, message):
            try:
                async with asyncio.timeout(0.3):
                    await asyncio.sleep(0.2)
                    await asyncio.sleep(0.2)
            except TimeoutError:
                return "late"
            return "in time"
        """,
    "two timers of one lane": """
        log = []
        async def later(delay):
            await asyncio.sleep(delay)
            log.append(delay)
        async def handle(user, message):
            child = asyncio.create_task(later(0.3))
            await asyncio.sleep(0.1)
            await asyncio.sleep(0.2)
            log.append(user)
            await child
            return list(log)
        """,
    "the name of a task": """
        async def handle(user, message):
            await asyncio.sleep(0)
            child = asyncio.create_task(asyncio.sleep(0))
            await child
            return len(child.get_name()) > 0
        """,
    "a background task": """
        worker = None
        inbox = []
        done = []
        async def work():
            for _ in range(4):
                if inbox:
                    done.append(inbox.pop(0))
                await asyncio.sleep(0)
        async def handle(user, message):
            global worker
            if worker is None:
                worker = contextvars.Context().run(asyncio.create_task, work(), name="worker")
            inbox.append(message)
            await asyncio.sleep(0)
            return list(done)
        """,
    "a random generator of their own": """
        draws = random.Random(3)
        async def handle(user, message):
            one = draws.random()
            await asyncio.sleep(0)
            return one, draws.random()
        """,
    "a function that remembers": """
        def keep(value, kept=[]):
            kept.append(value)
            return list(kept)
        async def handle(user, message):
            keep(message)
            await asyncio.sleep(0)
            return keep(message)
        """,
    "an object that only a finished call still holds": """
        pool = [[], []]
        async def handle(user, message):
            mine = pool.pop()
            mine.append(message)
            await asyncio.sleep(0)
            pool.append(mine)
            await asyncio.sleep(0)
            return [list(each) for each in pool]
        """,
    "a stream": """
        current = ""
        async def handle(user, message):
            global current
            for _ in range(2):
                current = message
                yield current
                yield current
        """,
    "an async generator that another lane goes on with": """
        async def count():
            for n in range(6):
                await asyncio.sleep(0)
                yield n
        shared = []
        async def handle(user, message):
            if not shared:
                shared.append(count())
            try:
                return [await anext(shared[0]), await anext(shared[0])]
            except RuntimeError:
                return "in use"
        """,
    "a generator that another lane goes on with": """
        def count():
            n = 0
            while True:
                n += 1
                yield n
        shared = []
        async def handle(user, message):
            if not shared:
                shared.append(count())
            one = next(shared[0])
            await asyncio.sleep(0)
            return one, next(shared[0])
        """,
    "names in a class that a request makes": """
        class Agent: pass
        async def handle(user, message):
            before = getattr(Agent, "user", None)
            Agent.user = message
            await asyncio.sleep(0)
            after = Agent.user
            if user == "alice":
                del Agent.user
            await asyncio.sleep(0)
            return before, after, hasattr(Agent, "user")
        """,
    "a name in the environment": """
        import os
        async def handle(user, message):
            os.environ["CROSSLANE_TEST_USER"] = message
            await asyncio.sleep(0)
            return os.environ["CROSSLANE_TEST_USER"]
        """,
    "a name put into one of Python's modules": """
        import sys
        async def handle(user, message):
            sys.crosslane_test_user = message
            await asyncio.sleep(0)
            answer = getattr(sys, "crosslane_test_user", None)
            if hasattr(sys, "crosslane_test_user"):
                del sys.crosslane_test_user
            return answer
        """,
    "a heartbeat that outlives its request": """
        async def beat():
            while True:
                await asyncio.sleep(1)
        async def handle(user, message):
            if user == "alice":
                asyncio.ensure_future(beat())
            await asyncio.sleep(0)
            return message
        """,
    "slots and properties": """
        class Agent:
            __slots__ = ("_user",)
            @property
            def user(self):
                raise AssertionError("looked at")
            def __eq__(self, other):
                raise AssertionError("compared")
            def __repr__(self):
                raise AssertionError("shown")
            __hash__ = None
        agent = Agent()
        agent._user = ""
        async def handle(user, message):
            mine = Agent()
            mine._user = agent._user
            agent._user = message
            await asyncio.sleep(0)
            return mine._user, agent._user
        """,
}

OPAQUE = {
    "a dict that changes under its iterator": """
        table = {"x": 1}
        async def handle(user, message):
            seen = []
            table[user] = message
            try:
                for key in table:
                    seen.append(key)
                    await asyncio.sleep(0)
                    if user == "bobby":
                        table.pop("x", None)
            except RuntimeError:
                seen.append("changed")
            return seen
        """,
    "a C iterator in a local name": """
        async def handle(user, message):
            ids = itertools.count()
            next(ids)
            await asyncio.sleep(0)
            return next(ids)
        """,
    "a C iterator that the lanes share": """
        held = []
        async def handle(user, message):
            if not held:
                held.append(itertools.count())
            next(held[0])
            await asyncio.sleep(0)
            return next(held[0])
        """,
    "a class of a C iterator": """
        class Ids(itertools.count): pass
        held = []
        async def handle(user, message):
            if not held:
                held.append(Ids())
            next(held[0])
            await asyncio.sleep(0)
            return next(held[0])
        """,
    "a weak reference": """
        import weakref
        class Agent: pass
        held = []
        async def handle(user, message):
            mine = Agent()
            held.append(weakref.ref(mine))
            await asyncio.sleep(0)
            return sum(each() is not None for each in held)
        """,
    "a weak dictionary": """
        import weakref
        class Agent: pass
        held = weakref.WeakValueDictionary()
        async def handle(user, message):
            mine = held[user] = Agent()
            await asyncio.sleep(0)
            return len(held)
        """,
    "a cache": """
        import functools
        @functools.lru_cache(1)
        def first(user):
            return [user]
        async def handle(user, message):
            first(0).append(user)
            await asyncio.sleep(0)
            return list(first(0))
        """,
    "an address": """
        held = {}
        async def handle(user, message):
            mine = [message]
            held[id(mine)] = message
            await asyncio.sleep(0)
            return len(held)
        """,
    "a name put into one of Python's modules behind its back": """
        import inspect
        async def handle(user, message):
            module = vars(inspect)["tokenize"]
            vars(module)["crosslane_test_user"] = message
            await asyncio.sleep(0)
            return vars(module).pop("crosslane_test_user", None)
        """,
    "a name set in one of Python's modules behind its back": """
        import inspect
        async def handle(user, message):
            module = vars(inspect)["tokenize"]
            module.__author__ = message
            await asyncio.sleep(0)
            return module.__author__
        """,
    "what the collector is asked for": """
        import gc
        seen = []
        class Agent:
            def __del__(self):
                seen.append(1)
        async def handle(user, message):
            mine = Agent()
            mine.itself = mine
            mine = None
            await asyncio.sleep(0)
            if user == "bobby":
                gc.collect()
            await asyncio.sleep(0)
            return len(seen)
        """,
    "the state of a hash": """
        import hashlib
        held = {}
        async def handle(user, message):
            mine = held.setdefault("hash", None) or held.update(hash=hashlib.sha256()) or held["hash"]
            mine.update(message.encode())
            await asyncio.sleep(0)
            return mine.hexdigest()
        """,
    "how often a cache that keeps nothing was asked": """
        import functools
        @functools.lru_cache(0)
        def asked(user):
            return user
        async def handle(user, message):
            asked(user)
            await asyncio.sleep(0)
            return asked.cache_info().misses
        """,
    "a thread": """
        import threading
        async def handle(user, message):
            await asyncio.to_thread(len, message)
            await asyncio.sleep(0)
            return message
        """,
    "an attribute of a function": """
        async def handle(user, message):
            handle.user = message
            await asyncio.sleep(0)
            answer = handle.user if hasattr(handle, "user") else None
            vars(handle).clear()
            return answer
        """,
}
# Who came first is known for one step, and then in one place alone: {hide} puts it there, {show} tells it later.
ONE_PLACE = """
turn = met = ended = 0
table = {{1: 0, 2: 0, 3: 0}}
members = {{1, 9, 17}}
ring = collections.deque("abc")
class Odd(Exception): pass
agent = Odd()
agent.x1 = agent.x2 = agent.x3 = 0
async def said(value):
    await asyncio.sleep(0)
    return value
async def failing(number):
    raise Odd(number)
async def child(number):
    await asyncio.sleep(0)
    return number
def count(number):
    while True:
        yield number
variable = contextvars.ContextVar("variable", default=0)
async def handle(user, message):
    global met, ended
    met += 1
    answer = await work(user)
    ended += 1
    # What is only so where they overlapped, and ended in this order, is lost when the two orders of the first steps are
    # taken for one: of the second only one way to the end is executed then.
    return answer, met, ended
async def work(user):
    global turn
    turn += 1
    mine = turn
    held = task = token = future = None
    try:
        {hide}
    finally:
        turn, mine = turn % 3, None
    await asyncio.sleep(0)
    {show}
"""
PLACES = {
    "a local name": ("held = mine", "return held"),
    "an unbound name": ("held = 1 if mine == 1 else 0\n        if held: del held", "return 'held' in locals()"),
    "where an iterator stands": ("held = iter([1, 2, 3, 4]); [next(held) for _ in range(mine)]", "return next(held)"),
    "where an iterator over a string stands": (
        "held = iter('abcd'); [next(held) for _ in range(mine)]",
        "return next(held)",
    ),
    "where an iterator over a dict stands": (
        "held = iter({1: 1, 2: 2, 3: 3, 4: 4}); [next(held) for _ in range(mine)]",
        "return next(held)",
    ),
    "where an enumeration stands": (
        "held = enumerate('abcd'); [next(held) for _ in range(mine)]",
        "return next(held)",
    ),
    "where a generator stands": (
        "held = (n for n in range(5)); [next(held) for _ in range(mine)]",
        "return next(held)",
    ),
    "a name inside a generator": ("held = count(mine); next(held)", "return next(held)"),
    "whether a token was used": (
        "token = variable.set(5)\n        if mine == 1: variable.reset(token); variable.set(5)",
        "\n    try: variable.reset(token)\n    except RuntimeError: return 'used'",
    ),
    "a value in the context": ("variable.set(mine)", "return variable.get()"),
    "a closure": ("held = (lambda kept: lambda: kept)(mine)", "return held()"),
    "a default argument": ("held = lambda kept=mine: kept", "return held()"),
    "a bound method": ("held = [mine].copy", "return held()"),
    "a partial": ("held = functools.partial(int, mine)", "return held()"),
    "an attribute": ("held = Odd(); held.mine = mine", "return held.mine"),
    "the arguments of an exception": ("held = Odd(mine)", "return held.args"),
    "the cause of an exception": ("held = Odd(); held.__cause__ = Odd(mine)", "return held.__cause__.args"),
    "which object is which": (
        "held = [[], []]; held = (held[0], held[0]) if mine == 1 else (held[0], held[1])",
        "return held[0] is held[1]",
    ),
    "the result of a future": (
        "future = asyncio.get_running_loop().create_future(); future.set_result(mine)",
        "return future.result()",
    ),
    "the state of a future": (
        "future = asyncio.get_running_loop().create_future(); (mine == 1) and future.set_result(None)",
        "return future.done()",
    ),
    "the exception of a future": (
        "future = asyncio.get_running_loop().create_future(); future.set_exception(Odd(mine))",
        "return future.exception().args",
    ),
    "what a future calls back": (
        "future, held = asyncio.get_running_loop().create_future(), []; "
        "future.add_done_callback(functools.partial(lambda said, _: held.append(said), mine))",
        "future.set_result(1); await asyncio.sleep(0); await asyncio.sleep(0); return held",
    ),
    "a task that has not begun": ("task = asyncio.ensure_future(child(mine))", "return await task"),
    "a coroutine that nobody awaits yet": ("held = child(mine)", "return await held"),
    "a callback that waits to run": (
        "held = []; asyncio.get_running_loop().call_soon(held.append, mine)",
        "await asyncio.sleep(0); await asyncio.sleep(0); return held",
    ),
    "a callback that nothing else holds": (
        "asyncio.get_running_loop().call_soon(functools.partial(globals().__setitem__, user, mine))",
        "await asyncio.sleep(0); await asyncio.sleep(0); return globals().pop(user)",
    ),
    "the name of a task": (
        "task = asyncio.create_task(child(0), name=str(mine))",
        "await task; return task.get_name()",
    ),
    "whether a task shall be cancelled": (
        "task = asyncio.create_task(child(0)); (mine == 1) and task.cancel()",
        "\n    try: return await task\n    except asyncio.CancelledError: return 'cancelled'",
    ),
    "who a lock belongs to": ("held = asyncio.Lock(); (mine == 1) and await held.acquire()", "return held.locked()"),
    "a queue of its own": ("held = asyncio.Queue(); held.put_nowait(mine)", "return held.get_nowait()"),
    "the length that a deque may have": (
        "held = collections.deque(maxlen=mine)",
        "held += [1, 2, 3, 4]; return list(held)",
    ),
    "the factory of a defaultdict": (
        "held = collections.defaultdict(int if mine == 1 else list)",
        "return held[1]",
    ),
    "the order in a dict": ("held = {1: 1, 2: 2} if mine == 1 else {2: 2, 1: 1}", "return list(held)"),
    "the kind of a number": ("held = 1 if mine == 1 else True", "return str(held)"),
    "the sign of zero": ("held = 0.0 if mine == 1 else -0.0", "return str(held)"),
    "a random generator of its own": ("held = random.Random(mine)", "return held.random()"),
    "a text buffer": ("held = io.StringIO('abcde'); held.seek(mine)", "return held.read()"),
    "how late it is": (
        "asyncio.get_running_loop().pass_time(mine)  # as a blocking sleep does",
        "return asyncio.get_running_loop().time()",
    ),
    "a date": ("held = datetime.timedelta(mine)", "return held.days"),
    "the due time of a timer": (
        "held = []; asyncio.get_running_loop().call_later(mine, held.append, 'a')",
        "asyncio.get_running_loop().call_later(1.5, held.append, 'b'); await asyncio.sleep(9); return held",
    ),
    "how often a task was cancelled": (
        "task = asyncio.create_task(child(0)); [task.cancel() for _ in range(mine)]",
        "return task.cancelling()",
    ),
    "where the process stands": (
        "user == 'alice' and os.chdir(('/', '/usr', '/tmp')[mine - 1])",
        "return os.getcwd()",
    ),
    "a name in one of Python's modules": (
        "if user == 'alice': sys.crosslane_test = mine",
        "return getattr(sys, 'crosslane_test', None)",
    ),
    "a function of Python's": ("if user == 'alice': json.dumps = [int, str, float][mine - 1]", "return json.dumps(1)"),
    "an attribute of one of Python's classes": (
        "if user == 'alice': json.JSONEncoder.item_separator = mine",
        "return json.JSONEncoder.item_separator",
    ),
    "a list in one of Python's modules": ("user == 'alice' and sys.argv.append(mine)", "return sys.argv[-1]"),
    "the order in a dict that was there": (
        "user == 'alice' and table.__setitem__(mine, table.pop(mine))",
        "return list(table)",
    ),
    "the order in a set that was there": (
        "held = (1, 9, 17)[mine - 1]\n        if user == 'alice': members.discard(held); members.add(held)\n        held = 0",
        "return list(members)",
    ),
    "the order of attributes that were there": (
        "user == 'alice' and setattr(agent, f'x{{mine}}', vars(agent).pop(f'x{{mine}}'))".replace("{{", "{").replace(
            "}}", "}"
        ),
        "return list(vars(agent))",
    ),
    "how far a deque is turned": ("user == 'alice' and ring.rotate(mine)", "return ring[0]"),
    "the size of a set's table": (
        "held = {1, 9}\n        if mine == 1: held.update(range(100, 200)); held.difference_update(range(100, 200))",
        "held.add(8); return list(held)",
    ),
}


def in_one_place(place: str) -> str:
    hide, show = PLACES[place]
    return IMPORTS + ONE_PLACE.format(hide=hide, show=show)


IMPORTS = "import asyncio, collections, contextvars, datetime, functools, io, itertools, json, os, random, sys\n"


@pytest.mark.parametrize("trap", TRAPS)
def test_hidden_conflicts_are_covered_as_brute_force_covers_them(tmp_path: Path, trap: str) -> None:
    source = IMPORTS + textwrap.dedent(TRAPS[trap])
    assert compare(source, 2, tmp_path, 50_000) == ""


@pytest.mark.parametrize("place", PLACES)
def test_no_place_is_overlooked_in_which_the_past_can_be_kept(tmp_path: Path, place: str) -> None:
    program, lanes = loaded(in_one_place(place), 2 if "await" in PLACES[place][1] else 3, tmp_path)
    expected = by_brute_force(program, lanes)
    covered = by_reduction(program, lanes)
    assert len(expected.outcomes) > 1, "no trap"
    assert covered == replace(expected, executed=covered.executed)
    assert by_independence(program, lanes).refused


def test_what_stands_beside_a_program_tells_moments_apart(tmp_path: Path) -> None:
    program, _ = loaded(IMPORTS + "async def handle(message): pass", 1, tmp_path)
    beside: list[int] = []
    fingerprints = Fingerprints(program.fresh.graph, list, lambda: tuple(beside))
    loop = ControlledLoop(["alice"])
    first = fingerprints.of([loop.lanes["alice"]])
    assert fingerprints.of([loop.lanes["alice"]]) == first
    beside.append(1)
    assert fingerprints.of([loop.lanes["alice"]]) != first


def test_moments_that_differ_in_nothing_are_found_equal(tmp_path: Path) -> None:
    source = IMPORTS + ONE_PLACE.format(hide="pass", show="return 1")
    covered = by_reduction(*loaded(source, 3, tmp_path))
    assert (covered.count, covered.refused) == (90, "")
    assert covered.executed < 45


@pytest.mark.parametrize("trap", OPAQUE)
def test_of_what_cannot_be_looked_into_nothing_is_claimed(tmp_path: Path, trap: str) -> None:
    source = IMPORTS + textwrap.dedent(OPAQUE[trap])
    assert compare(source, 2, tmp_path, 50_000) != ""


@pytest.mark.parametrize(("users", "awaits", "count"), [(2, 8, 48_620), (3, 3, 34_650)])
def test_many_interleavings_are_covered_by_few_executions(tmp_path: Path, users: int, awaits: int, count: int) -> None:
    program, lanes = loaded(
        f"""
        import asyncio
        async def handle(user, message):
            seen = []
            for turn in range({awaits}):
                seen.append((turn, message))
                await asyncio.sleep(0.1)
            return seen
        """,
        users,
        tmp_path,
    )
    covered = by_reduction(program, lanes)
    assert (covered.count, covered.refused, len(covered.outcomes)) == (count, "", 1)
    assert covered.executed * 100 < count
