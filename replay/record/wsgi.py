"""Recording inside a WSGI application (Flask, Django):

    from crosslane.replay.record.wsgi import RecordMiddleware
    app.wsgi_app = RecordMiddleware(app.wsgi_app, "trace.jsonl")

This module imports the standard library alone and its siblings: it lives in the recorded service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .recorder import CURRENT
from .service import recorder_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .recorder import Recorder, Recording
    from .relay import Relay, Relayed


class RecordMiddleware:
    """WSGI middleware (PEP 3333) that records every exchange and the upstream calls made for it.

    Args:
        app: the application. path: the trace; each worker process writes its own part beside it.
        recorder: instead of `path`, a recorder of your own. options: see `service.recorder_for`.
    """

    def __init__(
        self, app: Any, path: str = "trace.jsonl", recorder: Recorder | Relay | None = None, **options: Any
    ) -> None:
        self.app = app
        self.recorder = recorder or recorder_for(path, "wsgi", **options)

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        peer = f"{environ.get('REMOTE_ADDR', '')}-{environ.get('REMOTE_PORT', '')}"
        recording = self.recorder.begin(
            environ.get("REQUEST_METHOD", "GET"), _target(environ), _headers(environ), f"connection-{peer}"
        )
        body = _Input(environ.get("wsgi.input"), recording, self.recorder.limits.kept_bytes)
        environ = {**environ, "wsgi.input": body}
        if not environ.get("CONTENT_LENGTH") and "HTTP_TRANSFER_ENCODING" not in environ:
            recording.request()

        def started(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], Any]:
            body.whole()
            recording.respond(int(status.split(" ", 1)[0]), headers)
            write = start_response(status, headers, *(() if exc_info is None else (exc_info,)))

            def written(data: bytes) -> Any:
                recording.part(data)
                return write(data)

            return written

        token = CURRENT.set(recording)
        try:
            return _Answer(self.app(environ, started), recording, body)
        except BaseException as error:
            recording.finish("error", type(error).__name__)
            raise
        finally:
            CURRENT.reset(token)


class _Input:
    """The body of the request, noted as the application reads it."""

    def __init__(self, stream: Any, recording: Recording | Relayed, most: int) -> None:
        self._stream = stream
        self._recording = recording
        self._most = most
        self._seen = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def read(self, *size: Any) -> bytes:
        return self._note(self._stream.read(*size))

    def readline(self, *size: Any) -> bytes:
        return self._note(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        return [self._note(line) for line in self._stream.readlines(*hint)]

    def readinto(self, buffer: Any) -> int:
        count = self._stream.readinto(buffer)
        self._note(bytes(buffer[: count or 0]))
        return count

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            yield self._note(line)

    def whole(self) -> None:
        self._recording.request(bytes(self._seen))

    def _note(self, data: bytes) -> bytes:
        if len(self._seen) < self._most:
            self._seen += data
        return data


class _Answer:
    """The body of the response, noted as the server takes it. Upstream calls made on the way are still this lane's."""

    def __init__(self, answer: Iterable[bytes], recording: Recording | Relayed, body: _Input) -> None:
        self._answer = answer
        self._parts = iter(answer)
        self._recording = recording
        self._body = body
        self._whole = False
        if hasattr(answer, "__len__"):
            self.__len__ = answer.__len__  # type: ignore[attr-defined]  # servers count a single part

    def __iter__(self) -> _Answer:
        return self

    def __next__(self) -> bytes:
        token = CURRENT.set(self._recording)
        try:
            part = next(self._parts)
        except StopIteration:
            self._whole = True
            self._body.whole()
            self._recording.finish()
            raise
        except BaseException as error:
            self._recording.finish("error", type(error).__name__)
            raise
        finally:
            CURRENT.reset(token)
        self._recording.part(part)
        return part

    def close(self) -> None:
        """The server is done: before the last part was taken, because the client went away."""
        token = CURRENT.set(self._recording)
        try:
            if hasattr(self._answer, "close"):
                self._answer.close()  # type: ignore[attr-defined]
        finally:
            CURRENT.reset(token)
            self._body.whole()
            self._recording.finish("ok" if self._whole else "cancelled")


def _target(environ: dict[str, Any]) -> str:
    from urllib.parse import quote

    raw = environ.get("RAW_URI") or environ.get("REQUEST_URI")  # gunicorn, uWSGI and Werkzeug keep the one sent
    if isinstance(raw, str) and raw.startswith("/"):
        return raw
    path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1", "replace")
    query = environ.get("QUERY_STRING", "")
    return quote(path, safe="/:@!$&'()*+,;=~-._") + (f"?{query}" if query else "")


def _headers(environ: dict[str, Any]) -> list[tuple[str, str]]:
    names = [(key[5:], value) for key, value in environ.items() if key.startswith("HTTP_")]
    names += [(key, environ[key]) for key in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(key)]
    return [(name.replace("_", "-").title(), str(value)) for name, value in names]
