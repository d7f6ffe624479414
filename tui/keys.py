"""The keys that work now, as the help page lists them: made from the bindings, so that it cannot be out of date.

Ours are called what they are called everywhere. Of those that Textual's widgets bring along, the useful ones have words
here, and the others are not listed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

if TYPE_CHECKING:
    from textual.binding import Binding

_NAMES = {
    "question_mark": "?",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "escape": "esc",
    "slash": "/",
    "colon": ":",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}

_WORDS = {
    "cursor_up": "Up",
    "cursor_down": "Down",
    "scroll_up": "Up",
    "scroll_down": "Down",
    "page_up": "Page up",
    "page_down": "Page down",
    "first": "First",
    "last": "Last",
    "scroll_home": "First",
    "scroll_end": "Last",
    "scroll_top": "First",
    "scroll_bottom": "Last",
    "select": "Choose",
    "select_cursor": "Choose",
    "toggle_node": "Open or close",
    "previous_tab": "Tab back",
    "next_tab": "Next tab",
    "focus_next": "Next panel",
    "focus_previous": "Panel back",
    "copy_text": "Copy what is selected with the mouse",
}


def key_name(key: str) -> str:
    return _NAMES.get(key, key)


def keys_of(screen: Screen[Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """For what has the focus, its screen and the program: a heading, and (keys, meaning) of each binding."""
    sections: dict[str, dict[tuple[str, str], list[str]]] = {}
    for active in screen.active_bindings.values():
        binding: Binding = active.binding
        words = binding.description if binding.id else _WORDS.get(binding.action.rpartition(".")[2], "")
        if not words or not active.enabled or binding.system:
            continue
        node = active.node
        if isinstance(node, App):
            heading = "everywhere"
        elif isinstance(node, Screen):
            heading = "this screen"
        else:
            title: str = getattr(node, "border_title", "") or node.id or "this panel"
            heading = title.partition("  ")[0]
        of = sections.setdefault(heading, {})
        of.setdefault((binding.action, words), []).append(key_name(binding.key))
    return [(heading, [(" ".join(keys), words) for (_, words), keys in of.items()]) for heading, of in sections.items()]
