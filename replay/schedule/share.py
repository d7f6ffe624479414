"""Which part of the search is made here, when several processes share it.

Every schedule has a place in the order in which one process alone would try them. So what each process finds can be put
together in that order, and the result is the one that a single process comes to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

Order = tuple[Any, ...]
"""A place in the order of the search: whole numbers and tuples of them, compared as tuples are."""


@dataclass(slots=True)
class Share:
    """Share number `shard` of `shards`.

    Attributes:
        alone: nobody else searches (yet): all is made here.
        after: what comes no later in the order than this was made by another process before it shared its work.
    """

    shard: int = 0
    shards: int = 1
    alone: bool = True
    after: Order = ()

    def holds(self, number: int) -> bool:
        """Whether number so and so of a series, or what has grown out of it, falls to this share."""
        return self.alone or number % self.shards == self.shard

    def has(self, number: int, order: Order) -> bool:
        """Whether it falls to this share and was not made before."""
        return self.holds(number) and order > self.after


def order_of(data: Any) -> Order:
    """An order that has come through JSON."""
    return tuple(order_of(item) if isinstance(item, list) else item for item in cast("list[Any]", data))
