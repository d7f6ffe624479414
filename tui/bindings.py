"""The names by which keys can be given to actions: a binding is called what the page of keys calls it.

An action that several screens have, such as going back, has one name, and with it the same keys everywhere.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.keys import Keys
from textual.screen import Screen

from .safe_text import safe

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_OURS = ("screens", "widgets")
_MODIFIERS = frozenset(("ctrl", "shift", "alt", "super", "hyper", "meta"))
_NAMED_KEYS = frozenset(key.value for key in Keys)


def named(bindings: Iterable[Binding]) -> list[BindingType]:
    """The bindings with their names; one that the page of keys does not tell of has none."""
    return [replace(binding, id=name_of(binding)) if binding.description else binding for binding in bindings]


def name_of(binding: Binding) -> str:
    return "-".join(binding.description.casefold().split())


@dataclass(frozen=True, slots=True)
class Place:
    """Something that has keys of its own. `uses`: what its module knows, such as the widgets that a screen has."""

    name: str
    kind: type[DOMNode]
    bindings: tuple[Binding, ...]
    uses: frozenset[type[DOMNode]]

    def meets(self, other: Place) -> bool:
        """Whether a key could mean one thing here and another there at the same time.

        Of two screens, and of two widgets, only one has the focus; the program's own keys work everywhere.
        """
        if App in (*self.kind.__mro__, *other.kind.__mro__):
            return True
        if issubclass(self.kind, Screen) == issubclass(other.kind, Screen):
            return issubclass(self.kind, other.kind) or issubclass(other.kind, self.kind)
        return other.kind in self.uses or self.kind in other.uses


def places() -> Iterator[Place]:
    """Every screen and widget that has keys. All of them are imported for it."""
    from pkgutil import iter_modules

    package = __name__.rpartition(".")[0]
    modules = [f"{package}.app"]
    for folder in _OURS:
        parent = import_module(f"{package}.{folder}")
        modules += [module.name for module in iter_modules(parent.__path__, f"{parent.__name__}.")]
    for module in modules:
        uses = _used(module, f"{package}.widgets.")
        for kind in sorted(uses, key=lambda kind: kind.__name__):
            bindings = cast("list[BindingType]", vars(kind).get("BINDINGS", []))
            if kind.__module__ == module and bindings:
                yield Place(kind.__name__, kind, tuple(Binding.make_bindings(bindings)), uses)


def _used(module: str, widgets: str) -> frozenset[type[DOMNode]]:
    """What a module knows, and what those of its widgets know that are made of others."""
    known = vars(import_module(module)).values()
    kinds = frozenset(kind for kind in known if isinstance(kind, type) and issubclass(kind, DOMNode))
    within = {kind.__module__ for kind in kinds if kind.__module__.startswith(widgets)} - {module}
    return kinds.union(*(_used(other, widgets) for other in within))


def keymap(wished: Mapping[str, str], among: Iterable[Place]) -> tuple[dict[str, str], list[str]]:
    """The wishes that can be met, and a line for each of the others."""
    among = list(among)
    known = {binding.id for place in among for binding in place.bindings if binding.id}
    met: dict[str, str] = {}
    problems: list[str] = []
    for action, wish in wished.items():
        keys = [key.strip() for key in wish.split(",") if key.strip()]
        if action not in known:
            problems.append(f"there is no action {safe(action)!r} to give a key to; ? lists them")
        elif not keys or not all(_is_key(key) for key in keys):
            problems.append(
                f"keys.{safe(action)}: {safe(wish)!r} is no key; write k, K, ctrl+k, f5, or several with commas"
            )
        else:
            met[action] = ",".join(_long(key) for key in keys)
    # One that is taken back frees no key for another, but may keep its own: look again until nothing changes.
    while clash := _clash(met, among):
        action, key, other = clash
        problems.append(f"keys.{safe(action)}: {safe(key)} is already the key of {other}")
        del met[action]
    return met, problems


def _clash(wished: Mapping[str, str], among: list[Place]) -> tuple[str, str, str] | None:
    """A wish, its key, and what else has that key at the same place."""
    for place in among:
        for action in dict.fromkeys(binding.id for binding in place.bindings if binding.id in wished):
            assert action is not None
            for key in wished[action].split(","):
                for other in among:
                    if not place.meets(other):
                        continue
                    for binding in other.bindings:
                        taken = wished.get(binding.id or "", binding.key).split(",")
                        if binding.id != action and key in taken:
                            return action, key, binding.id or f"something else in {other.name}"
    return None


def _is_key(key: str) -> bool:
    *modifiers, last = key.split("+") if key != "+" else (key,)
    return set(modifiers) <= _MODIFIERS and (len(last) == 1 or last in _NAMED_KEYS or _character(last) != "")


def _character(name: str) -> str:
    try:
        return unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return ""


def _long(key: str) -> str:
    """`question_mark` for `?`, as the keys of bindings are called."""
    return next(iter(Binding.make_bindings([(key, "none", "")]))).key
