"""The footer, with as many keys as have room whole: one that is cut reads as another. The rest is in the palette."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.widgets import Footer
from textual.widgets._footer import FooterKey  # it has no other place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from textual.app import ComposeResult
    from textual.events import Resize

_PALETTE = "-command-palette"
_FRAME = 2


class KeysLine(Footer):
    """See the module."""

    def __init__(self) -> None:
        super().__init__(compact=True)
        self._made_for = 0

    def compose(self) -> ComposeResult:
        self._made_for = self.app.size.width  # pyright: ignore[reportUnknownMemberType]
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        last = [key for key in keys if key.has_class(_PALETTE)]
        yield from _fitting([key for key in keys if key not in last], self._made_for - sum(map(_width, last)))
        yield from last

    def on_resize(self, event: Resize) -> None:
        if event.size.width != self._made_for:
            self.refresh(recompose=True)


def _fitting(keys: list[FooterKey], room: int) -> Iterator[FooterKey]:
    """The first ones, as far as they fit."""
    for key in keys:
        room -= _width(key)
        if room < 0:
            return
        yield key


def _width(key: FooterKey) -> int:
    """With what parts it from the next."""
    return cell_len(key.key_display) + cell_len(key.description) + _FRAME
