"""SQLite's waiting for a database that another connection has locked, made a wait like that for any lock.

SQLite waits in C for as long as the connection's timeout says, while whoever has the lock is one that could go on only
if the waiting thread gave the baton back: each such meeting would take five real seconds and end in "database is
locked". Here the statement fails at once, and is made again when another connection has done something.

This module imports the standard library alone and its siblings: exported repro scripts carry them as they stand.
"""

from __future__ import annotations

import sqlite3
import sys
from typing import TYPE_CHECKING, Any, Self

from .primitives import CooperativeLock

if TYPE_CHECKING:
    from collections.abc import Callable

_CONNECTIONS_OWN_FACTORY = 4  # its place among what follows the timeout
_waiting_for_databases: list[CooperativeLock] = []
_really_connect = sqlite3.connect


class PatientCursor(sqlite3.Cursor):
    """See the module."""

    def execute(self, *arguments: Any) -> Self:
        return _patiently(self.connection, super().execute, *arguments)

    def executemany(self, statement: str, parameters: Any, /) -> Self:
        # Given again where the first of them has to wait.
        return _patiently(self.connection, super().executemany, statement, list(parameters))


class PatientConnection(sqlite3.Connection):
    """See the module. `patience_s` is its timeout."""

    patience_s = 5.0

    def cursor(self, factory: Any = PatientCursor) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> Any:
        return self.cursor().execute(*arguments)

    def executemany(self, statement: str, parameters: Any, /) -> Any:
        return self.cursor().executemany(statement, parameters)

    def commit(self) -> None:
        _patiently(self, super().commit)

    def rollback(self) -> None:
        super().rollback()
        _let_others_try()

    def close(self) -> None:
        super().close()
        _let_others_try()

    def __exit__(self, kind: Any, error: Any, traceback: Any, /) -> Any:
        if kind is not None:
            self.rollback()
            return False
        try:
            self.commit()
        except BaseException:
            self.rollback()
            raise
        return False


def make_databases_patient() -> None:
    """Put these in the place of `sqlite3`'s own, before the program is imported."""

    def connect(database: Any, timeout: float = 5.0, *more: Any, **options: Any) -> Any:
        factory: Any
        if len(more) < _CONNECTIONS_OWN_FACTORY:
            factory = options.setdefault("factory", PatientConnection)
        else:
            factory = more[_CONNECTIONS_OWN_FACTORY - 1]
        if not (isinstance(factory, type) and issubclass(factory, PatientConnection)):
            return _really_connect(database, timeout, *more, **options)
        connection: Any = _really_connect(database, 0.0, *more, **options)
        connection.patience_s = timeout
        return connection

    # What is shown to the user of a carrier is the program's own, not ours.
    PatientConnection.__module__ = PatientCursor.__module__ = "sqlite3"
    modules: tuple[Any, ...] = (sqlite3, sys.modules["sqlite3.dbapi2"])
    for module in modules:
        module.connect, module.Connection, module.Cursor = connect, PatientConnection, PatientCursor


def _patiently(connection: Any, act: Callable[..., Any], *arguments: Any) -> Any:
    patient = True
    while True:
        try:
            result = act(*arguments)
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or not patient or not isinstance(connection, PatientConnection):
                raise
            patient = _wait_for_another(connection.patience_s)
        else:
            if not connection.in_transaction:
                _let_others_try()
            return result


def _wait_for_another(patience_s: float) -> bool:
    """Wait until another connection has done something; False when that was too long."""
    turn = CooperativeLock()
    turn.made_at = None
    turn.acquire()
    _waiting_for_databases.append(turn)
    try:
        return patience_s > 0 and turn.acquire(True, patience_s)
    finally:
        if turn in _waiting_for_databases:
            _waiting_for_databases.remove(turn)


def _let_others_try() -> None:
    waiting = list(_waiting_for_databases)
    _waiting_for_databases.clear()
    for turn in waiting:
        turn.release()
