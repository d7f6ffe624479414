"""What C keeps can be read, and be written back as far as that is possible: else it stays as it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextvars import Context, ContextVar

from crosslane.replay.state import inside_c

bare: ContextVar[str] = ContextVar("bare")
with_default: ContextVar[str] = ContextVar("with_default", default="nobody")


def rows(connection: sqlite3.Connection) -> list[tuple[str]]:
    return connection.execute("select text from said").fetchall()


def test_a_database_is_what_it_was_unless_a_transaction_is_open() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table said (text)")
    first = inside_c.read_database(connection)
    connection.execute("insert into said values ('alice')")
    connection.commit()
    inside_c.write_database(connection, first)
    assert rows(connection) == []
    connection.execute("insert into said values ('bob')")
    inside_c.write_database(connection, first)
    assert rows(connection) == [("bob",)]
    connection.close()
    assert inside_c.read_database(connection) == b""


def test_a_context_is_what_it_was_but_for_what_cannot_be_unset() -> None:
    context = Context()
    first = inside_c.read_context(context)
    context.run(bare.set, "alice")
    context.run(with_default.set, "alice")
    second = inside_c.read_context(context)
    inside_c.write_context(context, first)
    assert (context[bare], context[with_default]) == ("alice", "nobody")
    inside_c.write_context(context, second)
    assert (context[bare], context[with_default]) == ("alice", "alice")


def test_a_generator_has_its_variables_back_where_it_stands_at_the_same_place() -> None:
    def talking() -> Generator[str, str]:
        said = ""
        while True:
            said = yield said
            said = yield said + "?"

    bot = talking()
    next(bot)
    first = inside_c.read_generator(bot)
    bot.send("alice")
    elsewhere = inside_c.read_generator(bot)
    inside_c.write_generator(bot, first)
    assert inside_c.read_generator(bot) == elsewhere
    bot.send("bob")
    assert inside_c.variables_of(bot) == {"said": "bob"}
    inside_c.write_generator(bot, first)
    assert inside_c.read_generator(bot) == first
    bot.close()
    assert inside_c.read_generator(bot) == (-1, {})
