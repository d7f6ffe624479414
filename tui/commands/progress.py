"""A line of progress while a large file is read, on a terminal only."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.console import Console


@contextlib.contextmanager
def reading(console: Console) -> Generator[Callable[[str, int], None] | None]:
    """Something to call with what is being done and how many events were read; None where nobody looks."""
    if not console.is_terminal:
        yield None
        return
    with console.status("reading") as status:

        def show(what: str, events: int) -> None:
            status.update(Text(f"{what}: {events:,} events"))

        yield show
