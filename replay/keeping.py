"""No search for garbage while a large trace is read: all of it is kept, and to look through it again and again takes
longer than the reading."""

from __future__ import annotations

import contextlib
import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextlib.contextmanager
def all_kept() -> Generator[None]:
    """For work whose objects stay. Cycles among what it drops are found later."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
