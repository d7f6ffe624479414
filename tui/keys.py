"""The keys that work now, as the help page lists them: made from the bindings, so that it cannot be out of date."""

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
    "less_than_sign": "<",
    "greater_than_sign": ">",
}


def key_name(key: str) -> str:
    return _NAMES.get(key, key)


def keys_of(screen: Screen[Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """For what has the focus, its screen and the program: a heading, and (keys, meaning) of each binding."""
    sections: dict[str, dict[tuple[str, str], list[str]]] = {}
    for active in screen.active_bindings.values():
        binding: Binding = active.binding
        if not binding.description or not active.enabled or binding.system:
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
        of.setdefault((binding.action, binding.description), []).append(key_name(binding.key))
    return [
        (heading, [(" ".join(keys), description) for (_, description), keys in of.items()])
        for heading, of in sections.items()
    ]
