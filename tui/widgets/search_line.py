"""The line in which a text is searched for: the same keys and the same words wherever there is something to search.

What is typed is looked for at once, from where the search began. `ListSearch` looks through what has few enough texts
to do so in one go; the lanes look through theirs in a task, see `lanes_panel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.containers import Horizontal
from textual.widgets import Input, Static

from ..emphasis import Emphasis
from ..search import ways

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import ComposeResult
    from textual.widget import Widget

_TYPING = "enter keeps it  esc ends it"
_KEPT = "n next  N back  esc ends it"


class SearchLine(Horizontal):
    """Hidden until it is opened."""

    def __init__(self) -> None:
        super().__init__(id="search")
        self._said = ""

    def compose(self) -> ComposeResult:
        yield Static("/", id="search-sign")
        yield Input(id="search-query", max_length=200)
        yield Static(id="search-said")

    @property
    def typing(self) -> bool:
        return self.query_one(Input).has_focus

    def open(self) -> None:
        self.add_class("-active")
        self.say("")
        self.query_one(Input).focus()

    def close(self) -> None:
        line = self.query_one(Input)
        with line.prevent(Input.Changed):
            line.clear()
        self.remove_class("-active")

    def say(self, what: str | None = None) -> None:
        """What came of it (None: what was said last), and the keys that go on from here."""
        self._said = self._said if what is None else what
        keys = _TYPING if self.typing else _KEPT
        self.query_one("#search-said", Static).update(Text("  ".join(filter(None, (self._said, keys)))))

    def on_descendant_focus(self) -> None:
        self.say()

    def on_descendant_blur(self) -> None:
        self.say()


class ListSearch(SearchLine):
    """Searches texts that stand one below the other.

    Attributes:
        active: a search was begun and not ended.
    """

    def __init__(
        self,
        texts: Callable[[], Sequence[str]],
        place: Callable[[], int],
        go: Callable[[int], None],
        home: Callable[[], Widget],
        highlight: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Args:
        texts, place, go: what is searched, which of them the cursor is on, and how to put it on another.
        home: what has the focus while nothing is typed.
        highlight: shows a query wherever it stands; "" no longer any.
        """
        super().__init__()
        self.active = False
        self._texts = texts
        self._place = place
        self._go = go
        self._home = home
        self._highlight = highlight
        self._began = 0

    def ask(self) -> None:
        """Open the line; a search that was kept can be changed."""
        self.active, self._began = True, self._place()
        self.open()

    def next(self, by: int) -> None:
        """To the next match after the cursor (`by` 1) or before it (-1), around the end."""
        if self.active:
            self._look(self._place(), by, True)
        else:
            self.notify("nothing is searched for; / does")

    def end(self) -> None:
        """Nothing is searched for any more; from the line, the cursor goes back to where it was."""
        if self.typing:
            self._go(self._began)
        self.active = False
        self._highlight("")
        self.close()
        self._home().focus()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._highlight(event.value)
        if event.value:
            self._look(self._began, 1, False)
        else:
            self._go(self._began)
            self.say("")

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value:
            self._home().focus()
        else:
            self.end()

    def _look(self, start: int, by: int, beyond: bool) -> None:
        matches = Emphasis(query=self.query_one(Input).value).matches
        texts = self._texts()
        for places in ways(len(texts), start + by * beyond, by):
            for place in places:
                if matches(texts[place]):
                    self._go(place)
                    around = place < start if by > 0 else place > start
                    only = beyond and place == start
                    self.say(
                        "the only one" if only else f"from the {'top' if by > 0 else 'end'} again" if around else ""
                    )
                    return
        self.say("not here")
