"""What the program prints and logs, by the request that was running."""

from __future__ import annotations

import io
import sys

from ..schedule.actors import ACTOR

LIMIT = 200_000


class Capture:
    """Stands in for `sys.stdout` and `sys.stderr`. Text printed outside any request is kept under the id ""."""

    def __init__(self) -> None:
        self._by_request: dict[str, list[str]] = {}
        self._size = 0

    def install(self) -> None:
        # Before the program is imported: loggers keep the stream that they find then.
        sys.stdout = _Stream(self)
        sys.stderr = _Stream(self)
        sys.stdin = io.StringIO("")

    def begin(self) -> None:
        if self._by_request:
            self._by_request = {}
            self._size = 0

    def outputs(self) -> dict[str, list[str]]:
        return self._by_request

    def add(self, text: str) -> None:
        actor = ACTOR.get(None)
        if self._size < LIMIT:
            self._size += len(text)
            self._by_request.setdefault(actor.request if actor is not None else "", []).append(text[:LIMIT])


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
