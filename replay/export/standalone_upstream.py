"""The part of an exported script that answers the handler's HTTP calls; carried only where it made some."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from ..schedule.memory_net import MemoryNetwork
from ..upstream.clients import Clients
from ..upstream.stand_in import MODES, StandIn
from .standalone import load_handler

if TYPE_CHECKING:
    from collections.abc import Callable

    from .standalone import Heard


def answer_for_upstream(
    settings: dict[str, Any], requests: list[dict[str, Any]], folders: list[str], heard: Heard
) -> Callable[[], None]:
    """Let the stand-in that was used when this was found answer the program's HTTP calls."""
    mode = settings["mode"] or "echo"
    function = mode if mode in MODES else load_handler(mode, folders)
    stand_in = StandIn(
        function, heard.sent, _nobody_hears, _nobody_hears, contextlib.nullcontext, tuple(settings["allow"])
    )
    stand_in.begin({request["id"]: [tuple(each) for each in request.get("answers", ())] for request in requests})
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        os.environ.setdefault(name, "no-key-in-a-replay")
    clients = Clients(stand_in)
    MemoryNetwork.outside = staticmethod(clients.server_for)
    return clients.take_over


def _nobody_hears(what: str) -> None:
    """A refused call raises in the handler, and shows there."""
