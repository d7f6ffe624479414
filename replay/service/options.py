"""How a running service is replayed against: plain data, which costs a command line nothing to import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def is_service(handler: str) -> bool:
    """Whether a handler is the URL of a service."""
    return handler.startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class ServiceOptions:
    """How a running service is replayed against.

    Attributes:
        cwd: where `launch` runs, and where a function given with `--upstream` is looked for.
        llm_port: where the stub LLM listens; 0 takes a free port.
        launch: the command that starts the service, None where it runs already.
        keep_state: whether a launched service is started once, and not again for each execution.
        identity: `recorded` sends recorded sessions and tokens as they are, `fresh` gives each execution its own.
        allow_remote: whether the service may be on another machine.
        together: whether `replay` releases the first requests of all lanes at once.
    """

    cwd: Path
    llm_port: int = 0
    launch: str | None = None
    keep_state: bool = False
    identity: str = "recorded"
    settle_s: float = 0.25
    answer_s: float = 30.0
    allow_remote: bool = False
    together: bool = False
