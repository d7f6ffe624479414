"""What a worker reports of its share of a search. Plain data, which crosses the pipe as JSON. See `sharing`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .schedule.search import NOTHING, Part
from .schedule.share import order_of

if TYPE_CHECKING:
    from .schedule.share import Order


@dataclass(frozen=True, slots=True)
class Hit:
    """An execution that teaches something. `variant` counts from 0, -1 is the trace as it is; `crossings` were
    confirmed."""

    order: Order
    variant: int
    lanes: tuple[str, ...]
    names: tuple[str, ...]
    faults: tuple[tuple[int, str], ...]
    crossings: tuple[tuple[Any, ...], ...]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Hit:
        crossings = tuple((s, request, path, tuple(words), f) for s, request, path, words, f in data["crossings"])
        faults = tuple((step, action) for step, action in data["faults"])
        order, lanes, names = order_of(data["order"]), tuple(data["lanes"]), tuple(data["names"])
        return cls(order, data["variant"], lanes, names, faults, crossings)


@dataclass(frozen=True, slots=True)
class Scouted:
    """What a scout reports of its share. `part` is of the search of all lanes; the rest is as in `Reached`."""

    hits: tuple[Hit, ...] = ()
    part: Part = NOTHING
    executions: int = 0
    schedules: int = 0
    random: int = 0
    pairs: int = 0
    faults: int = 0
    variants: tuple[str, ...] = ()
    cut: bool = False
    out_of_budget: bool = False
    interrupted: bool = False
    stopped: str = ""
    uncontrolled: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Scouted:
        texts = {name: tuple(data[name]) for name in ("variants", "uncontrolled", "warnings")}
        hits = tuple(Hit.from_json(hit) for hit in data["hits"])
        fields: dict[str, Any] = {**data, **texts, "hits": hits, "part": Part(**data["part"])}
        return cls(**fields)
