"""Redaction while traffic is recorded: before a byte reaches the disk, from several threads, in little time.

Most events hold no secret, and looking at each text of each of them would cost more than recording them. So the line
that is to be written anyway is searched once for anything that could be one; only where there is something is the event
taken apart.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .redaction import Redactor
from .redaction_key import redaction_key
from .redaction_rules import rules_of
from .stream_redaction import StreamRedactor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .model import Json

_HELD = 16
"""Parts of a stream that wait for those that follow, because a value may be cut over them."""


class LiveRedactor:
    """Replaces secrets in events as they come.

    Raises:
        RedactionError: a rule cannot be read, or the key can neither be read nor made.
    """

    def __init__(self, rules: Iterable[str] = ()) -> None:
        self._redactor = Redactor(redaction_key(), rules_of(rules))
        self._stream = StreamRedactor(self._redactor, _HELD)
        self._lock = threading.Lock()

    def header(self) -> dict[str, Json]:
        """The `redaction` member of the header line."""
        return self._redactor.event({"k": "header"})["redaction"]

    def events(self, event: dict[str, Json]) -> list[dict[str, Json]]:
        """What to write in place of an event: none where a part of a stream waits, several where waiting ends."""
        with self._lock:
            return self._stream.events(event)

    def body(self, held: dict[str, Json]) -> dict[str, Json]:
        """A body that will stand in a file of its own."""
        with self._lock:
            return self._redactor.event(held)

    @property
    def unmet(self) -> list[str]:
        """The rules, as the user wrote them, that nothing matched so far."""
        return self._redactor.unmet

    def rest(self) -> list[dict[str, Json]]:
        """What still waits when the recording ends."""
        with self._lock:
            return self._stream.rest()
