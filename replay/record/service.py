"""The recorder of a service: made once for a process and trace file, shared by whatever middleware asks for it.

A server with several workers loads the application in each of them; every process then writes its own part beside the
others, and the parts load as one trace.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from ..trace.identity import Rules
from ..trace.live_redaction import LiveRedactor
from . import upstream
from .recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .writer import Limits

_recorders: dict[Path, Recorder] = {}
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
) -> Recorder:
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
            hidden = None if redact is False else LiveRedactor(() if redact is True else redact)
            known = _recorders[target] = Recorder(
                target,
                rules=Rules(tuple(session), tuple(user)),
                source=kind,
                redact=hidden,
                limits=limits,
                shared=True,
                before_each=upstream.observe if upstream_calls else None,  # a library may be loaded later
            )
    return known
