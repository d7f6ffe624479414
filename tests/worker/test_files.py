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


DATABASE = """
    import asyncio, sqlite3
    OPENED
    async def handle(user, message):
        db = CONNECTION
        db.execute("create table if not exists said (who, text)")
        db.execute("insert into said values (?, ?)", (user, message))
        db.commit()
        await asyncio.sleep(0)
        rows = db.execute("select text from said WHERE", (user,)).fetchall()
        return [text for text, in rows]
    """
WHERE = {"leaking": "where ? != ''", "fixed": "where who = ?"}


@pytest.mark.parametrize(
    ("opened", "connection", "name", "kind"),
    [
        ("connection = sqlite3.connect('said.db')", "connection", "agent.connection", "module global"),
        ("", "sqlite3.connect('said.db')", "said.db", "file"),
        ("", "sqlite3.connect('file:said.db?mode=rwc', uri=True)", "said.db", "file"),
    ],
    ids=["opened at import", "opened by each request", "by its address"],
)
async def test_a_database_in_a_file_is_put_back_and_named(
    bench: Bench, opened: str, connection: str, name: str, kind: str
) -> None:
    source = DATABASE.replace("OPENED", opened).replace("CONNECTION", connection)
    leaking = (await bench.run(source.replace("WHERE", WHERE["leaking"]), switches=1, most_executions=40)).report
    first = leaking.crossings[0]
    assert first.carrier is not None, first.explained
    # The file and a connection that stays open each heal it alone.
    assert (first.carrier.name, first.carrier.kind) in {(name, kind), ("said.db", "file")}
    assert first.read is not None
    assert first.read.code.startswith("rows = db.execute")
    # An execution that found what another left would take it for another user's.
    fixed = (await bench.run(source.replace("WHERE", WHERE["fixed"]), switches=1, most_executions=60)).report
    assert (fixed.verdict, fixed.coverage.uncontrolled) == ("clean", ()), fixed.reason


async def test_a_database_in_memory_is_no_escape_and_one_that_connections_may_share_is(bench: Bench) -> None:
    private = DATABASE.replace("OPENED", "").replace("CONNECTION", "sqlite3.connect(':memory:')")
    report = (await bench.run(private.replace("WHERE", WHERE["fixed"]), switches=1, most_executions=60)).report
    assert (report.verdict, report.coverage.uncontrolled) == ("clean", ())
    shared = private.replace("':memory:'", "'file:said?mode=memory&cache=shared', uri=True")
    report = (await bench.run(shared.replace("WHERE", WHERE["fixed"]), switches=1, most_executions=60)).report
    assert report.verdict == "inconclusive"
    assert report.coverage.uncontrolled == ("database opened at agent.py:5",)


async def test_a_database_kept_open_in_a_mode_that_cannot_be_put_back_is_said(bench: Bench) -> None:
    opened = "connection = sqlite3.connect('said.db'); connection.execute('pragma journal_mode=wal'); " + (
        "connection.execute('create table if not exists said (who, text)')"
    )
    source = DATABASE.replace("OPENED", opened).replace("CONNECTION", "connection")
    report = (await bench.run(source.replace("WHERE", WHERE["fixed"]), switches=1, most_executions=20)).report
    assert report.verdict != "clean"
    assert "said.db" in " ".join(report.coverage.uncontrolled)


MEETING = """
    import sqlite3
    def handle(user, message):
        notes = sqlite3.connect("notes.db")
        notes.execute("create table if not exists notes (user, text)")
        with notes:
            notes.executemany("insert into notes values (?, ?)", ((user, text) for text in [message]))
            count = len(message)
        rows = notes.execute("select text from notes where user = ?", (user,)).fetchall()
        notes.close()
        return [text for text, in rows]
    """


async def test_who_finds_the_database_locked_waits_for_it_as_for_any_lock(bench: Bench) -> None:
    result = await bench.run(MEETING, switches=1, variants=False, most_executions=60)
    assert result.report.verdict == "clean", result.report.reason
    assert result.report.influences == ()
    assert result.report.coverage.exhaustive_to_switches == 1


async def test_who_waits_for_a_database_longer_than_it_wanted_is_told_that_it_is_locked(bench: Bench) -> None:
    source = """
        import asyncio, sqlite3
        async def handle(user, message):
            notes = sqlite3.connect("notes.db", timeout=2)
            try:
                notes.execute("create table if not exists notes (text)")
                notes.execute("insert into notes values (?)", (message,))
                await asyncio.sleep(0.1)
                notes.rollback()
            except sqlite3.OperationalError as error:
                return str(error)
            finally:
                notes.close()
        """
    result = await bench.run(source, switches=1, variants=False, faults=False)
    assert {change.together for change in result.report.influences} == {"database is locked"}


async def test_a_file_that_is_open_since_import_is_put_back_and_named(bench: Bench) -> None:
    source = """
        import asyncio
        log = open("log.txt", "a+")
        async def handle(user, message):
            log.write(f"{user}: {message}\\n")
            await asyncio.sleep(0)
            log.seek(0)
            return [line for line in log if WANTED]
        """
    leaking = (await bench.run(source.replace("WANTED", "line"), switches=1, most_executions=40)).report
    first = leaking.crossings[0]
    assert first.carrier is not None, first.explained
    assert (first.carrier.name, first.read and first.read.code) == (
        "agent.log",
        "return [line for line in log if line]",
    )
    mine = "line.startswith(user)"
    fixed = (await bench.run(source.replace("WANTED", mine), switches=1, most_executions=60)).report
    assert fixed.verdict == "clean", fixed.reason
