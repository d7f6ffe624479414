"""What an exception and a log record tell, as text, without running any code of theirs.

This module imports the standard library alone: exported repro scripts carry it as it stands.
"""

from __future__ import annotations

import json
import logging
from typing import Any, cast

from .reply import plain

_MOST_CAUSES = 4
_DEPTH_OF_EXTRA = 6
_OF_ANY_RECORD = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"})


def error_text(error: BaseException | None) -> str | None:
    """`Type: message`, made without running the exception's own `__str__`."""
    if error is None:
        return None
    return f"{_described(error)}{beside_error(error)}"


def beside_error(error: BaseException | None) -> str:
    """What a traceback shows of an exception beside its own text: its notes, and what it was raised from."""
    told: list[str] = []
    shown = error
    for _ in range(_MOST_CAUSES):
        if shown is None:
            break
        notes: list[Any] = shown.__dict__.get("__notes__") or []
        told += [note for note in notes if isinstance(note, str)]
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
        if shown is not None and shown.args:
            told.append(f"from {_described(shown)}")
    return f" ({'; '.join(told)})" if told else ""


def _described(error: BaseException) -> str:
    parts = ", ".join(part if isinstance(part, str) else str(plain(part)) for part in error.args)
    return f"{type(error).__name__}: {parts}" if parts else type(error).__name__


def record_text(record: logging.LogRecord) -> str:
    """The message of a record, the exception that it was logged with, and what `extra=` adds."""
    try:
        text = record.getMessage()
    except Exception as error:  # its own formatting is at fault, and `logging` would say so as well
        text = f"{record.msg!s} ({type(error).__name__} while formatting)"
    if record.exc_info and record.exc_info[0] is not None:
        error = record.exc_info[1]
        text = f"{text}: {record.exc_info[0].__name__}: {error}{beside_error(error)}"
    # What `extra=` adds is what formatters for JSON write out.
    added = {key: _written(value) for key, value in vars(record).items() if key not in _OF_ANY_RECORD}
    return f"{text} {json.dumps(added, ensure_ascii=False)}" if added else text


def hear_what_is_logged() -> None:
    """Where the program leaves the level to whoever starts it in production, INFO is what they usually set."""
    logging.getLogger().setLevel(logging.INFO)


def _written(value: Any, depth: int = 0) -> Any:
    """What a formatter writes of a value: objects, such as a request, are named and not taken apart."""
    if depth < _DEPTH_OF_EXTRA and type(value) is dict:
        members = cast("dict[Any, Any]", value)
        return {str(plain(key)): _written(item, depth + 1) for key, item in members.items()}
    if depth < _DEPTH_OF_EXTRA and type(value) in (list, tuple):
        return [_written(item, depth + 1) for item in value]
    return plain(value) if value is None or isinstance(value, (str, int, float)) else f"<{type(value).__name__}>"
