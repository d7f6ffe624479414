"""Lists of options, and the palette's, whose page keys do nothing before there is a page.

Textual 8.2 raises a `KeyError` for them as long as a list has no size yet, which ends the program. A newer one in which
`OptionList._move_page` asks for that makes this file superfluous.
"""

from __future__ import annotations

from typing import Literal

from textual.command import CommandList, CommandPalette
from textual.widgets import OptionList


class Options(OptionList):
    """See the module."""

    def _move_page(self, direction: Literal[-1, 1]) -> None:
        if self._lines:
            super()._move_page(direction)


class Palette(CommandPalette):
    """See the module. Its list is made by Textual, so that the key is kept from it here."""

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList).scrollable_content_region:
            super()._action_command_list(action)
