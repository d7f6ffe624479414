"""Why two executions of the same thing differ: which built-in functions that are not under control the program called.

Time of `time`, randomness and the identity of `uuid4` are made repeatable. What C code reads by itself is not: the
clock behind `datetime.now()`, process ids, addresses, the order of a directory. An execution under `sys.setprofile`
names them with the user's line; it is slow, and made only where something differed.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from ..schedule.execute import Execution
    from ..state.files import UserFiles

_SOURCES = frozenset((
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "gmtime", "localtime", "strftime", "ctime",
    "asctime", "process_time", "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime", "clock_gettime_ns",
    "generate_time_safe", "getrandom", "getpid", "id", "hash", "scandir", "listdir", "gethostname", "getloadavg",
    "get_ident", "get_native_id", "object.__repr__", "getrefcount",
))  # fmt: skip
_MOST = 5


def watched(run: Callable[[], Execution], files: UserFiles) -> Execution:
    """What `run` returns, with `datetime.now() at app.py:9` and the like among its remarks."""
    found: dict[str, None] = {}

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if event != "c_call" or getattr(called, "__qualname__", "") not in _SOURCES or len(found) >= _MOST:
            return
        at: FrameType | None = frame
        while at is not None and at.f_code.co_filename not in files:
            at = at.f_back
        if at is not None:
            found[f"{called.__qualname__}() at {files.at(at.f_code.co_filename, at.f_lineno)}"] = None

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        execution = run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return replace(execution, remarks=tuple(found))
