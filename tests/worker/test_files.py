"""Files that a program writes while it answers: temporary ones are no escape, those that last are put back or said."""

from __future__ import annotations

import pytest

from ..conftest import Bench

NAMED = """
    import asyncio, tempfile
    async def handle(user, message):
        with tempfile.NamedTemporaryFile("w+") as file:
            file.write(message)
            await asyncio.sleep(0)
            file.seek(0)
            return "saved " + file.read()
    """
FOLDER = """
    import asyncio, os, tempfile
    async def handle(user, message):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "note.txt"), "w") as file:
                file.write(message)
            await asyncio.sleep(0)
            with open(os.path.join(folder, "note.txt")) as file:
                return "saved " + file.read()
    """
NAMELESS = NAMED.replace("NamedTemporaryFile", "TemporaryFile")
MOVED = """
    import asyncio, os, tempfile
    async def handle(user, message):
        kept = open("kept.txt").read() if os.path.exists("kept.txt") else ""
        with tempfile.NamedTemporaryFile("w", delete=False, dir=".") as file:
            file.write(kept + message)
        os.replace(file.name, "kept.txt")
        await asyncio.sleep(0)
        return open("kept.txt").read()
    """
RANDOM = """
    import asyncio, os
    count = 0
    async def handle(user, message):
        for _ in range(60):
            path = os.urandom(8).hex() + ".txt"
            open(path, "w").close()
            os.unlink(path)
        await asyncio.sleep(0)
        return message
    """


@pytest.mark.parametrize("source", [NAMED, FOLDER, NAMELESS], ids=["a named file", "a folder", "a file without a name"])
async def test_a_temporary_file_is_no_escape(bench: Bench, source: str) -> None:
    result = await bench.run(source, switches=1, most_executions=150)
    assert (result.report.verdict, result.report.coverage.uncontrolled) == ("clean", ())


async def test_a_temporary_file_that_is_moved_to_a_lasting_name_is_shared_and_put_back(bench: Bench) -> None:
    result = await bench.run(MOVED, switches=1, most_executions=60)
    assert result.report.verdict == "contaminated"
    assert result.report.crossings[0].needs.cls == "sequential"
    assert [path.name for path in bench.folder.glob("*") if path.suffix != ".py" and path.is_file()] == []


async def test_files_without_end_are_one_escape_for_each_place(bench: Bench) -> None:
    result = await bench.run(RANDOM, switches=1, most_executions=20)
    assert result.report.verdict == "inconclusive"
    assert result.report.coverage.uncontrolled == ("more than 100 files opened for writing, the last at agent.py:7",)
