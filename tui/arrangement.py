"""Which lanes are shown and in what order: pinned, hidden, moved, or only those of the finding.

By name, so that an arrangement made on one run holds for the next one, where the lanes may stand in another order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How the user wants the lanes.

    Attributes:
        order: lanes in the order they were moved to; those that it does not name follow in the grid's own.
        pinned: they stand at the left and stay there while the others scroll.
        hidden: they are not shown, nor their rows.
        only_involved: of the others, those of the finding alone are shown.
    """

    order: tuple[str, ...] = ()
    pinned: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    only_involved: bool = False

    def sequence(self, lanes: tuple[str, ...]) -> tuple[str, ...]:
        """All lanes from left to right, whether they are shown or not."""
        known = set(lanes)
        ordered = tuple(dict.fromkeys((*(lane for lane in self.order if lane in known), *lanes)))
        return tuple(sorted(ordered, key=lambda lane: lane not in self.pinned))

    def columns(self, lanes: tuple[str, ...], involved: tuple[str, ...]) -> tuple[int, ...]:
        """The columns of the grid that are shown, from left to right: never none of them."""
        place = {lane: column for column, lane in enumerate(lanes)}
        wanted = set(involved) | self.pinned if self.only_involved and involved else set(lanes)
        shown = tuple(place[lane] for lane in self.sequence(lanes) if lane in wanted and lane not in self.hidden)
        return shown or tuple(place[lane] for lane in self.sequence(lanes))

    def pin(self, lane: str) -> Arrangement:
        """Pinned, or no longer."""
        return replace(self, pinned=self.pinned ^ {lane})

    def hide(self, lane: str) -> Arrangement:
        return replace(self, hidden=self.hidden | {lane})

    def involved_only(self) -> Arrangement:
        """The finding's lanes alone, or all again."""
        return replace(self, only_involved=not self.only_involved)

    def show_all(self) -> Arrangement:
        """Nothing is hidden; what is pinned or moved stays so."""
        return replace(self, hidden=frozenset(), only_involved=False)

    def move(self, lane: str, by: int, lanes: tuple[str, ...], shown: tuple[str, ...]) -> Arrangement:
        """The lane changes its place with its neighbour among those that are shown; pinned ones stay together."""
        at = shown.index(lane) + by
        if not 0 <= at < len(shown) or (shown[at] in self.pinned) != (lane in self.pinned):
            return self
        order = list(self.sequence(lanes))
        here, there = order.index(lane), order.index(shown[at])
        order.insert(there, order.pop(here))
        return replace(self, order=tuple(order))


def in_sight(columns: tuple[int, ...], pinned: int, first: int, fitting: int) -> tuple[int, ...]:
    """The columns beside each other on the screen: the pinned ones at the left, as far as one more has room, and then
    `fitting` in all, from the `first` of the others on."""
    pinned = min(pinned, max(0, fitting - 1))
    others = columns[pinned:]
    room = fitting - pinned
    first = max(0, min(first, len(others) - room))
    return (*columns[:pinned], *others[first : first + room])
