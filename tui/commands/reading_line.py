"""The line that stands on the terminal while a trace is read: how much of it, in bytes. Small files never show it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.text import Text

from ...replay.trace.events import parts
from ...replay.trace.piped import STDIN

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from rich.console import Console

_STEP_BYTES = 2_000_000


@contextlib.contextmanager
def reading_line(console: Console, path: Path) -> Generator[Callable[[str, int], None]]:
    """Yields what is to be told of every piece that is read: what it is read for, and its bytes.

    Raises:
        TraceError: there is no such file.
    """
    if not console.is_terminal:
        yield lambda _phase, _size: None
        return
    files = [] if str(path) == STDIN else [file for file in parts(path) if file.exists()]
    total = sum(file.stat().st_size for file in files)
    # What is packed is larger inside, and what comes through a pipe has no size: their share is not known.
    known = bool(files) and not any(file.suffix in (".gz", ".zst") for file in files)
    read: dict[str, int] = {}
    with contextlib.ExitStack() as stack:
        status = None
        shown = 0

        def tell(phase: str, size: int) -> None:
            nonlocal status, shown
            read[phase] = read.get(phase, 0) + size
            if sum(read.values()) - shown < _STEP_BYTES:
                return
            shown = sum(read.values())
            if status is None:
                status = stack.enter_context(console.status(""))
            share = f", {100 * read[phase] // max(1, total)}%" if known else ""
            status.update(Text(f"{phase}: {read[phase] / 1e6:,.0f} MB{share}"))

        yield tell
