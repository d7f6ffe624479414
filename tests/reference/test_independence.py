"""One execution for all interleavings: proven where lanes share nothing, refused where there is the least doubt.

Whatever is proven is compared with brute force here, and for all the programs of `test_reduction` there.
"""

from __future__ import annotations

import textwrap
from math import comb
from pathlib import Path

import pytest
from crosslane.replay.schedule.strategies import Serial
from crosslane.replay.state import keyed_use
from crosslane.replay.trace.lanes import lanes_of
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from ..conftest import turns
from .cover import by_brute_force, by_independence, loaded
from .depth import examples

MOST_BY_BRUTE_FORCE = 5_000

IMPORTS = "import asyncio, collections, contextvars, random, weakref\n"

ALONE = {
    "what is theirs alone": """
        async def handle(user, message):
            seen = []
            for turn in range(2):
                seen.append((turn, message))
                await asyncio.sleep(0.1)
            return f"{user} {seen}"
        """,
    "what nobody changes": """
        config = {"model": ["a", "b"]}
        async def handle(user, message):
            models = config["model"]
            await asyncio.sleep(0)
            return models + [message]
        """,
    "what is put back before the next await": """
        current = None
        def answer():
            return current
        async def handle(user, message):
            global current
            await asyncio.sleep(0)
            current = message
            said = answer()
            current = None
            await asyncio.sleep(0)
            return said
        """,
    "the constants of a function": """
        async def handle(user, message):
            names = ("a", ("b", 1))
            await asyncio.sleep(0)
            return message in names
        """,
    "an entry for each session": """
        sessions = {}
        async def handle(user, message):
            history = sessions.setdefault(user, [])
            for turn in range(2):
                history.append((turn, message))
                await asyncio.sleep(0.1)
            sessions[user] = history + [turn]
            return sessions[user]
        """,
    "an entry for each session of what is made when it is missing": """
        class Store:
            def __init__(self):
                self.turns = collections.defaultdict(list)
            def add(self, user, message):
                self.turns[user].append(message)
        store = Store()
        async def handle(user, message):
            store.add(user, message)
            await asyncio.sleep(0)
            store.add(user, "again")
            return store.turns.pop(user), user in store.turns
        """,
    "an entry for each session beside one that nobody changes": """
        sessions = {("common", 1): ["hello"]}
        async def handle(user, message):
            sessions[user, 1] = {"said": message}
            await asyncio.sleep(0)
            sessions[user, 1]["n"] = len(sessions.get(("common", 1)))
            await asyncio.sleep(0)
            del sessions[user, 1]["said"]
            return sessions[user, 1]
        """,
    "tasks, locks, queues and contexts of their own": """
        variable = contextvars.ContextVar("variable", default="")
        async def child(lock, box):
            async with lock:
                await asyncio.sleep(0)
                await box.put(variable.get())
        async def handle(user, message):
            variable.set(message)
            lock, box = asyncio.Lock(), asyncio.Queue()
            task = asyncio.create_task(child(lock, box))
            words = {message, user}
            said = await box.get()
            await task
            return said, sorted(words)
        """,
}
TOGETHER = {
    "a list of the entries for each session": """
        sessions = {}
        async def handle(user, message):
            sessions[user] = message
            await asyncio.sleep(0)
            return list(sessions)
        """,
    "one entry": """
        sessions = {}
        async def handle(user, message):
            sessions["latest"] = message
            await asyncio.sleep(0)
            return user
        """,
    "an entry that one asks for and another makes": """
        sessions = {}
        async def handle(user, message):
            if user == "alice":
                sessions["latest"] = message
            await asyncio.sleep(0)
            return "latest" in sessions
        """,
    "entries whose number somebody asks for": """
        sessions = {}
        def count(kept):
            return len(kept)
        async def handle(user, message):
            sessions[user] = message
            await asyncio.sleep(0)
            return count(sessions)
        """,
    "entries that another name leads to": """
        class Store:
            def __init__(self, entries):
                self.entries = entries
        store = Store({})
        turns = store.entries
        async def handle(user, message):
            turns[user] = message
            await asyncio.sleep(0)
            return [*store.entries.values()]
        """,
    "entries that a module's own names lead to": """
        sessions = {}
        async def handle(user, message):
            sessions[user] = message
            await asyncio.sleep(0)
            return str(vars(__import__(handle.__module__))["sessions"])
        """,
    "entries that a pattern leads to": """
        class Store:
            def __init__(self):
                self.entries = {}
        store = Store()
        async def handle(user, message):
            store.entries[user] = message
            await asyncio.sleep(0)
            match store:
                case Store(entries=found):
                    return str(found)
        """,
    "entries under a private name": """
        class Store:
            def __init__(self):
                self.__entries = {}
            def add(self, key, value):
                self.__entries[key] = value
                return self.__entries
        store = Store()
        async def handle(user, message):
            store.add(user, message)
            await asyncio.sleep(0)
            return str(store.add(user, message))
        """,
    "keys that say what they are equal to": """
        class Key(str):
            def __hash__(self):
                return 1
            def __eq__(self, other):
                return True
        sessions = {}
        async def handle(user, message):
            sessions[Key(user)] = message
            await asyncio.sleep(0)
            return sessions[Key(user)]
        """,
    "an object that stands in the entries of both": """
        sessions = {}
        common = []
        async def handle(user, message):
            sessions[user] = common
            await asyncio.sleep(0)
            sessions[user].append(message)
            await asyncio.sleep(0)
            return list(sessions[user])
        """,
    "a change in the very last step": """
        last = ""
        async def handle(user, message):
            before = last
            await asyncio.sleep(0)
            return finish(before, message)
        def finish(before, message):
            global last
            if not last:
                last = message
            return before
        """,
    "a task that outlives its request": """
        async def child():
            await asyncio.sleep(0)
        async def handle(user, message):
            await asyncio.sleep(0)
            kept = asyncio.ensure_future(child())
            return message
        """,
    "a time limit that only passes when nobody else can run": """
        async def handle(user, message):
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 1)
            except TimeoutError:
                return message
        """,
    "the tasks of all": """
        async def handle(user, message):
            await asyncio.sleep(0)
            return len(asyncio.all_tasks())
        """,
    "the tasks of all, by the name that only asyncio has for them": """
        from asyncio import tasks
        async def handle(user, message):
            await asyncio.sleep(0)
            return len([task for task in tasks._all_tasks if not task.done()])
        """,
    "weak references to what each made": """
        class Agent: pass
        agents = weakref.WeakSet()
        async def handle(user, message):
            agent = Agent()
            agents.add(agent)
            await asyncio.sleep(0)
            return len(agents)
        """,
    "the order in which objects lie in memory": """
        class Agent:
            def __init__(self, name):
                self.name = name
        async def handle(user, message):
            agents = {Agent(n) for n in range(3)}
            await asyncio.sleep(0)
            return [agent.name for agent in agents]
        """,
    "an object that one hands to the other": """
        box = [None]
        def meet(mine):
            theirs, box[0] = box[0], mine
            return theirs if theirs is not None else mine
        async def handle(user, message):
            mine = meet([])
            mine.append(message)
            await asyncio.sleep(0)
            return list(mine)
        """,
    "how late it is": """
        async def handle(user, message):
            await asyncio.sleep(0.1)
            return asyncio.get_running_loop().time()
        """,
}


@pytest.mark.parametrize(
    ("what", "users"),
    # Of three who each have tasks of their own there are tens of thousands of interleavings.
    [(what, users) for what in ALONE for users in (2, 3) if users == 2 or "tasks" not in what],
)
def test_one_execution_stands_for_all_where_lanes_have_only(tmp_path: Path, what: str, users: int) -> None:
    program, lanes = loaded(IMPORTS + textwrap.dedent(ALONE[what]), users, tmp_path)
    alone = by_independence(program, lanes)
    assert not alone.refused
    expected = by_brute_force(program, lanes)
    assert (alone.outcomes, alone.count) == (expected.outcomes, expected.count)
    assert expected.count > 1


@pytest.mark.parametrize("what", TOGETHER)
def test_one_execution_stands_for_no_other_where_lanes_share(tmp_path: Path, what: str) -> None:
    program, lanes = loaded(IMPORTS + textwrap.dedent(TOGETHER[what]), 2, tmp_path)
    assert by_independence(program, lanes).refused


def test_requests_that_may_have_to_wait_for_each_other_are_not_independent(tmp_path: Path) -> None:
    program, lanes = loaded("async def handle(message): return message", 2, tmp_path)
    assert by_independence(program, lanes).refused == ""
    assert by_independence(program, lanes, 1).refused == "requests wait for each other to be answered"


def test_several_requests_of_one_lane_are_steps_of_that_lane(tmp_path: Path) -> None:
    program, _ = loaded(IMPORTS + textwrap.dedent(ALONE["what nobody changes"]), 1, tmp_path)
    lanes = lanes_of(e.request for e in turns(("s0", "alice", "a"), ("s1", "bobby", "b"), ("s0", "alice", "c")))
    alone, expected = by_independence(program, lanes), by_brute_force(program, lanes)
    assert not alone.refused
    assert (alone.outcomes, alone.count) == (expected.outcomes, expected.count) == (alone.outcomes, 15)


OWN = (
    "mine.append(message)",
    "answer.append(list(mine))",
    "await asyncio.sleep(0)",
    "await asyncio.sleep(0.1)",
    "mine, other = other, mine",
    "other = mine",
    "answer.append(len(config))",
    "answer.append(await asyncio.create_task(said(message)))",
    "answer.append(variable.get()); variable.set(message)",
)
SHARED = (
    "shared.append(message)",
    "answer.append(list(shared))",
    "shared.append(message); shared.pop()",
    "config = {**config, user: 1}",
    "shared[:] = []",
    "mine = shared",
    "shared.append(mine)",
    "mine = shared[-1] if shared and type(shared[-1]) is list else mine",
)


ENTRIES = (
    "entries[user] = [message]",
    "entries.setdefault(user, []).append(message)",
    "answer.append(list(entries.get(user, ())))",
    "answer.append(user in entries)",
    "entries.pop(user, None)",
    "made[user].append(message)",
    "answer.append(list(made[user]))",
    "await asyncio.sleep(0)",
    "await asyncio.sleep(0.1)",
)
SEEN_BY_OTHERS = (
    "answer.append('alice' in entries)",
    "entries['alice'] = [message]",
    "answer.append(str(entries.get('bobby')))",
    "entries.setdefault('both', []).append(message)",
    "entries[user] = config",
    "entries[user].append(message) if user in entries else None",
    "mine = entries.get('alice', mine); mine.append(1)",
)
SEEN_AS_A_WHOLE = (
    "answer.append(list(entries))",
    "answer.append(len(entries))",
    "answer.append(str(made))",
    "entries.update({user: 1})",
    "answer.append(entries == {user: [message]})",
    "answer.append({**entries})",
)


@settings(deadline=None, max_examples=examples(25), suppress_health_check=[HealthCheck.filter_too_much])
@given(
    lines=st.lists(
        st.lists(
            st.sampled_from(ENTRIES) | st.sampled_from(ENTRIES) | st.sampled_from((*SEEN_BY_OTHERS, *SEEN_AS_A_WHOLE)),
            max_size=5,
        ),
        min_size=2,
        max_size=2,
    ),
    anyhow=st.booleans(),
)
def test_what_is_proven_of_entries_is_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]], anyhow: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if anyhow:  # what is said by the source alone is left to what is seen of the accesses
            patch.setattr(keyed_use, "_otherwise_used", lambda tree: set())
        compare(
            "entries, made, config = {}, collections.defaultdict(list), []",
            "mine, answer = [], [user]",
            lines,
            tmp_path_factory.mktemp("m"),
            all(line in ENTRIES for body in lines for line in body),
        )


@settings(deadline=None, max_examples=examples(25), suppress_health_check=[HealthCheck.filter_too_much])
@given(
    lines=st.lists(
        st.lists(st.sampled_from(OWN) | st.sampled_from(OWN) | st.sampled_from(SHARED), max_size=4),
        min_size=2,
        max_size=2,
    )
)
def test_what_is_proven_is_what_brute_force_finds(
    tmp_path_factory: pytest.TempPathFactory, lines: list[list[str]]
) -> None:
    names = "\n".join(
        (
            "shared, config = [], {}",
            "variable = contextvars.ContextVar('variable', default='')",
            "async def said(text):\n    await asyncio.sleep(0)\n    return text",
        )
    )
    alone = all(line in OWN for body in lines for line in body)
    compare(
        names, "global config\n    mine, other, answer = [], [user], []", lines, tmp_path_factory.mktemp("m"), alone
    )


def compare(names: str, begin: str, lines: list[list[str]], folder: Path, alone: bool) -> None:
    """What is proven of two users' lines, if anything is, and by brute force. `alone`: it is to be proven."""
    source = [IMPORTS + names, f"async def handle(user, message):\n    {begin}"]
    for name, body in zip(("alice", "bobby"), lines, strict=True):
        source += [f"    if user == {name!r}:", *(f"        {line}" for line in body), "        pass"]
    program, lanes = loaded("\n".join([*source, "    return answer\n"]), 2, folder)
    steps = [len(program.execute((lane,), Serial([lane.name])).decisions) for lane in lanes]
    assume(comb(sum(steps), steps[0]) <= MOST_BY_BRUTE_FORCE)
    proven = by_independence(program, lanes)
    assert not (alone and proven.refused), proven.refused
    if not proven.refused:
        expected = by_brute_force(program, lanes)
        assert (proven.outcomes, proven.count) == (expected.outcomes, expected.count)
