"""What the program prints, logs and sends upstream, by the request that was running."""

from __future__ import annotations

import io
import logging
import sys
from typing import Any

from ..handler.told import hear_what_is_logged, record_text
from ..schedule.actors import ACTOR
from ..schedule.execute import NOTHING_HEARD, Heard

LIMIT = 200_000


class Capture:
    """Stands in for `sys.stdout` and `sys.stderr`, and listens to every logger. What is heard outside any request is
    kept under the id ""."""

    def __init__(self) -> None:
        self._by_request: dict[str, Heard] = {}
        self._size = 0

    def install(self) -> None:
        # Before the program is imported: loggers keep the stream that they find then.
        sys.stdout = _Stream(self)
        sys.stderr = _Stream(self)
        sys.stdin = io.StringIO("")
        hear_what_is_logged()
        call_handlers = logging.Logger.callHandlers

        def heard(logger: logging.Logger, record: logging.LogRecord) -> None:
            self.logged(record)
            call_handlers(logger, record)

        # A handler on the root would miss loggers that do not propagate.
        logging.Logger.callHandlers = heard  # type: ignore[method-assign]

    def begin(self) -> None:
        if self._by_request:
            self._by_request = {}
            self._size = 0

    def heard(self, request: str) -> Heard:
        return self._by_request.get(request, NOTHING_HEARD)

    def everything(self) -> dict[str, Heard]:
        """What was heard so far in this execution, by request."""
        return self._by_request

    def outputs(self, request: str) -> list[str]:
        return self.heard(request).output

    def add(self, text: str) -> None:
        if self._room(len(text)):
            self._here().output.append(text[:LIMIT])

    def logged(self, record: logging.LogRecord) -> None:
        text = record_text(record)
        if self._room(len(text)):
            self._here().logs.append((record.name, text[:LIMIT]))

    def sent(self, name: str, arguments: Any) -> None:
        """An upstream call is made."""
        if self._room(1_000):
            self._here().upstream.append((name, arguments))

    def _room(self, size: int) -> bool:
        self._size += size
        return self._size < LIMIT

    def _here(self) -> Heard:
        actor = ACTOR.get(None)
        request = actor.request if actor is not None else ""
        heard = self._by_request.get(request)
        if heard is None:
            heard = self._by_request[request] = Heard()
        return heard


class _Stream(io.TextIOBase):
    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self.buffer = _Bytes(capture)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "replace"

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def write(self, text: str, /) -> int:
        self._capture.add(text)
        return len(text)


class _Bytes(io.RawIOBase):
    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        raw = bytes(data)  # type: ignore[call-overload]
        self._capture.add(raw.decode("utf-8", "backslashreplace"))
        return len(raw)
