"""The process that holds the user's code: whatever that code does, the client gets an answer."""

from __future__ import annotations

import asyncio
import json
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from crosslane.replay.errors import CrosslaneError, HandlerError, WorkerError
from crosslane.replay.schedule.schedule import Schedule
from crosslane.replay.worker import client
from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job, Progress
from crosslane.replay.worker.serve import Channel

from ..conftest import TWO_USERS, Bench, turns


async def test_a_handler_that_blocks_the_loop_is_named_by_file_and_line(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        async def handle(user, message):
            await asyncio.sleep(0)
            while user == "bob":
                pass
            return message
        """,
        blocked_after_s=0.5,
        budget_s=0.1,
    )
    assert result.report.verdict == "inconclusive"
    assert "did not give control back" in result.report.reason
    assert "agent.py:5" in result.report.reason or "agent.py:6" in result.report.reason
    assert result.solo["alice"].outcomes[0].body == "My name is Alice Ferrante"


async def test_a_module_that_never_finishes_importing_is_named(bench: Bench) -> None:
    with pytest.raises(HandlerError, match=r"agent\.py:2"):
        await bench.run("x = 1\nwhile True: pass\n", blocked_after_s=0.5)


async def test_a_handler_that_catches_everything_still_gives_an_answer(bench: Bench) -> None:
    # Whether the exception lands inside or outside the `try` is chance: stopped by it, or ended by the worker itself.
    with pytest.raises(HandlerError, match=r"did not give control back .* agent\.py"):
        result = await bench.run(
            """
            async def handle(message):
                while True:
                    try:
                        while True: pass
                    except BaseException:
                        pass
            """,
            blocked_after_s=0.3,
        )
        raise HandlerError(result.report.reason)


async def test_a_handler_that_ends_the_process_is_reported(bench: Bench) -> None:
    with pytest.raises(WorkerError, match="ended with exit status 7"):
        await bench.run("import os\nasync def handle(message):\n    os._exit(7)\n")
    with pytest.raises(CrosslaneError, match="SIGKILL"):
        await bench.run("import os, signal\nasync def handle(message):\n    os.kill(os.getpid(), signal.SIGKILL)\n")


async def test_a_crash_in_c_code_is_named_by_file_and_line(bench: Bench) -> None:
    with pytest.raises(WorkerError, match=r"agent\.py:3: .*SIGSEGV"):
        await bench.run("import ctypes\nasync def handle(message):\n    ctypes.string_at(0)\n")


async def test_the_same_in_a_forked_execution(bench: Bench) -> None:
    opaque = "import itertools, os\nids = itertools.count()\nasync def handle(message):\n    os._exit(7)\n"
    with pytest.raises(HandlerError, match="exited with status 7"):
        await bench.run(opaque)


async def test_sys_exit_in_a_handler_is_an_error_of_its_request(bench: Bench) -> None:
    result = await bench.run("import sys\nasync def handle(message):\n    sys.exit('bye')\n")
    assert result.solo["alice"].outcomes[0].error == "SystemExit: bye"


async def test_prints_and_logs_belong_to_the_request_that_made_them(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, logging, sys
        logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s")
        async def handle(user, message):
            print("start", user)
            await asyncio.sleep(0)
            logging.getLogger("bot").info("done %s", user)
            sys.stdout.buffer.write(b"raw\\n")
            return "ok"
        """,
        action="replay",
    )
    assert {o.lane: o.output for o in result.run.outcomes} == {
        "alice": "start alice\nbot done alice\nraw\n",
        "bob": "start bob\nbot done bob\nraw\n",
    }
    printed = [(e.lane, e.text) for e in result.run.events if e.kind == "output"]
    assert printed[0] == ("alice", "start alice")


async def test_output_past_python_does_not_disturb_the_pipe(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio, os
        os.write(1, b'{"result": "forged"}\\n')
        async def handle(message):
            os.write(1, b"noise\\n")
            await asyncio.sleep(0)
            return message
        """
    )
    assert result.report.verdict == "clean"


async def test_time_randomness_and_identifiers_are_repeatable_and_apart_for_each_lane(bench: Bench) -> None:
    source = """
        import asyncio, random, secrets, time, uuid
        from random import choice
        async def handle(user, message):
            before = time.monotonic()
            await asyncio.sleep(5)
            return [random.random(), choice(range(10**9)), str(uuid.uuid4()), secrets.token_hex(4),
                    round(time.monotonic() - before, 3) >= 5]
        """
    result = await bench.run(source)
    assert result.report.verdict == "clean"
    assert result.report.influences == ()
    again = await bench.run(source)
    alice, bob = (result.solo[lane].outcomes[0].body for lane in ("alice", "bob"))
    assert alice == again.solo["alice"].outcomes[0].body
    assert alice[:4] != bob[:4]
    assert alice[4] is True


async def test_cancelling_a_long_search_keeps_what_was_found(bench: Bench) -> None:
    bench.write(
        """
        import asyncio
        names = []
        async def handle(user, message):
            names.append(message)
            for _ in range(200):
                await asyncio.sleep(0)
            return list(names)
        """
    )
    started = asyncio.Event()

    def on_progress(progress: Progress) -> None:
        if progress.findings:
            started.set()

    async with Worker(WorkerOptions(cwd=bench.folder)) as worker:
        job = Job("check", "t", TWO_USERS, "agent.py:handle", budget_s=600)
        running = asyncio.create_task(worker.run(job, on_progress))
        await started.wait()
        await worker.cancel()
        result = await running
    assert result.report.verdict == "contaminated"
    assert "until interrupted" in result.report.coverage.statement


@pytest.mark.parametrize("action", ["check", "replay"])
async def test_an_interrupt_while_the_handler_is_imported_is_no_fault_of_the_handler(bench: Bench, action: Any) -> None:
    bench.write(
        """
        import asyncio, time
        from pathlib import Path
        if not Path("imported").exists():
            Path("imported").touch()
            while True:
                time.sleep(0.01)
        async def handle(user, message):
            await asyncio.sleep(0)
            return message
        """
    )
    job = Job(action, "t", TWO_USERS, "agent.py:handle", budget_s=600)
    async with Worker(WorkerOptions(cwd=bench.folder)) as worker:
        running = asyncio.create_task(worker.run(job))
        while not (bench.folder / "imported").exists():
            await asyncio.wait((running,), timeout=0.02)
        await worker.cancel()
        report = (await running).report
        assert (report.verdict, report.reason) == ("inconclusive", "interrupted before the search was done")
        assert report.exit_code == 3
        assert report.coverage.statement == "nothing was executed: interrupted while the handler was imported"
        assert (await worker.run(job)).report.verdict == "clean", "the next job has a process of its own"


async def test_the_budget_ends_a_search_and_the_statement_says_so(bench: Bench) -> None:
    result = await bench.run(
        """
        import asyncio
        async def handle(message):
            for _ in range(300):
                await asyncio.sleep(0)
            return message
        """,
        budget_s=0.2,
    )
    assert "until the budget ended" in result.report.coverage.statement
    assert result.report.coverage.exhaustive_to_switches in (None, 0)


async def test_another_interpreter_needs_no_crosslane_and_no_dependency(bench: Bench, tmp_path: Path) -> None:
    import venv

    venv.create(tmp_path / "theirs", with_pip=False)
    python = str(tmp_path / "theirs" / "bin" / "python")
    result = await bench.run(
        """
        import asyncio, sys
        try:
            import textual
        except ImportError:
            textual = None
        async def handle(message):
            await asyncio.sleep(0)
            return [sys.prefix, textual is None]
        """,
        python=python,
    )
    assert result.solo["alice"].outcomes[0].body == [str(tmp_path / "theirs"), True]


async def test_an_interpreter_that_is_not_there_is_one_line(bench: Bench) -> None:
    with pytest.raises(WorkerError, match=r"no-such-python: cannot start the interpreter"):
        await bench.run("async def handle(message): ...\n", python="/no-such-python")


async def test_nothing_of_the_engine_shadows_the_modules_of_the_user(bench: Bench) -> None:
    bench.write("VALUE = 'mine'\n", "job.py")
    bench.write("VALUE = 'mine'\n", "client.py")
    result = await bench.run(
        "import asyncio, job, client\nasync def handle(message):\n    await asyncio.sleep(0)\n    return [job.VALUE, client.VALUE]\n"
    )
    assert result.solo["alice"].outcomes[0].body == ["mine", "mine"]


def test_the_worker_imports_the_standard_library_alone() -> None:
    import subprocess

    code = (
        "import sys; sys.argv = ['x']; import runpy; sys.stdin = open('/dev/null');"
        f"runpy.run_path({str(Path(__file__).parents[2] / 'replay' / 'worker' / 'launch.py')!r}, run_name='launched')['_make_importable']"
        f"({str(Path(__file__).parents[2] / 'replay')!r});"
        "import crosslane.replay.worker.serve;"
        "names = {m.partition('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'crosslane', '__main__', '__mp_main__'};"
        "print(sorted(n for n in names if not n.startswith('_')))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_replay_follows_a_schedule_exactly_and_says_when_it_cannot(bench: Bench) -> None:
    source = "import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n    return message\n"
    result = await bench.run(source, action="replay", schedule=Schedule(("alice", "bob", "bob", "alice")))
    assert [d.lane for d in result.run.decisions] == ["alice", "bob", "bob", "alice"]
    assert result.report.verdict == "clean"
    result = await bench.run(source, action="replay", schedule=Schedule(("alice", "alice", "alice", "bob")))
    assert result.report.verdict == "inconclusive"
    assert "step 3: the schedule says alice, but only bob can run" in result.report.reason


async def test_replay_defaults_to_lockstep_and_concurrency_one_is_serial(bench: Bench) -> None:
    source = "import asyncio\nasync def handle(message):\n    await asyncio.sleep(0)\n    return message\n"
    lockstep = await bench.run(source, action="replay")
    assert [d.lane for d in lockstep.run.decisions] == ["alice", "bob", "alice", "bob"]
    serial = await bench.run(source, action="replay", concurrency=1)
    assert [d.lane for d in serial.run.decisions] == ["alice", "alice", "bob", "bob"]


async def test_the_same_seed_gives_the_same_walk(bench: Bench) -> None:
    source = "import asyncio\nasync def handle(message):\n    for _ in range(9): await asyncio.sleep(0)\n    return message\n"
    walks = [(await bench.run(source, action="replay", order="random", seed=seed)).run for seed in (1, 1, 2)]
    assert walks[0] == walks[1]
    assert walks[0].decisions != walks[2].decisions


async def test_requests_of_one_session_keep_their_order(bench: Bench) -> None:
    result = await bench.run(
        "import asyncio\nseen = []\nasync def handle(session_id, message):\n    seen.append(session_id + message)\n    await asyncio.sleep(0)\n    return [s for s in seen if s.startswith(session_id)]\n",
        turns(("s1", "a", "1"), ("s2", "b", "1"), ("s1", "a", "2"), ("s2", "b", "2"), ("s1", "a", "3")),
        action="replay",
        order="random",
        seed=5,
    )
    assert result.run.outcomes[-1].body[-1][-1] in "23"
    assert next(o for o in result.run.outcomes if o.request == "r5").body == ["s11", "s12", "s13"]


@pytest.mark.parametrize("fork", [False, True])
async def test_a_handler_stuck_in_c_code_is_ended_and_named_by_its_line(
    bench: Bench, fork: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_SILENCE_S", 3.0)
    with pytest.raises(HandlerError) as caught:
        await bench.run(
            """
            import itertools

            async def handle(message):
                sum(itertools.repeat(0))
            """,
            blocked_after_s=0.1,
            fork=fork,
        )
    assert caught.value.where == "agent.py:5"
    assert "inside C code" in caught.value.what


def test_a_sign_of_life_in_the_middle_of_a_message_does_not_tear_it(monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel.__new__(Channel)
    channel._out, channel._sending = 1, False
    written: list[bytes] = []

    def slow_pipe(_: int, data: bytes) -> int:
        written.append(data[:3])
        if len(written) == 2:
            channel.beat()
        return 3

    monkeypatch.setattr("crosslane.replay.worker.serve.os.write", slow_pipe)
    channel.send({"result": "x" * 20})
    monkeypatch.undo()
    assert json.loads(b"".join(written)) == {"result": "x" * 20}


async def test_what_was_learnt_about_a_programs_state_holds_for_the_jobs_after_it(bench: Bench) -> None:
    """Else each of them would be started over in a new process."""
    bench.write(
        """
        import asyncio, string
        async def handle(message):
            string.seen = [*getattr(string, "seen", []), message]
            await asyncio.sleep(0)
            return len(string.seen)
        """
    )
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        first = await worker.run(Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle"))
        process = worker._process
        second = await worker.run(Job("replay", "trace.jsonl", TWO_USERS, "agent.py:handle"))
        assert worker._process is process
        assert first.run.outcomes == second.run.outcomes
        assert {outcome.body for outcome in second.run.outcomes} == {2}, "each sees what both said"
        assert second.report.executions < first.report.executions, "the baselines were kept as well"


LIBRARY = """
    import functools
    state = {}
    @functools.cache
    def setting(name):
        return [name]
    setting("model")
"""
IN_A_LIBRARY = """
    import asyncio, sys, time
    sys.path.insert(0, FOLDER)
    import library
    with open("imports", "a") as imports:
        imports.write("once\\n")
    del imports
    BEGIN
    async def handle(user, message):
        try:
            await asyncio.sleep(0)
        finally:
            CHANGE
        return "well"
"""


@pytest.mark.parametrize(
    ("begin", "change"),
    [
        # Only a request that is cancelled, after many that are not, changes anything.
        ("pass", "if sys.exc_info()[0]: library.state = {'cancelled': user}"),
        # What was in a cache at import cannot be put back. To import takes so long that it is tried first.
        ("time.sleep(0.6)", "library.setting(message)"),
    ],
)
async def test_state_of_a_library_that_changes_costs_no_second_import(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory, begin: str, change: str
) -> None:
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "library.py").write_text(textwrap.dedent(LIBRARY))
    source = IN_A_LIBRARY.replace("FOLDER", repr(str(folder))).replace("BEGIN", begin).replace("CHANGE", change)
    result = await bench.run(source, TWO_USERS)
    assert result.report.verdict == "clean"
    assert (bench.folder / "imports").read_text() == "once\n"


async def test_a_seed_that_a_request_sets_for_all_is_said(bench: Bench) -> None:
    source = "import random\n\ndef handle(message):\n    random.seed(message)\n    return random.random()\n"
    report = (await bench.run(source, action="replay")).report
    assert any("random.seed() in a request sets what all users draw" in warning for warning in report.warnings)
    at_import = source.replace("    random.seed(message)\n", "").replace(
        "import random\n", "import random\nrandom.seed(1)\n"
    )
    assert (await bench.run(at_import, action="replay")).report.warnings == ()
