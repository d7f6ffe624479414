"""The recorder of a service: made once for a process and trace file, shared by whatever middleware asks for it.

A server with several workers loads the application in each of them; every process then writes its own part beside the
others, and the parts load as one trace.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from . import upstream
from .settings import Settings
from .writer import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .recorder import Note, Recorder
    from .relay import Relay

_recorders: dict[Path, Recorder | Relay] = {}
_lock = threading.Lock()


def recorder_for(
    path: str | Path,
    kind: str,
    *,
    session: Sequence[str] = (),
    user: Sequence[str] = (),
    redact: Sequence[str] | bool = True,
    upstream_calls: bool = True,
    limits: Limits | None = None,
) -> Recorder | Relay:
    """The recorder that writes to `path`.

    Args:
        kind: for the header: `asgi`, `aiohttp` or `wsgi`.
        session, user: places to look at first, such as `header:x-tenant` or `body:meta.user`.
        redact: True replaces credentials and known token shapes; a list adds rules (`json:$.email`); False keeps all.
        upstream_calls: record the calls that httpx, aiohttp's client and requests make while serving a request.

    Raises:
        OSError: the file cannot be created. SettingsError: a place or rule cannot be read.
    """
    target = Path(path).absolute()
    with _lock:
        known = _recorders.get(target)
        if known is None:
            rules = None if redact is False else () if redact is True else tuple(redact)
            settings = Settings(
                str(target), kind, tuple(session), tuple(user), rules, limits=limits or Limits(), shared=True
            )
            # A library may be loaded later, so each exchange looks again.
            known = _recorders[target] = started(settings, before_each=upstream.observe if upstream_calls else None)
    return known


def started(
    settings: Settings,
    told: Callable[[Note], None] | None = None,
    before_each: Callable[[], None] | None = None,
) -> Recorder | Relay:
    """A recorder that leaves the work to a process beside this one; where none can be started, it works in this one.

    Raises:
        OSError: the file cannot be created. SettingsError, RedactionError: a place, a rule or the key.
    """
    settings.check()
    if os.name == "posix":
        from .relay import Relay

        try:
            return Relay(settings, told, before_each)
        except OSError:
            pass
    return settings.recorder(told=told, before_each=before_each)
