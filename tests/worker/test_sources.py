"""A worker runs what is on disk: the program is loaded again once one of its files was edited."""

from __future__ import annotations

import os
import time
from pathlib import Path

from crosslane.replay.worker.client import Worker, WorkerOptions
from crosslane.replay.worker.job import Job
from crosslane.replay.worker.pool import Pool
from crosslane.replay.worker.sources import edited, imported

from ..conftest import TWO_USERS, Bench

PROGRAM = """
from answers import answer

def handle(message):
    return answer(message)
"""


class Everything:
    """All files are the user's."""

    def __contains__(self, file: str) -> bool:
        return file == __file__


def job(action: str = "replay") -> Job:
    return Job(action, "trace.jsonl", TWO_USERS, "agent.py:handle")  # type: ignore[arg-type]


async def said(worker: Worker | Pool) -> object:
    return (await worker.run(job())).run.outcomes[0].body


async def test_an_edit_of_the_handler_or_of_what_it_imports_is_run_by_the_next_job(bench: Bench) -> None:
    agent = bench.write(PROGRAM)
    answers = bench.write("def answer(message):\n    return 'first'\n", "answers.py")
    async with Pool(WorkerOptions(None, bench.folder), 1) as pool:
        assert await said(pool) == "first"
        assert pool.reloaded == ()
        assert await said(pool) == "first"
        assert pool.reloaded == ()
        answers.write_text("def answer(message):\n    return 'second'\n")
        assert await said(pool) == "second"
        assert pool.reloaded == (str(answers),)
        agent.write_text("def handle(message):\n    return 'third'\n")
        assert await said(pool) == "third"
        assert pool.reloaded == (str(agent),)
        answers.write_text("it is imported no longer")
        assert await said(pool) == "third"
        assert pool.reloaded == ()


async def test_a_program_whose_files_stay_as_they_are_keeps_its_process(bench: Bench) -> None:
    bench.write("import os\n\ndef handle(message):\n    return str(os.getpid())\n")
    async with Worker(WorkerOptions(None, bench.folder)) as worker:
        assert await said(worker) == await said(worker)


def test_a_file_written_since_the_import_began_counts_as_edited() -> None:
    written_ns = Path(__file__).stat().st_mtime_ns
    known = imported(Everything(), written_ns + 1)  # type: ignore[arg-type]
    assert list(known) == [__file__]
    assert edited(known) == ()
    assert edited(imported(Everything(), written_ns)) == (__file__,)  # type: ignore[arg-type]


def test_a_file_that_is_gone_or_has_another_size_at_the_same_time_counts_as_edited(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x")
    about = os.stat(file)
    known = {str(file): (about.st_mtime_ns, about.st_size)}
    assert edited(known) == ()
    file.write_text("xy")
    os.utime(file, ns=(time.time_ns(), about.st_mtime_ns))
    assert edited(known) == (str(file),)
    file.unlink()
    assert edited(known) == (str(file),)
